//! Simulation: a graph runs on one thread, in virtual time. Events that could happen in several
//! orders happen in an order drawn from a seed. The same seed produces the same run.
//!
//! ```text
//!   seed ──▶ order of flows and of components in a flow, budgets, times of jobs      (the kernel)
//!       └──▶ kamea::random ──▶ what components draw, the simulated world among them  (the components)
//! ```

mod alarm;
mod error;
mod seeds;
#[cfg(test)]
mod tests;
mod trace;
mod world;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::thread;
use std::time::{Duration, SystemTime};

pub use error::SimulationError;
pub use seeds::{FailedSeed, Seeds};

pub(crate) use alarm::Alarm;
pub(crate) use world::{RollCall, is_on, now};

use crate::graph::Graph;
use crate::random::Chance;
use crate::scheduler::{Placement, Worker};
use crate::supervision::Fault;
use trace::Trace;
use world::World;

/// Runs a graph in a simulated world: on one thread, in virtual time, in an order drawn from a
/// seed.
///
/// An hour of waiting takes no real time. [`spawn`](crate::spawn), [`Flows`](crate::Flows) and
/// [`Workers`](crate::Workers) work as usual, with any number of simulated workers. Jobs of
/// [`unblock`](crate::unblock) and [`compute`](crate::compute) run one after another, and their
/// ends are seen after a delay drawn from the seed. A [`blocking`](crate::blocking) component
/// cannot be simulated, and neither can sockets and processes of the system: use simulated ones
/// instead.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Done, Graph, Pipe, Simulation, time};
///
/// /// Thinks for up to an hour about each number.
/// async fn ponder(io: &mut Pipe<u64, u64>) -> Done {
///     while let Some(number) = io.inbox.next().await {
///         time::sleep(kamea::random::duration(Duration::from_secs(3600))).await;
///         io.outbox.send(2 * number).await?;
///     }
///     Ok(())
/// }
///
/// let run = |seed| {
///     let mut graph = Graph::new("pondering");
///     let ponder = graph.add("ponder", ponder);
///     let (numbers, mut doubled) = (graph.feed(ponder.inbox), graph.take(ponder.outbox));
///     Simulation::seed(seed)
///         .beside("asker", async move || {
///             for number in 0..10 {
///                 numbers.send(number).await.unwrap();
///             }
///         })
///         .beside("listener", async move || {
///             for number in 0..10 {
///                 assert_eq!(doubled.next().await, Some(2 * number));
///             }
///         })
///         .run(graph)
/// };
/// let report = run(4711)?;
/// assert!(report.elapsed() > Duration::from_secs(3600));
/// assert_eq!(report.fingerprint(), run(4711)?.fingerprint());
/// assert_ne!(report.fingerprint(), run(4712)?.fingerprint());
/// # Ok::<(), kamea::SimulationError>(())
/// ```
#[must_use = "nothing happens before it runs"]
pub struct Simulation {
    seed: u64,
    limits: Limits,
    stop_after: Option<Duration>,
    beside: Vec<(String, Beside)>,
    is_traced: bool,
    /// Whether to print the trace.
    is_replay: bool,
}

/// Makes the future of a task beside the graph, on the thread where it will run.
type Beside = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// What a simulation may use.
#[derive(Debug, Clone, Copy)]
struct Limits {
    workers: usize,
    time: Duration,
    polls: u64,
}

impl Simulation {
    /// Makes a simulation of two workers.
    pub fn seed(seed: u64) -> Self {
        Self {
            seed,
            limits: Limits {
                workers: 2,
                time: Duration::from_secs(24 * 3600),
                polls: 10_000_000,
            },
            stop_after: None,
            beside: Vec::new(),
            is_traced: false,
            is_replay: false,
        }
    }

