//! A pool of threads for single jobs that block. `crossbeam-channel` distributes the jobs.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::simulation;
use crate::time::sleep;

/// The largest number of threads in the pool.
const THREADS: usize = 32;

/// How long an idle thread waits for a further job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// The pause before the pool tries again to start a thread.
const PAUSE: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce() + Send>;

/// Runs a blocking job on a thread of the pool, starting now, and returns its result to the caller.
/// The worker does other work meanwhile.
///
/// A job still runs to its end if its caller stops waiting. Jobs queue while 32 of them run. A job
/// that is requested inside another job runs at once, on the same thread. If the system refuses to
/// start a thread, the pool tries again until it succeeds.
///
/// # Panics
///
/// If the job panics: the panic continues in the caller.
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
    static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(start_thread));
    unblock_on(&POOL, job)
}

fn unblock_on<T: Send + 'static>(
    pool: &'static Pool,
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send {
    let (ended, end) = flume::bounded(1);
    let job: Job = Box::new(move || {
        // The caller may have stopped waiting.
        let _ = ended.send(catch_unwind(AssertUnwindSafe(job)));
    });
    if simulation::is_on() {
        simulation::run_job(job);
    } else if is_on_pool() {
        // Blocking is allowed here. A job that waits for another job must not keep its thread from
        // that job.
        job();
    } else {
        pool.run(job);
    }
    async move {
        match pool.outcome(end).await {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

thread_local! {
    static IS_ON_POOL: Cell<bool> = const { Cell::new(false) };
}

/// Whether the current thread belongs to the pool.
pub(super) fn is_on_pool() -> bool {
    IS_ON_POOL.get()
}

/// Starts a thread that runs this function.
type Start = fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;

fn start_thread(body: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let thread = thread::Builder::new().name("blocking".to_owned());
    thread.spawn(body).map(drop)
}

struct Pool {
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    threads: AtomicUsize,
    /// The number of idle threads.
    idle: AtomicUsize,
    start: Start,
}

impl Pool {
    fn new(start: Start) -> Self {
        let (jobs, queue) = unbounded();
        Self {
            jobs,
            queue,
            threads: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            start,
        }
    }

    /// A component waits for every job, so the number of components limits the queue.
    fn run(&'static self, job: Job) {
        self.jobs.send(job).expect("the pool keeps the other end");
        if let Err(error) = self.have_threads() {
            log::warn!(
                "no thread could be started for blocking jobs ({error}); those that run take over, or it is tried again"
            );
        }
    }

    /// Starts a thread if there are jobs without an idle thread for them.
    fn have_threads(&'static self) -> io::Result<()> {
        if self.idle.load(Ordering::SeqCst) >= self.jobs.len() {
            return Ok(());
        }
        if self.threads.fetch_add(1, Ordering::SeqCst) < THREADS {
            let serve = Box::new(|| {
                IS_ON_POOL.set(true);
                self.serve(IDLE);
            });
            let Err(error) = (self.start)(serve) else {
                return Ok(());
            };
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return Err(error);
        }
        self.threads.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Waits for the end of a job. If no thread could be started at first, it tries again
    /// meanwhile.
    async fn outcome<T>(
        &'static self,
        end: flume::Receiver<thread::Result<T>>,
    ) -> thread::Result<T> {
        let mut ended = pin!(end.recv_async());
        while self.threads.load(Ordering::SeqCst) == 0 && !simulation::is_on() {
            let mut pause = pin!(sleep(PAUSE));
            let outcome = poll_fn(|cx| match ended.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => pause.as_mut().poll(cx).map(|()| None),
            });
            if let Some(outcome) = outcome.await {
                return outcome.expect("a job of the pool reports its end");
            }
            if let Err(error) = self.have_threads() {
                log::debug!("still no thread could be started for blocking jobs: {error}");
            }
        }
        ended.await.expect("a job of the pool reports its end")
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
                    // A job that was queued while this thread still counted would find no other
                    // thread.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::blocking::block_on as park_on;
    use crate::testing::block_on;

    #[test]
    fn a_job_for_which_no_thread_can_be_started_is_not_forgotten() {
        static IS_FULL: AtomicBool = AtomicBool::new(true);
        static POOL: LazyLock<Pool> = LazyLock::new(|| {
            Pool::new(|body| {
                if IS_FULL.load(Ordering::SeqCst) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                start_thread(body)
            })
        });
        block_on(async {
            let mut job = pin!(unblock_on(&POOL, || 7));
            let is_early = poll_fn(|cx| Poll::Ready(job.as_mut().poll(cx).is_ready())).await;
            assert!(!is_early, "there is no thread for it");
            drop(unblock_on(&POOL, || 8));
            IS_FULL.store(false, Ordering::SeqCst);
            assert_eq!(job.await, 7);
        });
    }

    /// As many jobs as there are threads. Each of them waits for another job.
    #[test]
    fn jobs_that_wait_for_jobs_come_to_their_ends() {
        let inside = |n| park_on(unblock(move || n));
        let computed = |n| park_on(crate::compute(move || park_on(crate::compute(move || n))));
        let jobs: Vec<_> = (0..4 * THREADS)
            .map(|n| unblock(move || inside(n) + computed(n)))
            .collect();
        block_on(async {
            for (n, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.await, 2 * n);
            }
        });
        // More than there are cores.
        let graphs: Vec<_> = (0..64)
            .map(|n| crate::compute(move || park_on(crate::compute(move || n))))
            .collect();
        block_on(async {
            for (n, job) in graphs.into_iter().enumerate() {
                assert_eq!(job.await, n);
            }
        });
    }
}
