//! WSGI (PEP 3333): Python applications behind the server, in separate processes.
//!
//! ```text
//! requests ─▶ serve_wsgi ╌▶ pool ╌ frames ╌▶ worker process (Python) ╌ frames ╌▶ relay per thread
//!                 ▲                                                                ╎
//!                 └╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ responses and failures ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘
//! ```
//!
//! A WebSocket of an application (flask-sock) has the raw bytes of its connection, over a pair of
//! sockets.
//!
//! A keeper for each process starts it, watches it, and replaces it. The processes have no
//! listening socket and no socket file: all sockets are pairs.

mod application;
mod control;
mod frame;
mod keep;
mod pool;
mod relay;
mod serve;
mod upgrade;

use std::sync::Arc;

use kamea::{Graph, GraphError, Workers};

pub use application::{NameError, WsgiApplication};
#[doc(hidden)]
pub use frame::check_frames;
pub use serve::serve_wsgi;

use keep::keep_workers;
use pool::{Job, Pool};

/// The worker processes of an application. They run while at least one clone of this exists.
///
/// # Examples
///
/// ```no_run
/// use kamea::Scheduler;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::wsgi::{WsgiApplication, WsgiPool};
///
/// let scheduler = Scheduler::new();
/// let mut application: WsgiApplication = "shop.web:app".parse()?;
/// application.workers = 4;
/// let pool = WsgiPool::run(application, scheduler.workers())?;
/// pool.wait_until_loaded()?;
/// let server = WebServer::new(Site::new(".")).wsgi("/shop", pool);
/// server.run(&scheduler, &["127.0.0.1:8000".parse()?])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WsgiPool(Arc<User>);

/// A user of the pool, who may send requests.
#[derive(Debug)]
struct User(Arc<Pool>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.desert();
    }
}

impl WsgiPool {
    /// Starts the worker processes, and the components that manage them.
    ///
    /// # Errors
    ///
    /// Only if the graph itself has an error.
    pub fn run(application: WsgiApplication, workers: &Workers) -> Result<Self, GraphError> {
        let pool = Arc::new(Pool::new(application));
        let mut graph = Graph::new("wsgi");
        graph.add("keepers", keep_workers(pool.clone()));
        workers.run(kamea::Placement::Any, graph)?;
        Ok(Self(Arc::new(User(pool))))
    }

    /// A pool without processes, to check a server.
    #[must_use]
    pub fn unloaded(application: WsgiApplication) -> Self {
        Self(Arc::new(User(Arc::new(Pool::new(application)))))
    }

    /// Blocks this thread until all processes have loaded the application. Do not call it on a
    /// worker.
    ///
    /// # Errors
    ///
    /// The reason why a process could not load it, in one line: Python is missing, or the error of
    /// Python about the application.
    pub fn wait_until_loaded(&self) -> Result<(), LoadError> {
        self.0.0.wait_until_loaded().map_err(LoadError)
    }

    /// Whether bodies are buffered.
    pub(crate) fn is_buffering(&self) -> bool {
        self.0.0.application.buffering
    }

    fn submit(&self, job: Job) {
        self.0.0.submit(job);
    }
}

/// Why an application could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);
