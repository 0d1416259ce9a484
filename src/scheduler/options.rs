//! How many workers a scheduler has, and what their threads are like.

/// The stack of a worker, in bytes: as much as the first thread of a program has. It takes memory only where it is used.
const STACK_SIZE: usize = 8 << 20;

/// What the workers of a [`Scheduler`](crate::Scheduler) are like.
///
/// # Examples
///
/// ```
/// use kamea::{Scheduler, WorkerOptions};
///
/// let options = WorkerOptions::new().count(2).name("media").stack_size(64 << 20);
/// let scheduler = Scheduler::with_options(&options);
/// assert_eq!(scheduler.workers().count(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    pub(super) count: usize,
    pub(super) name: String,
    pub(super) stack_size: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl WorkerOptions {
    /// A worker for each core, named `worker 0` and so on, each with a stack of 8 MiB.
    pub fn new() -> Self {
        Self {
            count: std::thread::available_parallelism().map_or(1, usize::from),
            name: "worker".to_owned(),
            stack_size: STACK_SIZE,
        }
    }

    /// The number of workers.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn count(mut self, count: usize) -> Self {
        assert!(count > 0, "a scheduler has at least one worker");
        self.count = count;
        self
    }

    /// The name of the threads, which is followed by their number. Linux shows the first 15 bytes.
    pub fn name(mut self, name: &str) -> Self {
        // The system takes no name with a zero byte.
        self.name = name.replace('\0', "");
        self
    }

    /// The stack of each worker, in bytes. Graphs that are awaited inside of each other, and large messages by value, need more
    /// of it; a flow that is too deep for it fails with a fault that says so.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }
}
