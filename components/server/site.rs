//! What a server serves, and within which limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::documents::FileOptions;
use crate::http::{Fields, Limits};
use crate::web::Patience;

/// What a server serves, and within which limits.
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
    /// The folder to serve. `None` if the server has handlers and applications only.
    pub docroot: Option<PathBuf>,
    /// How its files are served.
    pub files: FileOptions,
    /// Fields that are added to every response.
    pub fields: Fields,
    /// Size limits of requests.
    pub limits: Limits,
    /// Time limits of requests.
    pub patience: Patience,
    /// The idle timeout of a connection between two requests.
    pub keep_alive: Duration,
    /// How long a peer may read nothing of its response.
    pub write_stall: Duration,
    /// Whether a client that has shut down its side of the connection still waits for the responses
    /// of programs, applications and handlers. Otherwise these are stopped. Files are sent in both
    /// cases.
    pub half_close: bool,
    /// The limit of connections in total. It is lower if the process may open too few files: see
    /// [`Listening::connections`](super::Listening::connections). At the limit, the connection that
    /// has been idle longest makes room for a new one.
    pub connections: usize,
    /// The limit of connections per client: an IPv4 address, or a /64 network of IPv6. At the
    /// limit, the client's connection that has been idle longest makes room for a new one.
    pub connections_per_client: usize,
    /// The limit of processes in [`Mode::Forking`](super::Mode::Forking). Further connections wait
    /// for a process as long as a request head may take. Beside others, one client gets half.
    pub processes: usize,
}

impl Site {
    /// Serves the files below `docroot`, with the default limits.
    pub fn new(docroot: impl Into<PathBuf>) -> Self {
        Self {
            docroot: Some(docroot.into()),
            files: FileOptions::default(),
            fields: Fields::new(),
            limits: Limits::default(),
            patience: Patience::default(),
            keep_alive: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            half_close: false,
            connections: 16_384,
            connections_per_client: 256,
            processes: 256,
        }
    }

    /// Serves no files: what no route takes is answered with 404.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::web::{Request, Route};
    ///
    /// let hello = async |_: Request| "hello\n";
    /// let server = WebServer::new(Site::without_files()).handle("hello", Route::path("/hello"), hello);
    /// ```
    pub fn without_files() -> Self {
        Self {
            docroot: None,
            ..Self::new("")
        }
    }
}
