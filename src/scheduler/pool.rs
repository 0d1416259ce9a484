//! The workers of a scheduler, and the placement of graphs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::jobs::{Job, Jobs, Queue, jobs};
use super::listing::Listing;
use super::stop::{self, Stop};
use super::worker;
use super::{BlockedWorker, RunError, Running};
use crate::census::{At, Registry};
use crate::flow::Flow;
use crate::graph::{Graph, GraphError};
use crate::supervision::Cause;
use crate::time::now;

/// Where to run a graph.
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
    /// On the current worker. If the current thread is not a worker: on any.
    Here,
    /// On this worker, counted from 0, modulo the number of workers.
    Worker(usize),
    /// On any worker: they take turns.
    Any,
}

/// The workers of a scheduler: a handle that can be cloned and kept anywhere.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    jobs: Box<[Jobs]>,
    next: AtomicUsize,
    graphs: Arc<Listing>,
    /// Whether the workers have been closed.
    is_finishing: Mutex<bool>,
    /// What each worker is doing.
    at: Box<[Arc<At>]>,
    began: Instant,
    /// How many messages components had to drop while their graphs were being stopped.
    dropped: AtomicU64,
}

impl Workers {
    /// Makes this many workers, and the job queue of each.
    pub(super) fn new(count: usize) -> (Self, Vec<Queue>) {
        let (jobs, queues): (Vec<_>, _) = (0..count).map(|_| jobs()).unzip();
        let pool = Pool {
            jobs: jobs.into(),
            next: AtomicUsize::new(0),
            graphs: Arc::default(),
            is_finishing: Mutex::new(false),
            at: (0..count).map(|_| Arc::default()).collect(),
            began: now(),
            dropped: AtomicU64::new(0),
        };
        (Self(Arc::new(pool)), queues)
    }

    /// Returns the number of workers.
    pub fn count(&self) -> usize {
        self.0.jobs.len()
    }

    /// Runs a graph.
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake in the graph, or says that the scheduler has been
    /// stopped. Nothing has run.
    pub fn run(&self, placement: Placement, graph: Graph) -> Result<Running, GraphError> {
        let checked = graph.check()?;
        let name = checked.name();
        let is_finishing = self.0.is_finishing();
        if *is_finishing || self.0.jobs.iter().all(Jobs::is_closed) {
            return Err(GraphError::Stopped { graph: name });
        }
        let (ended, outcome) = flume::bounded(1);
        let (stop, abort) = (Arc::new(self.0.graphs.stop()), Arc::new(Stop::default()));
        let listed = self.0.graphs.add(stop.clone());
        let running = Running {
            graph: name.clone(),
            outcome,
            stop: stop.clone(),
            abort: abort.clone(),
            workers: self.clone(),
        };
        self.submit(placement, move || {
            match catch_unwind(AssertUnwindSafe(|| checked.start())) {
                Ok(flow) => worker::launch(flow, stop, abort, ended, listed),
                Err(payload) => {
                    let cause = Cause::panic(payload);
                    worker::report(&ended, Err(RunError::Start { graph: name, cause }));
                }
            }
        });
        Ok(running)
    }

    /// Spawns a flow on a chosen worker. `start` makes it there.
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
        self.0.jobs[index % self.count()].send(Job::Run(Box::new(job)));
    }

    /// Runs a job for a component. If the workers are closed, it runs here, because the component
    /// may have to finish what was accepted.
    pub(super) fn submit_for_component(
        &self,
        placement: Placement,
        job: impl FnOnce() + Send + 'static,
    ) {
        let is_finishing = self.0.is_finishing();
        if placement == Placement::Here || *is_finishing {
            drop(is_finishing);
            job();
        } else {
            self.submit(placement, job);
        }
    }

    /// Makes each worker inspect what it runs, at its next opportunity. `look` gets the number of
    /// the worker.
    pub(crate) fn look(&self, look: impl Fn(usize, &Registry) + Clone + Send + 'static) {
        for (index, jobs) in self.0.jobs.iter().enumerate() {
            let look = look.clone();
            jobs.send(Job::Look(Box::new(move |registry| look(index, registry))));
        }
    }

    /// Returns the first worker that does not answer, and the component that it polls.
    pub(super) fn blocked(&self, patience: Duration) -> Option<BlockedWorker> {
        let census = self.census_blocking(patience);
        let silent = census.workers.iter().find(|worker| !worker.answers)?;
        Some(BlockedWorker {
            worker: silent.index,
            component: self.at(silent.index).whereabouts(),
        })
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

    /// Closes the workers: they accept nothing more, and end when everything that runs has ended.
    pub(super) fn finish(&self) {
        // No job of a component comes after the last one: it would not run.
        let mut is_finishing = self.0.is_finishing();
        *is_finishing = true;
        for jobs in &self.0.jobs {
            jobs.send(Job::Finish);
        }
    }

    pub(super) fn note_dropped(&self, messages: u64) {
        self.0.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Returns how many messages components had to drop while their graphs were being stopped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Stops every graph gracefully.
    pub(crate) fn stop_graphs(&self) {
        self.0.graphs.stop_all();
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
}