    /// Simulates this many workers.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn workers(mut self, count: usize) -> Self {
        assert!(count > 0, "a simulation has at least one worker");
        self.limits.workers = count;
        self
    }

    /// Fails when this much virtual time has passed and the graph has not ended. The default is a
    /// day.
    pub fn time_out(mut self, after: Duration) -> Self {
        self.limits.time = after;
        self
    }

    /// Fails after this many polls, because a component seems to spin. The default is ten million.
    pub fn polls(mut self, most: u64) -> Self {
        self.limits.polls = most;
        self
    }

    /// Stops all graphs gracefully, as [`Scheduler::stop`](crate::Scheduler::stop) does, after this
    /// much virtual time.
    pub fn stop_after(mut self, time: Duration) -> Self {
        self.stop_after = Some(time);
        self
    }

    /// Runs a task beside the graph: one that feeds the graph and takes its results, a client, a
    /// check. It counts as running on the first worker. If it panics, the simulation fails.
    pub fn beside(mut self, name: &str, future: impl AsyncFnOnce() + Send + 'static) -> Self {
        let start: Beside = Box::new(move || Box::pin(async move { future().await }));
        self.beside.push((name.to_owned(), start));
        self
    }

    /// Records a line for each poll: [`Report::trace`].
    pub fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// Runs a graph, all that it spawns, and all tasks [beside](Self::beside) it, until everything
    /// has ended.
    ///
    /// It runs on a thread of its own, so that no thread-local state of a component survives from
    /// one simulation to the next.
    ///
    /// # Errors
    ///
    /// [`SimulationError`] describes the failure: a mistake in the graph, a fault that stopped it,
    /// or something that waits for ever.
    pub fn run(self, graph: Graph) -> Result<Report, SimulationError> {
        let name = format!("simulation {}", self.seed);
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, || self.run_here(graph));
            let outcome = thread.expect("the system lets a thread start").join();
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn run_here(self, graph: Graph) -> Result<Report, SimulationError> {
        Chance::of_seed(!self.seed).enter();
        let trace = Trace::new(self.is_traced || self.is_replay);
        let world = World::new(self.seed, self.limits, trace);
        let entered = world.enter();
        let workers = Worker::simulate(self.limits.workers, |worker, service| {
            let index = worker.index();
            world.add_worker(worker);
            world.add_task("worker", Some(index), true, service);
        });
        let running = workers.run(Placement::Any, graph)?;
        for (name, start) in self.beside {
            world.add_task(&name, Some(0), false, start());
        }
        if let Some(time) = self.stop_after {
            let workers = workers.clone();
            world.add_task("stop", Some(0), true, async move {
                crate::time::sleep(time).await;
                workers.stop_graphs();
            });
        }
        let outcome = world.run();
        let elapsed = world.elapsed();
        drop(entered);
        let trace = world.trace.take();
        let report = Report {
            elapsed,
            polls: trace.polls,
            fingerprint: trace.fingerprint(),
            trace: trace.into_text(),
            faults: world.take_faults(),
            rings: world.take_rings(),
            dropped: workers.dropped(),
        };
        if self.is_replay {
            eprintln!("{}", report.trace.as_deref().unwrap_or_default());
        }
        outcome?;
        running.try_outcome().map_err(SimulationError::of)?;
        Ok(report)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The report of a simulation that has ended.
#[derive(Debug)]
pub struct Report {
    elapsed: Duration,
    polls: u64,
    fingerprint: u64,
    trace: Option<String>,
    faults: Vec<Fault>,
    rings: Vec<String>,
    dropped: u64,
}

impl Report {
    /// Returns how much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the number of polls, of components and of the tasks that hold them.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Returns a hash of what was polled, and when. Two equal runs have the same hash.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Returns a line for each poll: seconds, worker, graph and component. Returns `None` without
    /// [`Simulation::traced`].
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Returns how many messages components had to drop because of the stop: see
    /// [`note_dropped`](crate::note_dropped).
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns the faults that stopped spawned graphs, and would have been logged.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns the components that waited for each other, a line for each ring: see
    /// [`RingCensus`](crate::RingCensus). A run that ends can have one only if something dropped
    /// their graph.
    pub fn rings(&self) -> &[String] {
        &self.rings
    }
}

/// The calendar time of the simulation on this thread, if there is one.
#[inline]
pub(crate) fn wall_clock() -> Option<SystemTime> {
    world::with(World::wall_clock)
}

/// A number below `limit`, drawn from the seed.
pub(crate) fn draw(limit: usize) -> usize {
    world::with(|world| world.draw(limit)).unwrap_or_default()
}

/// How many components a flow may poll now. All of them, if the waiting components are being named.
#[inline]
pub(crate) fn draw_budget() -> Option<usize> {
    world::with(|world| {
        if world.is_roll_call() {
            usize::MAX
        } else {
            world.draw_budget()
        }
    })
}

/// Whether to poll a component that has no work now.
#[inline]
pub(crate) fn draws_spurious() -> bool {
    world::with(World::draws_spurious).unwrap_or_default()
}

/// Whether a poll asks the waiting components for their names.
#[inline]
pub(crate) fn is_roll_call() -> bool {
    world::with(World::is_roll_call).unwrap_or_default()
}

/// The progress of asking the waiting components for their names.
pub(crate) fn roll_call() -> RollCall {
    world::with(World::roll_call).unwrap_or_default()
}

/// Adds a waiting component, and what it waits for, to the answers.
pub(crate) fn answer(who: String) {
    world::with(|world| world.answer(who));
}

/// Adds the poll of a component to the trace.
pub(crate) fn note(graph: &str, component: &str) {
    world::with(|world| world.note(graph, component));
}

/// Runs a future as a task of this worker.
pub(crate) fn spawn(name: &str, future: impl Future<Output = ()> + 'static) {
    world::with(|world| world.spawn(name, future));
}

/// Runs a job of the pool, after a delay.
pub(crate) fn run_job(job: Box<dyn FnOnce() + Send>) {
    world::with(|world| {
        let time = world.draw_job_time();
        world.add_task("job", None, false, async move {
            crate::time::sleep(time).await;
            job();
        });
    });
}

/// The cores that jobs compute on, if this thread simulates.
pub(crate) fn cores() -> Option<std::sync::Arc<tokio::sync::Semaphore>> {
    world::with(|world| world.cores.clone())
}

/// Records a fault that stopped a graph that nobody watches.
pub(crate) fn add_fault(fault: Fault) {
    world::with(|world| world.add_fault(fault));
}

/// Records components that wait for each other for ever.
pub(crate) fn add_ring(ring: String) {
    world::with(|world| world.add_ring(ring));
}

/// Fails the simulation because of a component that has a thread of its own.
pub(crate) fn refuse_thread(component: &str) {
    let component = component.to_owned();
    world::with(|world| world.fail(SimulationError::OwnThread { component }));
}

/// Call it before this thread would block: in a simulation nothing else could end the wait.
///
/// # Panics
///
/// If the thread runs a simulation.
#[track_caller]
pub(crate) fn refuse_to_block(call: &str) {
    assert!(
        !is_on(),
        "`{call}` would block the only thread of a simulation: use its async counterpart"
    );
}
