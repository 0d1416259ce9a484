//! Threads that keep privileges which the rest of a program drops: they start processes, and read
//! files that were named at the start.
//!
//! On Linux each thread has its own user and its own sandbox, and a new thread inherits those of
//! its creator. So threads that start before a program confines itself stay unconfined, and so do
//! the processes that they start.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use kamea::unblock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

static THREADS: OnceLock<Threads> = OnceLock::new();

struct Threads {
    jobs: Sender<Job>,
    user: Option<UserIds>,
}

/// A user and a group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserIds {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// Starts threads that stay unconfined when the program confines itself later. The calling thread
/// must not have started other threads yet that should be confined.
///
/// Processes start as `user`, or, if that is `None`, as the user of these threads. Their
/// [`Command`](super::Command) may set another user.
///
/// # Errors
///
/// If the system cannot start a thread.
///
/// # Examples
///
/// ```
/// use kamea_components::process::{run_unconfined, start_unconfined_threads};
///
/// start_unconfined_threads(2, None)?;
/// // From here on this thread, and those that it starts, may give up rights.
/// let hosts = kamea::testing::block_on(run_unconfined(|| std::fs::read("/etc/hosts")))?;
/// assert!(!hosts.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn start_unconfined_threads(count: usize, user: Option<UserIds>) -> io::Result<()> {
    let (jobs, queue) = channel::<Job>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..count {
        let queue = queue.clone();
        let thread = thread::Builder::new().name("unconfined".to_owned());
        thread.spawn(move || work(&queue))?;
    }
    // The threads of a second call end at once, because their queue is dropped.
    let _ = THREADS.set(Threads { jobs, user });
    Ok(())
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

/// Runs a blocking job on an unconfined thread, if there are such threads, or else like
/// [`unblock`].
///
/// # Panics
///
/// If the job panics.
pub async fn run_unconfined<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let Some(threads) = THREADS.get() else {
        return unblock(job).await;
    };
    let (done, result) = oneshot::channel();
    let job = move || {
        // The caller may have gone meanwhile.
        let _ = done.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
    };
    let _ = threads.jobs.send(Box::new(job));
    match result.await.expect("the threads stay") {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Queues a job for an unconfined thread; returns whether there is one.
pub(super) fn hand_over(job: impl FnOnce() + Send + 'static) -> bool {
    let threads = THREADS.get();
    threads.is_some_and(|threads| threads.jobs.send(Box::new(job)).is_ok())
}

/// The user for new processes, if it differs from ours.
pub(super) fn default_user() -> Option<UserIds> {
    THREADS.get()?.user
}

static FOUND_FILE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of open files of this process to the maximum that the system allows, since each
/// connection needs one; returns the new limit, if there is one. Processes that are started later
/// get the original limit back: some programs close every descriptor up to the limit, or fail with
/// numbers above 1,024.
///
/// # Errors
///
/// If the system does not allow the limit to be raised.
///
/// # Examples
///
/// ```
/// let most = kamea_components::process::raise_file_limit()?;
/// assert!(most.is_none_or(|most| most > 0));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn raise_file_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    FOUND_FILE_LIMIT.get_or_init(|| limit);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    Ok(limit.maximum)
}

/// Returns how many files this process may open (`RLIMIT_NOFILE`, getrlimit(2)); `None` if there is
/// no limit.
///
/// # Examples
///
/// ```
/// use kamea_components::process::file_limit;
///
/// assert!(file_limit().is_none_or(|most| most > 0));
/// ```
#[must_use]
pub fn file_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// The limit of open files for new processes, if ours was raised.
pub(super) fn found_file_limit() -> Option<Rlimit> {
    FOUND_FILE_LIMIT.get().cloned()
}
