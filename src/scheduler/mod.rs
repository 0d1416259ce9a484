//! The scheduler: a pool of workers, and who runs where.

mod children;
mod flows;
mod signal;
mod stop;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use children::Children;
pub use flows::Flows;
pub use stop::{is_stopping, stopping};
pub(crate) use worker::{Worker, current as current_worker, current_registry};
pub use worker::{spawn, workers};

use stop::Stop;
use worker::Job;

use crate::census::{At, Registry};
use crate::flow::Flow;
use crate::graph::{Graph, GraphError};
use crate::simulation;
use crate::supervision::Fault;
use crate::time::now;

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
        // No job of a component comes after the last: it would not be done.
        let mut is_finishing = self.workers.0.is_finishing();
        *is_finishing = true;
        for jobs in &self.workers.0.jobs {
            // A worker that is gone has nothing to finish.
            let _ = jobs.send(Job::Finish);
        }
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

/// Where a graph is to run.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Placement, Scheduler, Source};
///
/// let scheduler = Scheduler::with_workers(2);
/// let mut graph = Graph::new("placed");
/// let tell = graph.add("tell", async |io: &mut Source<Option<String>>| {
///     Ok(io.outbox.send(std::thread::current().name().map(str::to_owned)).await?)
/// });
/// let mut names = graph.take(tell.outbox);
/// scheduler.workers().run(Placement::Worker(1), graph)?;
/// assert_eq!(names.next_blocking().flatten().as_deref(), Some("worker 1"));
/// # Ok::<(), kamea::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On the worker that asks; on any, if the asking thread is none.
    Here,
    /// On this worker, counted from 0, modulo the number of workers.
    Worker(usize),
    /// On any: the workers take turns.
    Any,
}

/// The workers of a scheduler: a handle that may be cloned and kept anywhere.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    jobs: Box<[flume::Sender<Job>]>,
    next: AtomicUsize,
    /// How to stop each graph that runs.
    graphs: Mutex<Vec<Weak<Stop>>>,
    /// Whether the workers have been told to take nothing more.
    is_finishing: Mutex<bool>,
    /// What each worker is at.
    at: Box<[Arc<At>]>,
    began: Instant,
}

impl Workers {
    /// So many workers, and what each of them is to do.
    fn new(count: usize) -> (Self, Vec<flume::Receiver<Job>>) {
        let (jobs, queues): (Vec<_>, _) = (0..count).map(|_| flume::unbounded()).unzip();
        let pool = Pool {
            jobs: jobs.into(),
            next: AtomicUsize::new(0),
            graphs: Mutex::default(),
            is_finishing: Mutex::new(false),
            at: (0..count).map(|_| Arc::default()).collect(),
            began: now(),
        };
        (Self(Arc::new(pool)), queues)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.jobs.len()
    }

    /// Runs a graph.
    ///
    /// # Errors
    ///
    /// [`GraphError`] names the mistake in the graph; nothing has run.
    pub fn run(&self, placement: Placement, graph: Graph) -> Result<Running, GraphError> {
        let checked = graph.check()?;
        let (ended, outcome) = flume::bounded(1);
        let (stop, abort) = (Arc::new(Stop::default()), Arc::new(Stop::default()));
        self.0.remember(&stop);
        let running = Running {
            outcome,
            stop: stop.clone(),
            abort: abort.clone(),
        };
        self.submit(placement, move || {
            worker::launch(checked.start(), stop, abort, Some(ended))
        });
        Ok(running)
    }

    /// Spawns a flow on a chosen worker; `start` makes it there.
    pub fn spawn(&self, placement: Placement, start: impl FnOnce() -> Flow + Send + 'static) {
        let stop = stop::current();
        self.submit(placement, move || worker::adopt(start(), stop));
    }

    fn submit(&self, placement: Placement, job: impl FnOnce() + Send + 'static) {
        let index = match placement {
            Placement::Worker(index) => index,
            Placement::Here => worker::current().unwrap_or_else(|| self.turn()),
            Placement::Any => self.turn(),
        };
        // A scheduler that has stopped runs nothing more; whoever waits for the job sees its end.
        let _ = self.0.jobs[index % self.count()].send(Job::Run(Box::new(job)));
    }

    /// Does something for a component: here, if the workers take nothing more, because the component may have to finish what
    /// was accepted.
    fn submit_for_component(&self, placement: Placement, job: impl FnOnce() + Send + 'static) {
        let is_finishing = self.0.is_finishing();
        if placement == Placement::Here || *is_finishing {
            drop(is_finishing);
            job();
        } else {
            self.submit(placement, job);
        }
    }

