//! Threads that keep rights which the rest of a program gives up: they start processes, and read what was named at the start.
//!
//! On Linux a thread has its own user and its own sandbox, and a new thread inherits those of the thread that starts it. So
//! threads that are started before a program confines itself stay unconfined, and so do the processes that they start.

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

/// Starts threads that are not confined by what the program does to itself from now on. The calling thread must not have
/// started others yet that are to be confined.
///
/// Processes start as `user`, unless their [`Command`](super::Command) says otherwise, or as the user of these threads.
///
/// # Errors
///
/// If the system does not let a thread start.
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
    // Those of a second call end at once, because nobody keeps their queue.
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

/// Runs a job that blocks on an unconfined thread, if there are such threads, and else as [`unblock`].
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
        // Whoever asked may have gone away meanwhile.
        let _ = done.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
    };
    let _ = threads.jobs.send(Box::new(job));
    match result.await.expect("the threads stay") {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs a job on an unconfined thread, whenever that has time; says whether there is one.
pub(super) fn hand_over(job: impl FnOnce() + Send + 'static) -> bool {
    let threads = THREADS.get();
    threads.is_some_and(|threads| threads.jobs.send(Box::new(job)).is_ok())
}

/// As which user processes start, if not as ours.
pub(super) fn default_user() -> Option<UserIds> {
    THREADS.get()?.user
}

static FOUND_FILE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Lets this process have as many open files as the system allows it at all, since a connection is one; gives how many those
/// are, if there is a limit. Processes that are started later get back the limit that was found: programs exist that close
/// every descriptor up to it, or that fail with numbers above 1,024.
///
/// # Errors
///
/// If the system does not let the limit be raised.
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
    FOUND_FILE_LIMIT.get_or_init(|| limit.clone());
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    Ok(limit.maximum)
}

/// The limit of open files that processes are given back, if ours was raised.
pub(super) fn found_file_limit() -> Option<Rlimit> {
    FOUND_FILE_LIMIT.get().cloned()
}
