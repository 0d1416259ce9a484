//! A worker: a thread that runs flows. The driver (sockets, timers) is a tokio runtime of its own.
//! Each flow is one task.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};

use super::driven::Driven;
use super::flows::{Counted, Flows};
use super::jobs::{Job, Queue};
use super::listing::Listed;
use super::stop::{self, Stop};
use super::{Placement, RunError, Workers};
use crate::census::Registry;
use crate::flow::Flow;
use crate::simulation;
use crate::supervision::{Fault, caught};

/// The state of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    index: usize,
    workers: Workers,
    /// All that it runs.
    flows: Flows,
    registry: Rc<Registry>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

impl Worker {
    /// Makes workers without threads of their own. Passes each, and the future that serves it, to
    /// `run`.
    pub(crate) fn simulate(
        count: usize,
        mut run: impl FnMut(Self, Pin<Box<dyn Future<Output = ()>>>),
    ) -> Workers {
        let (workers, queues) = Workers::new(count);
        for (index, queue) in queues.into_iter().enumerate() {
            let worker = Self::new(index, workers.clone());
            let (flows, registry) = (worker.flows.clone(), worker.registry.clone());
            let serve = async move { serve(&queue, flows, &registry).await };
            run(worker, Box::pin(serve));
        }
        workers
    }

    fn new(index: usize, workers: Workers) -> Self {
        let registry = Registry::new(workers.at(index).clone());
        Self {
            index,
            workers,
            flows: Flows::new(),
            registry,
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Makes `worker` the one that runs on this thread. Returns the previous one.
    pub(crate) fn enter(worker: Option<Self>) -> Option<Self> {
        WORKER.replace(worker)
    }
}

/// Serves a queue. `running` is dropped when the rest is dropped.
pub(super) fn run(
    index: usize,
    queue: &Queue,
    workers: Workers,
    abort: &Stop,
    running: flume::Sender<()>,
) {
    let worker = Worker::new(index, workers);
    let (flows, registry) = (worker.flows.clone(), worker.registry.clone());
    Worker::enter(Some(worker));
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return log::error!("worker {index} has no event queue: {error}"),
    };
    let tasks = LocalSet::new();
    tasks.block_on(
        &runtime,
        first_of(serve(queue, flows, &registry), abort.wait()),
    );
    drop(running);
    // What is left is dropped here, on the thread where it ran.
    drop(tasks);
    Worker::enter(None);
}

async fn serve(queue: &Queue, flows: Flows, registry: &Registry) {
    first_of(
        serve_jobs(queue, flows, registry),
        registry.watch_for_rings(),
    )
    .await;
}

async fn serve_jobs(queue: &Queue, flows: Flows, registry: &Registry) {
    loop {
        match queue.next().await {
            Job::Run(job) => run_job(job),
            Job::Look(look) => look(registry),
            Job::Finish => break,
        }
    }
    let looks = async {
        loop {
            if let Job::Look(look) = queue.next().await {
                look(registry);
            }
        }
    };
    first_of(flows.finished(), looks).await;
}

/// The code that starts a flow may run the user's code.
fn run_job(job: Box<dyn FnOnce() + Send>) {
    if let Err(cause) = caught(job) {
        log::error!("a graph could not be started: it {cause}");
    }
}

async fn first_of(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => b.as_mut().poll(cx),
    })
    .await;
}

/// The number of the current worker, if this thread is one.
pub(crate) fn current() -> Option<usize> {
    WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.index))
}

/// Call it before this thread would block: on a worker nothing else would run meanwhile, and in a
/// simulation nothing else could end the wait. `instead` is the function to use there.
///
/// # Panics
///
/// On a worker, and in a simulation.
#[track_caller]
pub(crate) fn refuse_to_block(call: &str, instead: &str) {
    simulation::refuse_to_block(call);
    if let Some(worker) = current() {
        panic!(
            "`{call}` would block worker {worker} and all that runs there: use {instead}, or a `blocking` component"
        );
    }
}

/// What the current worker runs, if this thread is one.
pub(crate) fn current_registry() -> Option<Rc<Registry>> {
    WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.registry.clone()))
}

/// Counts messages that a component of this worker had to drop.
pub(super) fn note_dropped(messages: u64) {
    WORKER.with_borrow(|worker| {
        if let Some(worker) = worker {
            worker.workers.note_dropped(messages);
        }
    });
}

