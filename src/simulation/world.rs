//! Replaces the outside world while a simulation runs: one thread, a clock that moves only on
//! command, and a generator that draws what happens next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use super::trace::Trace;
use super::{Limits, SimulationError};
use crate::scheduler::Worker;
use crate::supervision::Fault;

/// The start time of every simulation: 1 January 2026, 00:00 UTC, in seconds since the epoch.
const FIRST_SECOND: u64 = 1_767_225_600;

/// The longest duration of a poll, in nanoseconds. Time also passes for tasks that never wait.
const LONGEST_POLL: u64 = 2_000;

/// The longest delay until the end of a job on the pool of threads is seen.
const LONGEST_JOB: Duration = Duration::from_millis(10);

/// How many alarms fire in one poll of a task before it has to wait for the next poll.
const RUNG: u32 = 128;

thread_local! {
    /// The present moment, if this thread is simulating.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// The present moment of the simulation that this thread runs, if it does.
#[inline]
pub(crate) fn now() -> Option<Instant> {
    NOW.get()
}

/// Whether this thread runs a simulation.
#[inline]
pub(crate) fn is_on() -> bool {
    now().is_some()
}

/// Passes the world of this thread's simulation to a function, if there is one.
#[inline]
pub(super) fn with<T>(then: impl FnOnce(&World) -> T) -> Option<T> {
    if is_on() { with_world(then) } else { None }
}

#[cold]
fn with_world<T>(then: impl FnOnce(&World) -> T) -> Option<T> {
    // Cloned, because the function may drop components, which look for the world themselves.
    let world = WORLD.with_borrow(Clone::clone)?;
    Some(then(&world))
}

/// The world of one simulation.
pub(super) struct World {
    began: Instant,
    limits: Limits,
    /// Draws the order of events. Random numbers of components come from another generator, so that
    /// a change in a component leaves the order unchanged.
    generator: RefCell<Rng>,
    /// Whether tasks without work are polled at times.
    is_spurious: bool,
    /// The most components that a flow polls before others get their turn.
    largest_budget: usize,
    tasks: RefCell<Vec<Option<Task>>>,
    /// The number of tasks, without those that only serve others.
    working: Cell<usize>,
    /// The tasks that have work.
    ready: Arc<Ready>,
    alarms: RefCell<BTreeMap<AlarmKey, Waker>>,
    next_alarm: Cell<u64>,
    workers: RefCell<Vec<Worker>>,
    pub(super) cores: Arc<tokio::sync::Semaphore>,
    pub(super) trace: RefCell<Trace>,
    faults: RefCell<Vec<Fault>>,
    rings: RefCell<Vec<String>>,
    /// The failure that ends the simulation.
    failure: RefCell<Option<SimulationError>>,
    /// Whether the waiting tasks are being asked for their names.
    is_roll_call: Cell<bool>,
    waiting: RefCell<Vec<String>>,
    /// How often an alarm was set.
    alarms_set: Cell<u64>,
    /// How many alarms have fired at once in the present poll of a task.
    rung: Cell<u32>,
}

/// A future that the simulation polls.
struct Task {
    name: Rc<str>,
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
    /// The number of its worker. Jobs of the pool have no worker.
    worker: Option<usize>,
    /// Whether it only serves others: the simulation does not wait for its end.
    serves: bool,
}

#[derive(Default)]
struct Ready(Mutex<Vec<usize>>);

impl Ready {
    fn with<T>(&self, then: impl FnOnce(&mut Vec<usize>) -> T) -> T {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn insert(&self, task: usize) {
        self.with(|ready| {
            if !ready.contains(&task) {
                ready.push(task);
            }
        });
    }
}

struct TaskWaker {
    task: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.insert(self.task);
    }
}

/// When an alarm fires, and a number that distinguishes it from others.
pub(super) type AlarmKey = (Instant, u64);

impl World {
    pub(super) fn new(seed: u64, limits: Limits, trace: Trace) -> Rc<Self> {
        let mut generator = Rng::with_seed(seed);
        Rc::new(Self {
            began: Instant::now(),
            limits,
            // A missing wake-up is not noticed if everything is polled anyway, so most seeds do not
            // do that.
            is_spurious: generator.u8(..4) == 0,
            largest_budget: [1, 4, 16, 256][generator.usize(..4)],
            generator: RefCell::new(generator),
            tasks: RefCell::default(),
            working: Cell::new(0),
            ready: Arc::default(),
            alarms: RefCell::default(),
            next_alarm: Cell::new(0),
            workers: RefCell::default(),
            cores: Arc::new(tokio::sync::Semaphore::new(limits.workers)),
            trace: RefCell::new(trace),
            faults: RefCell::default(),
            rings: RefCell::default(),
            failure: RefCell::default(),
            is_roll_call: Cell::new(false),
            waiting: RefCell::default(),
            alarms_set: Cell::new(0),
            rung: Cell::new(0),
        })
    }

    /// Makes this the world of the thread, until the result is dropped.
    pub(super) fn enter(self: &Rc<Self>) -> Entered {
        NOW.set(Some(self.began));
        WORLD.set(Some(self.clone()));
        Entered(())
    }

    pub(super) fn elapsed(&self) -> Duration {
        now().map_or(Duration::ZERO, |now| now - self.began)
    }

    pub(super) fn wall_clock(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(FIRST_SECOND) + self.elapsed()
    }

    /// Returns a number below `limit`.
    pub(super) fn draw(&self, limit: usize) -> usize {
        self.generator.borrow_mut().usize(..limit)
    }

    pub(super) fn draw_budget(&self) -> usize {
        1 + self.draw(self.largest_budget)
    }

    pub(super) fn draws_spurious(&self) -> bool {
        self.is_spurious && self.draw(8) == 0
    }

    pub(super) fn draw_job_time(&self) -> Duration {
        LONGEST_JOB.mul_f64(self.generator.borrow_mut().f64())
    }

    pub(super) fn add_worker(&self, worker: Worker) {
        self.workers.borrow_mut().push(worker);
    }

    /// Runs a future as a task of the present worker.
    pub(super) fn spawn(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        self.add_task(name, crate::scheduler::current_worker(), false, future);
    }

    pub(super) fn add_task(
        &self,
        name: &str,
        worker: Option<usize>,
        serves: bool,
        future: impl Future<Output = ()> + 'static,
    ) {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.len();
        let waker = TaskWaker {
            task,
            ready: self.ready.clone(),
        };
        tasks.push(Some(Task {
            name: name.into(),
            future: Box::pin(future),
            waker: Arc::new(waker),
            worker,
            serves,
        }));
        self.working.set(self.working.get() + usize::from(!serves));
        self.ready.insert(task);
    }

    /// Polls tasks until only those that serve others are left.
    pub(super) fn run(&self) -> Result<(), SimulationError> {
        let mut polls = 0_u64;
        loop {
            self.ring_alarms();
            let Some(task) = self.draw_task() else {
                if self.working.get() == 0 {
                    return Ok(());
                }
                let next = self.alarms.borrow().keys().next().copied();
                let Some((moment, _)) = next else {
                    return Err(SimulationError::Stalled {
                        waiting: self.call_roll(),
                        rings: self.take_rings(),
                    });
                };
                NOW.set(Some(moment));
                continue;
            };
            self.poll(task);
            let passed = self.generator.borrow_mut().u64(1..=LONGEST_POLL);
            NOW.set(now().map(|now| now + Duration::from_nanos(passed)));
            polls += 1;
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if self.elapsed() > self.limits.time {
                return Err(SimulationError::TimedOut {
                    after: self.limits.time,
                    waiting: self.call_roll(),
                    rings: self.take_rings(),
                });
            }
            if polls == self.limits.polls {
                return Err(SimulationError::Spinning { polls });
            }
        }
    }

    fn draw_task(&self) -> Option<usize> {
        self.ready.with(|ready| {
            if ready.is_empty() {
                return None;
            }
            let any = self.draw(self.tasks.borrow().len());
            if self.draws_spurious() {
                return Some(any);
            }
            Some(ready.swap_remove(self.draw(ready.len())))
        })
    }

    fn poll(&self, index: usize) {
        let Some(mut task) = self.tasks.borrow_mut()[index].take() else {
            return;
        };
        let worker = task
            .worker
            .map(|worker| self.workers.borrow()[worker].clone());
        let before = Worker::enter(worker);
        self.note(&task.name, "");
        self.rung.set(0);
        let waker = Waker::from(task.waker.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            task.future.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        match outcome {
            Ok(Poll::Pending) => self.tasks.borrow_mut()[index] = Some(task),
            ended => {
                if let Err(payload) = ended {
                    self.fail(SimulationError::panicked(&task.name, payload));
                }
                self.working
                    .set(self.working.get() - usize::from(!task.serves));
                drop(task);
            }
        }
        Worker::enter(before);
    }

    /// Drops all that is left, in a fixed order.
    pub(super) fn clear(&self) {
        for index in 0.. {
            // Dropping a task may spawn another.
            let task = match self.tasks.borrow_mut().get_mut(index) {
                Some(task) => task.take(),
                None => break,
            };
            drop(task);
        }
        self.workers.borrow_mut().clear();
    }

    fn ring_alarms(&self) {
        let now = now();
        loop {
            let mut alarms = self.alarms.borrow_mut();
            let Some(first) = alarms.first_entry() else {
                return;
            };
            if Some(first.key().0) > now {
                return;
            }
            let waker = first.remove();
            drop(alarms);
            waker.wake();
        }
    }

    /// Returns a unique number for an alarm.
    pub(super) fn number_alarm(&self) -> u64 {
        self.next_alarm.replace(self.next_alarm.get() + 1)
    }

    /// Whether an alarm whose moment has come may fire in the same poll. Like tokio's timers it
    /// must wait for the next poll now and then, so that a loop of sleeps with duration zero does
    /// not starve everything else.
    pub(super) fn may_ring(&self) -> bool {
        self.rung.set(self.rung.get() + 1);
        self.rung.get() < RUNG
    }

    pub(super) fn set_alarm(&self, key: AlarmKey, waker: &Waker) {
        self.alarms_set.set(self.alarms_set.get() + 1);
        let known = self.alarms.borrow_mut().insert(key, waker.clone());
        drop(known);
    }

    pub(super) fn remove_alarm(&self, key: AlarmKey) {
        let known = self.alarms.borrow_mut().remove(&key);
        drop(known);
    }

    /// Adds to the trace that a component is being polled, or a task if `component` is empty.
    pub(super) fn note(&self, graph: &str, component: &str) {
        let worker = crate::scheduler::current_worker();
        let mut trace = self.trace.borrow_mut();
        trace.note(self.elapsed(), worker, graph, component);
    }

    /// Returns the names of the waiting components. Polls them once more to find out.
    fn call_roll(&self) -> Vec<String> {
        self.is_roll_call.set(true);
        let count = self.tasks.borrow().len();
        for index in 0..count {
            let name = match &self.tasks.borrow()[index] {
                Some(task) if !task.serves => task.name.clone(),
                _ => continue,
            };
            let before = self.roll_call();
            self.poll(index);
            let now = self.roll_call();
            if now.answers == before.answers && self.tasks.borrow()[index].is_some() {
                let waits = if now.alarms > before.alarms {
                    "a timer"
                } else {
                    "something that is no timer"
                };
                self.answer(format!("{name} (waits for {waits})"));
            }
        }
        self.is_roll_call.set(false);
        self.waiting.take()
    }

    /// The progress of asking for names.
    pub(super) fn roll_call(&self) -> RollCall {
        RollCall {
            answers: self.waiting.borrow().len(),
            alarms: self.alarms_set.get(),
        }
    }

    /// Adds a waiting component, and what it waits for.
    pub(super) fn answer(&self, who: String) {
        self.waiting.borrow_mut().push(who);
    }

    pub(super) fn is_roll_call(&self) -> bool {
        self.is_roll_call.get()
    }

    /// Ends the simulation with this failure, unless it has failed already.
    pub(super) fn fail(&self, failure: SimulationError) {
        self.failure.borrow_mut().get_or_insert(failure);
    }

    pub(super) fn add_fault(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Adds components that wait for each other for ever.
    pub(super) fn add_ring(&self, ring: String) {
        self.rings.borrow_mut().push(ring);
    }

    pub(super) fn take_rings(&self) -> Vec<String> {
        self.rings.take()
    }

    pub(super) fn take_faults(&self) -> Vec<Fault> {
        self.faults.take()
    }
}

/// The progress of asking the waiting tasks for their names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RollCall {
    answers: usize,
    alarms: u64,
}

impl RollCall {
    /// What a component waits for that was polled meanwhile, if it does not wait at its links.
    pub(crate) fn since(self, before: Self) -> &'static str {
        if self.answers > before.answers {
            "a graph inside of it"
        } else if self.alarms > before.alarms {
            "a timer"
        } else {
            "something that is no link and no timer"
        }
    }
}

/// Marks a world as that of this thread, for as long as it lives.
pub(super) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(world) = WORLD.with_borrow(Clone::clone) {
            world.clear();
        }
        WORLD.set(None);
        NOW.set(None);
    }
}