    /// Has each worker look at what it runs, when it comes to it; `look` gets its number.
    pub(crate) fn look(&self, look: impl Fn(usize, &Registry) + Clone + Send + 'static) {
        for (index, jobs) in self.0.jobs.iter().enumerate() {
            let look = look.clone();
            // A worker that is gone runs nothing.
            let _ = jobs.send(Job::Look(Box::new(move |registry| look(index, registry))));
        }
    }

    pub(crate) fn at(&self, worker: usize) -> &Arc<At> {
        &self.0.at[worker]
    }

    pub(crate) fn began(&self) -> Instant {
        self.0.began
    }

    fn turn(&self) -> usize {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Has every graph come to its end.
    pub(crate) fn stop_graphs(&self) {
        if let Ok(graphs) = self.0.graphs.lock() {
            graphs
                .iter()
                .filter_map(Weak::upgrade)
                .for_each(|stop| stop.set());
        }
    }
}

impl AsRef<Self> for Workers {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Pool {
    fn is_finishing(&self) -> MutexGuard<'_, bool> {
        self.is_finishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, stop: &Arc<Stop>) {
        if let Ok(mut graphs) = self.graphs.lock() {
            graphs.retain(|known| known.strong_count() > 0);
            graphs.push(Arc::downgrade(stop));
        }
    }
}

/// A graph that runs.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source};
///
/// let mut graph = Graph::new("endless");
/// let count = graph.add("count", async |io: &mut Source<u64>| {
///     for number in 0.. {
///         io.outbox.send(number).await?;
///     }
///     Ok(())
/// });
/// let mut numbers = graph.take(count.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// assert_eq!(numbers.next_blocking(), Some(0));
/// running.stop(); // the source ends, and the end travels downstream, behind what has been sent
/// assert!(numbers.into_iter().is_sorted());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Running {
    outcome: flume::Receiver<Result<(), Fault>>,
    stop: Arc<Stop>,
    /// Makes a graph that is stopping drop what has not drained.
    abort: Arc<Stop>,
}

impl Running {
    /// Blocks this thread until the graph has ended. Not for code that runs on a worker.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
    pub fn wait(self) -> Result<(), Fault> {
        simulation::refuse_to_block("wait");
        // No outcome: the scheduler was stopped and has dropped the graph.
        self.outcome.recv().unwrap_or(Ok(()))
    }

    /// Like [`wait`](Self::wait), but gives up at a moment; `None` then, and the graph runs on.
    pub fn wait_until(&self, moment: Instant) -> Option<Result<(), Fault>> {
        simulation::refuse_to_block("wait_until");
        match self.outcome.recv_deadline(moment) {
            Ok(outcome) => Some(outcome),
            Err(flume::RecvTimeoutError::Disconnected) => Some(Ok(())),
            Err(flume::RecvTimeoutError::Timeout) => None,
        }
    }

    /// How the graph has ended; as if it had not failed, if it has not ended.
    pub(crate) fn try_outcome(&self) -> Result<(), Fault> {
        self.outcome.try_recv().unwrap_or(Ok(()))
    }

    /// Waits until the graph has ended.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
    pub async fn finished(self) -> Result<(), Fault> {
        self.outcome.recv_async().await.unwrap_or(Ok(()))
    }

    /// Begins a graceful stop: the sources of the graph end, so that it drains. What a source was sending is still delivered. What
    /// [feeds](Graph::feed) the graph from outside is no source of its own: it drains once the sender has been dropped.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Stops gracefully, and drops what has not drained after `deadline`; graphs that its components have spawned drain
    /// by themselves. Gives whether everything drained. Blocks this thread: not for code that runs on a worker.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kamea::{Done, Graph, Scheduler, Sink, Source};
    ///
    /// async fn count(io: &mut Source<u64>) -> Done {
    ///     for number in 0.. {
    ///         io.outbox.send(number).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// /// Takes no end, although it is told of it.
    /// async fn stall(_: &mut Sink<u64>) -> Done {
    ///     std::future::pending().await
    /// }
    ///
    /// let mut graph = Graph::new("stubborn");
    /// let (count, stall) = (graph.add("count", count), graph.add("stall", stall));
    /// graph.link(count.outbox, stall.inbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// let has_drained = scheduler.run(graph)?.stop_within(Duration::from_millis(10))?;
    /// assert!(!has_drained);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_within(self, deadline: Duration) -> Result<bool, Fault> {
        self.stop();
        match self.outcome.recv_timeout(deadline) {
            Ok(outcome) => outcome.map(|()| true),
            Err(flume::RecvTimeoutError::Disconnected) => Ok(true),
            Err(flume::RecvTimeoutError::Timeout) => {
                self.abort.set();
                self.wait().map(|()| false)
            }
        }
    }
}
