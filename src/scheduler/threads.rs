//! The threads of the workers: how they are started, and how they are ended whatever their
//! components do.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::jobs::Queue;
use super::outcome::BlockedWorker;
use super::stop::Stop;
use super::{WorkerOptions, Workers, worker};
use crate::flow::stack;

/// How long a worker may take to notice that it must drop what it runs. If it takes longer, a
/// component blocks it.
const NOTICE: Duration = Duration::from_millis(500);

/// How long the drop itself may take.
const DROP: Duration = Duration::from_secs(10);

/// The threads of a scheduler.
#[derive(Debug)]
pub(super) struct Threads {
    threads: Vec<Thread>,
    /// Makes the workers drop what they run.
    abort: Arc<Stop>,
}

#[derive(Debug)]
struct Thread {
    worker: usize,
    handle: JoinHandle<()>,
    /// Disconnected once it drops what it runs.
    drops: flume::Receiver<()>,
    /// Disconnected once it has ended.
    ended: flume::Receiver<()>,
}

impl Threads {
    /// Starts a thread for each queue.
    ///
    /// # Panics
    ///
    /// If the system refuses to start the threads.
    pub(super) fn start(options: &WorkerOptions, workers: &Workers, queues: Vec<Queue>) -> Self {
        let abort = Arc::new(Stop::default());
        let start = |(worker, queue)| {
            let (workers, abort) = (workers.clone(), abort.clone());
            let (running, drops) = flume::bounded(1);
            let (alive, ended) = flume::bounded(1);
            let stack_size = options.stack_size;
            let body = move || {
                stack::begin(stack_size);
                worker::run(worker, &queue, workers, &abort, running);
                drop(alive);
            };
            let handle = thread::Builder::new()
                .name(format!("{} {worker}", options.name))
                .stack_size(options.stack_size)
                .spawn(body)
                .expect("the system lets a thread start");
            Thread {
                worker,
                handle,
                drops,
                ended,
            }
        };
        let threads = queues.into_iter().enumerate().map(start).collect();
        Self { threads, abort }
    }

    /// Waits until all have ended by themselves, or until the deadline has passed. Returns whether
    /// they have ended.
    pub(super) fn ended_by(&self, deadline: Instant) -> bool {
        self.threads
            .iter()
            .all(|thread| is_over_by(&thread.ended, deadline))
    }

    /// Ends all of them. Returns those that a component blocks; their threads are left behind.
    pub(super) fn end(&mut self, workers: &Workers) -> Vec<BlockedWorker> {
        self.abort.set();
        let notice = Instant::now() + NOTICE;
        let mut blocked = Vec::new();
        for thread in self.threads.drain(..) {
            if thread.handle.thread().id() == thread::current().id() {
                log::error!(
                    "a scheduler was dropped on its own worker {}: it ends after what runs there now",
                    thread.worker
                );
            } else if thread.has_ended(notice) {
                if thread.handle.join().is_err() {
                    log::error!("worker {} panicked", thread.worker);
                }
            } else {
                let component = workers.at(thread.worker).whereabouts();
                let worker = thread.worker;
                let left = BlockedWorker { worker, component };
                log::error!("{left}; its thread is left behind");
                blocked.push(left);
            }
        }
        blocked
    }
}

impl Thread {
    fn has_ended(&self, notice: Instant) -> bool {
        is_over_by(&self.drops, notice) && is_over_by(&self.ended, Instant::now() + DROP)
    }
}

fn is_over_by(alive: &flume::Receiver<()>, deadline: Instant) -> bool {
    matches!(
        alive.recv_deadline(deadline),
        Err(flume::RecvTimeoutError::Disconnected)
    )
}
