//! What the applications of the rows and the harness share: where sessions are kept.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In memory, with signed cookies.
    Signed,
    /// In memory.
    Memory,
    /// In an SQLite database.
    Sqlite(PathBuf),
    /// In Redis.
    Redis(SocketAddr),
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed => f.write_str("signed"),
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite={}", path.display()),
            Self::Redis(address) => write!(f, "redis={address}"),
        }
    }
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("redis", address)) => {
                let address = address.parse();
                Ok(Self::Redis(
                    address.map_err(|error| format!("{text}: {error}"))?,
                ))
            }
            None if text == "signed" => Ok(Self::Signed),
            None if text == "memory" => Ok(Self::Memory),
            _ => Err(format!("{text} is no store of sessions")),
        }
    }
}

/// The value after an argument of the program.
#[must_use]
pub fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

/// The store that `--sessions` names.
///
/// # Errors
///
/// If it is no store.
pub fn wanted_store() -> Result<Option<Store>, String> {
    argument("--sessions").map(|text| text.parse()).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_read_as_it_is_written() {
        for text in [
            "signed",
            "memory",
            "sqlite=/tmp/a=b",
            "redis=127.0.0.1:6379",
        ] {
            assert_eq!(text.parse::<Store>().unwrap().to_string(), text);
        }
        for text in ["", "disk", "redis=localhost", "memory=1"] {
            assert!(text.parse::<Store>().is_err(), "{text}");
        }
    }
}
