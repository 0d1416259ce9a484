//! The number of workers of a scheduler, and the options of their threads.

/// The stack of a worker, in bytes: the same as that of a program's first thread. It takes memory
/// only where it is used.
const STACK_SIZE: usize = 8 << 20;

/// The options of the workers of a [`Scheduler`](crate::Scheduler).
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
    /// Makes the default options: one worker for each core, named `worker 0` and so on, each with a
    /// stack of 8 MiB.
    pub fn new() -> Self {
        Self {
            count: std::thread::available_parallelism().map_or(1, usize::from),
            name: "worker".to_owned(),
            stack_size: STACK_SIZE,
        }
    }

    /// Sets the number of workers.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn count(mut self, count: usize) -> Self {
        assert!(count > 0, "a scheduler has at least one worker");
        self.count = count;
        self
    }

    /// Sets the name of the threads; their number follows it. Linux shows the first 15 bytes.
    pub fn name(mut self, name: &str) -> Self {
        // The system does not accept a name with a zero byte.
        self.name = name.replace('\0', "");
        self
    }

    /// Sets the stack of each worker, in bytes. Graphs that are awaited inside each other, and
    /// large messages by value, need more of it. A flow that is too deep for the stack fails with a
    /// fault that says so.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }
}
