//! The jobs of the workers. Each worker has a queue of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::census::Registry;

/// A message to a worker.
pub(super) enum Job {
    Run(Box<dyn FnOnce() + Send>),
    /// Run this job, which starts no graph. It also runs while the worker waits for the end of its
    /// graphs.
    Look(Box<dyn FnOnce(&Registry) + Send>),
    /// Accept nothing more, and end when everything that runs has ended.
    Finish,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run(_) => "Run",
            Self::Look(_) => "Look",
            Self::Finish => "Finish",
        })
    }
}

/// The sending end of one worker's jobs.
#[derive(Debug)]
pub(super) struct Jobs(Arc<Shared>);

/// The receiving end of one worker's jobs. Once it is dropped, jobs are dropped, so that waits for
/// a job see its end.
#[derive(Debug)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    to: flume::Sender<Job>,
    from: flume::Receiver<Job>,
    is_closed: AtomicBool,
}

/// A queue of jobs. It has no limit: the code that starts graphs limits them.
pub(super) fn jobs() -> (Jobs, Queue) {
    let (to, from) = flume::unbounded();
    let is_closed = AtomicBool::new(false);
    let shared = Arc::new(Shared {
        to,
        from,
        is_closed,
    });
    (Jobs(shared.clone()), Queue(shared))
}

impl Jobs {
    /// Whether the worker is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::SeqCst)
    }

    /// Sends a job to the worker.
    pub(super) fn send(&self, job: Job) {
        // Both ends are here: it cannot fail.
        let _ = self.0.to.send(job);
        // Whichever comes second, this or the end of the worker, sees what the other has done.
        if self.0.is_closed.load(Ordering::SeqCst) {
            self.0.drop_jobs();
        }
    }
}

impl Queue {
    /// Waits for the next job.
    pub(super) async fn next(&self) -> Job {
        match self.0.from.recv_async().await {
            Ok(job) => job,
            Err(flume::RecvError::Disconnected) => unreachable!("this holds the other end"),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        self.0.drop_jobs();
    }
}

impl Shared {
    fn drop_jobs(&self) {
        self.from.drain().for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn who_waits_for_a_job_that_comes_too_late_sees_its_end() {
        for _ in 0..1000 {
            let (jobs, queue) = jobs();
            let (answer, answers) = flume::bounded::<()>(1);
            let begin = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    begin.wait();
                    jobs.send(Job::Run(Box::new(move || drop(answer))));
                });
                begin.wait();
                drop(queue);
            });
            assert_eq!(
                answers.try_recv(),
                Err(flume::TryRecvError::Disconnected),
                "the job is not kept"
            );
        }
    }
}