/// Returns the workers of the scheduler that runs this component.
///
/// # Panics
///
/// Outside of a worker.
pub fn workers() -> Workers {
    with_worker(|worker| worker.workers.clone())
}

fn with_worker<T>(then: impl FnOnce(&Worker) -> T) -> T {
    WORKER.with_borrow(|worker| then(worker.as_ref().expect("called outside of a worker")))
}

/// Spawns a flow on this worker, as a task of its own. A fault that stops it is logged.
///
/// # Panics
///
/// Outside of a worker.
pub fn spawn(flow: Flow) {
    adopt(flow, stop::current());
}

/// Spawns a flow that belongs to the group behind `counted`.
pub(super) fn spawn_counted(flow: Flow, counted: Counted) {
    let running = with_worker(|worker| worker.flows.enter());
    spawn_task(Task {
        flow: Driven::new(flow, stop::current()),
        _counted: [Some(running), Some(counted)],
    });
}

pub(super) fn adopt(flow: Flow, stop: Option<Arc<Stop>>) {
    let running = with_worker(|worker| worker.flows.enter());
    spawn_task(Task {
        flow: Driven::new(flow, stop),
        _counted: [Some(running), None],
    });
}

/// Spawns the flow of a graph that has a handle, and that can be stopped from outside.
pub(super) fn launch(
    flow: Flow,
    stop: Arc<Stop>,
    abort: Arc<Stop>,
    ended: flume::Sender<Result<(), RunError>>,
    listed: Listed,
) {
    let graph = flow.name().clone();
    let running = with_worker(|worker| worker.flows.enter());
    let mut flow = Driven::new(flow, Some(stop.clone()));
    spawn_task(async move {
        let _running = running;
        let outcome = {
            let (mut wish, mut late) = (pin!(stop.wait()), pin!(abort.wait()));
            let mut others_ended = pin!(listed.others_ended());
            poll_fn(|cx| {
                if !flow.is_stopping() && wish.as_mut().poll(cx).is_ready() {
                    flow.begin_stop(!stop.is_for_all());
                }
                if flow.is_stopping() && late.as_mut().poll(cx).is_ready() {
                    let graph = graph.clone();
                    return Poll::Ready(Err(RunError::CutOff { graph }));
                }
                flow.poll(cx, |cx| others_ended.as_mut().poll(cx).is_ready())
                    .map_err(RunError::Fault)
            })
            .await
        };
        drop((flow, listed));
        report(&ended, outcome);
    });
}

/// Reports the end of a graph. If nothing waits for that, a fault or a failed start is logged.
pub(super) fn report(ended: &flume::Sender<Result<(), RunError>>, outcome: Result<(), RunError>) {
    match ended.send(outcome).map_err(flume::SendError::into_inner) {
        Err(Err(RunError::Fault(fault))) => log_fault(Err(fault)),
        Err(Err(error @ RunError::Start { .. })) => log::error!("{error}"),
        _ => {}
    }
}

fn spawn_task(task: impl Future<Output = ()> + 'static) {
    if simulation::is_on() {
        simulation::spawn("flow", task);
    } else {
        spawn_local(task);
    }
}

/// Spawns a future that a component runs beside itself. If this thread is a worker, it does not end
/// before that future.
pub(super) fn spawn_child(task: impl Future<Output = ()> + 'static) {
    let running = WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.flows.enter()));
    spawn_task(async move {
        let _running = running;
        task.await;
    });
}

/// Runs a job on a worker. If this thread is not a worker, the job runs here.
pub(super) fn submit(placement: Placement, job: impl FnOnce() + Send + 'static) {
    let workers = WORKER.with_borrow(|worker| worker.as_ref().map(|worker| worker.workers.clone()));
    match workers {
        Some(workers) => workers.submit_for_component(placement, job),
        None => job(),
    }
}

fn log_fault(outcome: Result<(), Fault>) {
    if let Err(fault) = outcome {
        fault.log();
        let _ = caught(|| simulation::add_fault(fault));
    }
}

/// A flow as a task. It knows its stop request, and counts as running until it is dropped.
struct Task {
    flow: Driven,
    _counted: [Option<Counted>; 2],
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.flow.poll(cx, |_| false).map(log_fault)
    }
}
