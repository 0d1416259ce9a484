//! Where the connections of a server run. The graph of a connection is the same in every mode.

use std::fmt;
use std::sync::Arc;

use super::Handover;

/// Where the connections of a server run: the argument of
/// [`WebServer::mode`](super::WebServer::mode).
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::server::{Mode, Site, WebServer};
///
/// let scheduler = Scheduler::with_workers(1);
/// let server = WebServer::new(Site::new(".")).mode(Mode::Single);
/// server.run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Mode {
    /// In parallel, on every worker.
    #[default]
    Pool,
    /// One after another, on one worker. The server accepts the next connection when the previous
    /// one has ended; others wait in the backlog of the system. A silent peer blocks all others for
    /// as long as [`Site::keep_alive`](super::Site::keep_alive) allows.
    Single,
    /// Each in a process of its own, which starts once the client has sent something. This process
    /// accepts and counts the connections; the server that the new process makes serves them, by
    /// [`WebServer::serve`](super::WebServer::serve). [`Site::processes`](super::Site::processes)
    /// limits how many run at the same time.
    Forking(Arc<Handover>),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "pool: connections side by side, on every worker",
            Self::Single => "single: one connection at a time, on one worker",
            Self::Forking(_) => "forking: a process for each connection",
        })
    }
}
