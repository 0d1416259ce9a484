//! The scheduler: a pool of workers, and who runs where.

mod children;
mod flows;
mod jobs;
mod listing;
mod pool;
mod running;
mod signal;
mod stop;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use children::Children;
pub use flows::Flows;
pub use pool::{Placement, Workers};
pub use running::Running;
pub use stop::{is_stopping, stopping};
pub(crate) use worker::{Worker, current as current_worker, current_registry};
pub use worker::{spawn, workers};

use stop::Stop;

use crate::graph::{Graph, GraphError};

/// Runs graphs over a pool of threads.
///
/// Dropping it stops at once what still runs; [`stop`](Self::stop) lets it drain.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source};
///
/// let mut graph = Graph::new("greeting");
/// let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?));
/// let mut greetings = graph.take(greet.outbox);
///
/// let scheduler = Scheduler::with_workers(2);
/// let running = scheduler.run(graph)?;
/// assert_eq!(greetings.next_blocking(), Some("hello"));
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Scheduler {
    workers: Workers,
    threads: Vec<JoinHandle<()>>,
    /// Disconnected once every worker has ended.
    ended: flume::Receiver<()>,
    /// Makes the workers drop what they run.
    abort: Arc<Stop>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scheduler {
    /// A scheduler with a worker for each core.
    ///
    /// # Panics
    ///
    /// Like [`with_workers`](Self::with_workers).
    pub fn new() -> Self {
        Self::with_workers(thread::available_parallelism().map_or(1, usize::from))
    }

    /// A scheduler with this many workers.
    ///
    /// # Panics
    ///
    /// If `count` is 0, or if the system does not let the threads start.
    pub fn with_workers(count: usize) -> Self {
        assert!(count > 0, "a scheduler has at least one worker");
        let (workers, queues) = Workers::new(count);
        let abort = Arc::new(Stop::default());
        let (alive, ended) = flume::bounded(1);
        let start = |(index, queue)| {
            let (workers, abort, alive) = (workers.clone(), abort.clone(), alive.clone());
            let body = move || {
                worker::run(index, &queue, workers, &abort);
                drop(alive);
            };
            let thread = thread::Builder::new()
                .name(format!("worker {index}"))
                .spawn(body);
            thread.expect("the system lets a thread start")
        };
        let threads = queues.into_iter().enumerate().map(start).collect();
        Self {
            workers,
            threads,
            ended,
            abort,
        }
    }

    /// The workers, for placing graphs from anywhere.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Runs a graph on any worker.
    ///
    /// # Errors
    ///
    /// [`GraphError`] names the mistake in the graph; nothing has run.
    pub fn run(&self, graph: Graph) -> Result<Running, GraphError> {
        self.workers.run(Placement::Any, graph)
    }

    /// Stops gracefully: the sources of every graph end, what was accepted drains, and what has not drained after
    /// `deadline` is dropped. Gives whether everything drained.
    pub fn stop(mut self, deadline: Duration) -> bool {
        self.begin_stop();
        let drained = matches!(
            self.ended.recv_timeout(deadline),
            Err(flume::RecvTimeoutError::Disconnected)
        );
        self.end();
        drained
    }

    fn begin_stop(&self) {
        self.workers.stop_graphs();
        self.workers.finish();
    }

    fn end(&mut self) {
        self.abort.set();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a worker panicked");
            }
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.end();
    }
}

impl AsRef<Workers> for Scheduler {
    fn as_ref(&self) -> &Workers {
        &self.workers
    }
}
