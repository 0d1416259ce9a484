//! A pool of threads for single jobs that block: `crossbeam-channel` hands out the jobs.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::simulation;

/// How many threads the pool has at the most.
const THREADS: usize = 32;

/// How long a thread waits for a further job before it ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Runs a job that blocks on a thread of the pool, from now on; gives its result to whoever waits for it, while the worker does other
/// things.
///
/// A job whose result nobody waits for still runs to its end. Jobs queue once 32 of them run.
///
/// # Panics
///
/// If the job panics: the panic goes on in whoever waits.
///
/// # Examples
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// let hosts = kamea::unblock(|| std::fs::read("/etc/hosts")).await?;
/// # assert!(!hosts.is_empty());
/// # Ok(())
/// # }
/// # kamea::testing::block_on(example()).unwrap();
/// ```
pub fn unblock<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send {
    static POOL: LazyLock<Pool> = LazyLock::new(Pool::new);
    let (ended, end) = flume::bounded(1);
    let job = Box::new(move || {
        // Whoever asked may have gone away meanwhile.
        let _ = ended.send(catch_unwind(AssertUnwindSafe(job)));
    });
    if simulation::is_on() {
        simulation::run_job(job);
    } else {
        POOL.run(job);
    }
    async move {
        let outcome = end.recv_async().await;
        match outcome.expect("a job of the pool reports its end") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

struct Pool {
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    threads: AtomicUsize,
    /// How many threads wait for a job.
    idle: AtomicUsize,
}

impl Pool {
    fn new() -> Self {
        let (jobs, queue) = unbounded();
        Self {
            jobs,
            queue,
            threads: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
        }
    }

    /// Every job has a component that waits for it, so the queue is as bounded as the components are.
    fn run(&'static self, job: Job) {
        self.jobs.send(job).expect("the pool keeps the other end");
        let spare = self.idle.load(Ordering::SeqCst) >= self.jobs.len();
        if !spare && self.threads.fetch_add(1, Ordering::SeqCst) < THREADS {
            let spawned = thread::Builder::new()
                .name("blocking".to_owned())
                .spawn(|| self.serve(IDLE));
            if spawned.is_ok() {
                return;
            }
            log::warn!("no thread could be started for blocking jobs; those that run take over");
        } else if spare {
            return;
        }
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    fn serve(&self, idle: Duration) {
        loop {
            self.idle.fetch_add(1, Ordering::SeqCst);
            let job = self.queue.recv_timeout(idle);
            self.idle.fetch_sub(1, Ordering::SeqCst);
            match job {
                Ok(job) => job(),
                Err(_) => {
                    self.threads.fetch_sub(1, Ordering::SeqCst);
                    // A job that was queued while this thread still counted would find no other.
                    let Ok(job) = self.queue.try_recv() else {
                        return;
                    };
                    self.threads.fetch_add(1, Ordering::SeqCst);
                    job();
                }
            }
        }
    }
}
