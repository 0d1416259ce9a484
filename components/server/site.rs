//! What a server serves, and within which bounds.

use std::path::PathBuf;
use std::time::Duration;

use crate::documents::FileOptions;
use crate::http::{Fields, Limits};
use crate::web::Patience;

/// What a server serves, and within which bounds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::server::Site;
///
/// let mut site = Site::new("www");
/// site.limits.body = 16 << 20; // bytes
/// site.keep_alive = Duration::from_secs(30);
/// site.connections_per_client = 100;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Site {
    /// The folder that is served.
    pub docroot: PathBuf,
    /// How its files are served.
    pub files: FileOptions,
    /// Fields that every response has.
    pub fields: Fields,
    /// How much of a request is taken in.
    pub limits: Limits,
    /// How long a request may take to come in.
    pub patience: Patience,
    /// How long a connection may be silent between two requests.
    pub keep_alive: Duration,
    /// How long a peer may read nothing of its response.
    pub write_stall: Duration,
    /// Whether a client that has shut down its side of the connection still waits for what programs, applications and handlers
    /// make for it. They are stopped otherwise. Files are sent either way.
    pub half_close: bool,
    /// How many connections there may be in all.
    pub connections: usize,
    /// How many connections there may be of one client address.
    pub connections_per_client: usize,
}

impl Site {
    /// The files below `docroot`, within the default bounds.
    pub fn new(docroot: impl Into<PathBuf>) -> Self {
        Self {
            docroot: docroot.into(),
            files: FileOptions::default(),
            fields: Fields::new(),
            limits: Limits::default(),
            patience: Patience::default(),
            keep_alive: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            half_close: false,
            connections: 16_384,
            connections_per_client: 10_000,
        }
    }
}
