//! What the workers are told, each by a queue of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::census::Registry;

/// What a worker is told.
pub(super) enum Job {
    Run(Box<dyn FnOnce() + Send>),
    /// Do this, which runs nothing, also while what runs is to end.
    Look(Box<dyn FnOnce(&Registry) + Send>),
    /// Take nothing more; end when all that runs has ended.
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

/// The jobs of one worker, for those who tell it.
#[derive(Debug)]
pub(super) struct Jobs(Arc<Shared>);

/// The jobs of one worker, for itself. Once this is dropped jobs are dropped, so that whoever waits for one sees its end.
#[derive(Debug)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    to: flume::Sender<Job>,
    from: flume::Receiver<Job>,
    is_closed: AtomicBool,
}

/// A queue of jobs. It is not bounded: those who start graphs bound these.
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
    /// Whether nobody does these jobs any more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::SeqCst)
    }

    /// Tells the worker to do a job.
    pub(super) fn send(&self, job: Job) {
        // Both ends are here: it cannot fail.
        let _ = self.0.to.send(job);
        // Whoever comes second, this or the end of the worker, sees what the other has done.
        if self.0.is_closed.load(Ordering::SeqCst) {
            self.0.drop_jobs();
        }
    }
}

impl Queue {
    /// The next job.
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
