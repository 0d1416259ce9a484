//! What happens before a signal ends the process at once.

use std::process;
use std::sync::{Mutex, PoisonError};

type Hook = Box<dyn Fn() + Send>;

static HOOKS: Mutex<Vec<Hook>> = Mutex::new(Vec::new());

/// Runs `hook` before a second ctrl-c ends the process at once: see
/// [`Scheduler::until_ctrl_c`](crate::Scheduler::until_ctrl_c). Use it for what the system does not
/// clean up by itself, such as child processes. It must be quick, and must not wait for a worker,
/// which may be blocked.
///
/// # Examples
///
/// ```
/// kamea::before_exit(|| eprintln!("the process ends at once"));
/// ```
pub fn before_exit(hook: impl Fn() + Send + 'static) {
    let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    hooks.push(Box::new(hook));
}

/// Ends the process as the shell expects after SIGINT.
pub(super) fn exit_at_once() -> ! {
    let hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    hooks.iter().for_each(|hook| hook());
    process::exit(130)
}
