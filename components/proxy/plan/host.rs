//! The hosts that a block answers for, and the one form in which hosts are compared.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// A host that a block answers for.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::HostPattern;
///
/// for text in ["app1.local", "192.168.56.103:8080", "*.example.org", "[::1]:8080", "default"] {
///     assert_eq!(text.parse::<HostPattern>()?.to_string(), text);
/// }
/// assert!("two words".parse::<HostPattern>().is_err());
/// # Ok::<(), kamea_proxy::plan::HostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostPattern {
    /// This name or address; with any port if none is given.
    Exact {
        /// In lower case, an IPv6 address in brackets.
        name: String,
        /// Only with this port.
        port: Option<u16>,
    },
    /// Every name that ends in a dot and this one.
    Below {
        /// In lower case, without `*.`.
        name: String,
        /// Only with this port.
        port: Option<u16>,
    },
    /// Every host that no other block has.
    Default,
}

/// A host pattern that is not valid.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostError {
    /// Nothing.
    #[error("a host is empty")]
    Empty,
    /// A scheme or a path.
    #[error("a host has no scheme and no path: write `name` or `name:port`")]
    Url,
    /// Not a number from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// `*` that is not the first label.
    #[error("`*` stands for the first labels only: `*.example.org`")]
    Star,
    /// An address without brackets, or brackets without an address.
    #[error("an IPv6 address stands in brackets: `[::1]` or `[::1]:8080`")]
    Ipv6,
    /// Some other character.
    #[error("a host consists of letters, digits, `-`, `_` and dots (write IDNA as `xn--...`)")]
    Character,
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if matches!(text, "default" | "*" | "_") {
            return Ok(Self::Default);
        }
        if text.contains('/') {
            return Err(HostError::Url);
        }
        let (name, port) = split_port(text)?;
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if let Some(name) = name.strip_prefix("*.") {
            let name = checked_name(name)?.to_owned();
            return Ok(Self::Below { name, port });
        }
        let name = match name.strip_prefix('[') {
            Some(_) => canonical_ipv6(&name).ok_or(HostError::Ipv6)?,
            None => checked_name(&name)?.to_owned(),
        };
        Ok(Self::Exact { name, port })
    }
}

/// `name:port`, `name`, `[::1]:port`, `[::1]`
fn split_port(text: &str) -> Result<(&str, Option<u16>), HostError> {
    let end = match (text.starts_with('['), text.rfind(']')) {
        (true, Some(bracket)) => bracket + 1,
        (true, None) => return Err(HostError::Ipv6),
        _ if text.matches(':').count() > 1 => return Err(HostError::Ipv6),
        _ => text.find(':').unwrap_or(text.len()),
    };
    let (name, port) = text.split_at(end);
    let Some(digits) = port.strip_prefix(':') else {
        let is_whole = port.is_empty();
        return is_whole.then_some((name, None)).ok_or(HostError::Ipv6);
    };
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port > 0);
    Ok((name, Some(port.ok_or(HostError::Port)?)))
}

fn checked_name(name: &str) -> Result<&str, HostError> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.contains('*') {
        Err(HostError::Star)
    } else if name.is_empty() || name.split('.').any(str::is_empty) {
        Err(HostError::Empty)
    } else if !name.chars().all(is_valid) {
        Err(HostError::Character)
    } else {
        Ok(name)
    }
}

impl HostPattern {
    /// Returns the key in the table of hosts; `None` for the default.
    pub(super) fn key(&self) -> Option<String> {
        (*self != Self::Default).then(|| self.to_string())
    }

    /// Returns the name without `*.` and without a port; `None` for the default.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Exact { name, .. } | Self::Below { name, .. } => Some(name),
            Self::Default => None,
        }
    }

    /// Returns the only port with which the pattern matches, if there is one.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Exact { port, .. } | Self::Below { port, .. } => *port,
            Self::Default => None,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (star, name, port) = match self {
            Self::Exact { name, port } => ("", name, port),
            Self::Below { name, port } => ("*.", name, port),
            Self::Default => return f.write_str("default"),
        };
        match port {
            Some(port) => write!(f, "{star}{name}:{port}"),
            None => write!(f, "{star}{name}"),
        }
    }
}

/// Returns an authority in the form of the table: lower case, no dot at the end of the name, IPv6
/// in its canonical form, and always with a port.
pub(super) fn normalized(authority: &str, port: u16) -> String {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, "")) => (name, port),
        Some((name, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            // 0 is no port, so that a number that is too large matches no pattern with a port.
            (name, digits.parse().unwrap_or(0))
        }
        _ => (authority, port),
    };
    let trimmed = name.strip_suffix('.').unwrap_or(name);
    let name = match canonical_ipv6(trimmed) {
        Some(address) => Cow::Owned(address),
        None => Cow::Borrowed(trimmed),
    };
    let mut whole = String::with_capacity(name.len() + 6);
    whole.push_str(&name);
    whole.make_ascii_lowercase();
    whole.push(':');
    whole.push_str(&port.to_string());
    whole
}

/// Returns `[::1]` for every spelling of it; `None` for everything else.
fn canonical_ipv6(text: &str) -> Option<String> {
    let address = text.strip_prefix('[')?.strip_suffix(']')?;
    let address: Ipv6Addr = address.parse().ok()?;
    Some(format!("[{address}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_are_none() {
        let rows = [
            ("", HostError::Empty),
            ("a..b", HostError::Empty),
            ("*.", HostError::Star),
            (":80", HostError::Empty),
            ("http://a", HostError::Url),
            ("a/b", HostError::Url),
            ("a:0", HostError::Port),
            ("a:", HostError::Port),
            ("a:65536", HostError::Port),
            ("a:+1", HostError::Port),
            ("a:x", HostError::Port),
            ("a.*", HostError::Star),
            ("*a.b", HostError::Star),
            ("*.*.b", HostError::Star),
            ("::1", HostError::Ipv6),
            ("[::1", HostError::Ipv6),
            ("[x]", HostError::Ipv6),
            ("[::1]x", HostError::Ipv6),
            ("two words", HostError::Character),
            ("b\u{fc}cher", HostError::Character),
            ("a\r\nb", HostError::Character),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<HostPattern>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn spellings_of_a_host_are_one() {
        let rows = [
            ("A.Local.", "a.local"),
            ("a.local.:80", "a.local:80"),
            ("[0:0:0::1]:80", "[::1]:80"),
            ("*.A", "*.a"),
            ("*", "default"),
            ("_", "default"),
        ];
        for (text, shown) in rows {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), shown);
        }
    }
}
