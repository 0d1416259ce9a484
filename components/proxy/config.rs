//! The configuration files of a proxy: `proxy.conf`, with blocks as nginx has them, and
//! `proxy.toml`.
//!
//! ```text
//!  proxy.conf ──▶ tokens ──▶ settings ┐
//!                                     ├──▶ Plan, or all mistakes with their places
//!  proxy.toml ──▶ table ───▶ settings ┘
//! ```
//!
//! Both formats have the same settings: each is declared once, in `route.rs` and `whole.rs`.

mod conf;
mod mistake;
mod options;
mod route;
mod setting;
mod show;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Plan;
pub use mistake::Mistakes;
pub use table::explain_toml;

use mistake::Found;

/// Why there is no plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}", file = .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What the file says is wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

/// Reads a configuration file: as `proxy.toml` if its name ends in `.toml`, or else as
/// `proxy.conf`.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read, or with all its mistakes.
pub fn parse_virtual_hosts(file: impl AsRef<Path>) -> Result<Plan, ConfigError> {
    let file = file.as_ref();
    let text = fs::read_to_string(file).map_err(|source| ConfigError::Read {
        file: file.to_owned(),
        source,
    })?;
    Ok(read_plan(file, &text)?)
}

/// Reads the text of a configuration file. The name of the file says the format, and stands in
/// messages.
///
/// # Examples
/// ```
/// use std::path::Path;
/// use kamea_proxy::config::read_plan;
///
/// let text = r#"
/// host "app2.local" {
///     proxy_pass http://127.0.0.1:9002;
///     proxy_pass http://127.0.0.1:9003 weight=3;
///     dist_policy round-robin
/// }
/// "#;
/// let plan = read_plan(Path::new("proxy.conf"), text)?;
/// let route = &plan.block_for("app2.local", 8080).unwrap().routes()[0];
/// assert_eq!(route.backends[1].weight, 3);
/// # Ok::<(), kamea_proxy::config::Mistakes>(())
/// ```
///
/// # Errors
/// [`Mistakes`]: all of the text.
pub fn read_plan(file: &Path, text: &str) -> Result<Plan, Mistakes> {
    let mut found = Found::default();
    let is_toml = file.extension().is_some_and(|ending| ending == "toml");
    let settings = match is_toml {
        true => table::parse(text, &mut found),
        false => conf::parse(text, whole::is_known, &mut found),
    };
    let plan = whole::plan(&settings, file, text, &mut found);
    match found.into_mistakes(file, text) {
        None => Ok(plan),
        Some(mistakes) => Err(mistakes),
    }
}
