//! The workers of a scheduler, and where a graph is to run.

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
    jobs: Box<[Jobs]>,
    next: AtomicUsize,
    graphs: Arc<Listing>,
    /// Whether the workers have been told to take nothing more.
    is_finishing: Mutex<bool>,
    /// What each worker is at.
    at: Box<[Arc<At>]>,
    began: Instant,
    /// How many messages components have had to drop while their graphs were being stopped.
    dropped: AtomicU64,
}

impl Workers {
    /// So many workers, and what each of them is to do.
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

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.jobs.len()
    }

    /// Runs a graph.
    ///
    /// # Errors
    ///
    /// [`GraphError`] names the mistake in the graph, or says that the scheduler has been stopped; nothing has run.
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
        self.0.jobs[index % self.count()].send(Job::Run(Box::new(job)));
    }

    /// Does something for a component: here, if the workers take nothing more, because the component may have to finish what
    /// was accepted.
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

    /// Has each worker look at what it runs, when it comes to it; `look` gets its number.
    pub(crate) fn look(&self, look: impl Fn(usize, &Registry) + Clone + Send + 'static) {
        for (index, jobs) in self.0.jobs.iter().enumerate() {
            let look = look.clone();
            jobs.send(Job::Look(Box::new(move |registry| look(index, registry))));
        }
    }

    /// The first worker that does not answer, and the component that it is at.
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

    /// Has the workers take nothing more, and end when all that runs has ended.
    pub(super) fn finish(&self) {
        // No job of a component comes after the last: it would not be done.
        let mut is_finishing = self.0.is_finishing();
        *is_finishing = true;
        for jobs in &self.0.jobs {
            jobs.send(Job::Finish);
        }
    }

    pub(super) fn note_dropped(&self, messages: u64) {
        self.0.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// How many messages components have had to drop while their graphs were being stopped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Has every graph come to its end.
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
