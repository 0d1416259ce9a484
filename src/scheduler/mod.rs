//! The scheduler: a pool of workers, and the placement of graphs.

mod children;
mod driven;
mod exit;
mod flows;
mod jobs;
mod listing;
mod options;
mod outcome;
mod pool;
mod running;
mod signal;
mod stop;
#[cfg(test)]
mod tests;
mod threads;
mod worker;

use std::time::{Duration, Instant};

pub use children::Children;
pub use exit::before_exit;
pub use flows::Flows;
pub use options::WorkerOptions;
pub use outcome::{BlockedWorker, NotDrained, RunError, StopError};
pub use pool::{Placement, Workers};
pub use running::Running;
pub use stop::{StopWish, is_stopping, note_dropped, stopping};
pub(crate) use worker::{Worker, current as current_worker, current_registry, refuse_to_block};
pub use worker::{spawn, workers};

use threads::Threads;

use crate::graph::{Graph, GraphError};

/// Runs graphs on a pool of threads.
///
/// Dropping it stops at once what still runs. [`stop`](Self::stop) lets it drain.
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
    threads: Threads,
}

/// How long a worker has to report what it runs before that is dropped.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Default for Scheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scheduler {
    /// Makes a scheduler with one worker for each core.
    ///
    /// # Panics
    ///
    /// The same as those of [`with_workers`](Self::with_workers).
    pub fn new() -> Self {
        Self::with_options(&WorkerOptions::new())
    }

    /// Makes a scheduler with this many workers.
    ///
    /// # Panics
    ///
    /// If `count` is 0, or if the system refuses to start the threads.
    pub fn with_workers(count: usize) -> Self {
        Self::with_options(&WorkerOptions::new().count(count))
    }

    /// Makes a scheduler whose workers have the given options.
    ///
    /// # Panics
    ///
    /// If the system refuses to start the threads.
    pub fn with_options(options: &WorkerOptions) -> Self {
        let (workers, queues) = Workers::new(options.count);
        let threads = Threads::start(options, &workers, queues);
        Self { workers, threads }
    }

    /// Returns the workers. Use them to place graphs from any thread.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Runs a graph on any worker.
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake in the graph. Nothing has run.
    pub fn run(&self, graph: Graph) -> Result<Running, GraphError> {
        self.workers.run(Placement::Any, graph)
    }

    /// Stops gracefully: the sources of every graph end, accepted messages drain, and what has not
    /// drained after `deadline` is dropped. Blocks this thread meanwhile: not for code that runs on
    /// a worker.
    ///
    /// A component that blocks its worker gets half a second more. Then it is left behind, with its
    /// thread.
    ///
    /// # Errors
    ///
    /// [`NotDrained`] lists what was dropped, and the components that have blocked their workers.
    pub fn stop(mut self, deadline: Duration) -> Result<(), NotDrained> {
        refuse_to_block("Scheduler::stop", "`Running::stop` and `Running::finished`");
        self.begin_stop();
        self.end_by(deadline_after(deadline))
    }

    fn begin_stop(&self) {
        self.workers.stop_graphs();
        self.workers.finish();
    }

    /// Waits for the end of all that runs, and drops what is left at the deadline.
    fn end_by(&mut self, deadline: Instant) -> Result<(), NotDrained> {
        if self.threads.ended_by(deadline) {
            self.threads.end(&self.workers);
            return match self.workers.dropped() {
                0 => Ok(()),
                dropped => Err(NotDrained::default().with_messages(dropped)),
            };
        }
        let left = NotDrained::of(&self.census_within(LAST_WORDS));
        let left = left.with_messages(self.workers.dropped());
        let blocked = self.threads.end(&self.workers);
        Err(left.blocked_by(blocked))
    }
}

/// The moment after a duration, or one so far away that nobody waits for it.
pub(crate) fn deadline_after(time: Duration) -> Instant {
    const AGES: Duration = Duration::from_secs(u32::MAX as u64);
    let now = crate::time::now();
    now.checked_add(time).unwrap_or(now + AGES)
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.threads.end(&self.workers);
    }
}

impl AsRef<Workers> for Scheduler {
    fn as_ref(&self) -> &Workers {
        &self.workers
    }
}
