//! Processes: programs of the system as components, and the signals that our own process receives.

mod command;
mod explain_start;
mod guard;
mod hangups;
mod log_lines;
mod pipe;
mod started;
mod unconfined;
mod unix_process;

pub use command::{Command, Stdio};
pub(crate) use explain_start::carriage_return;
pub use hangups::{Hangup, hangups};
pub use log_lines::{log_lines, printable};
pub use pipe::{PipeReader, PipeWriter, read_pipe};
/// A resource of a process with a limit; see setrlimit(2).
pub use rustix::process::Resource;
/// A signal; see signal(7).
pub use rustix::process::Signal;
pub use started::Process;
pub use unconfined::{
    UserIds, file_limit, raise_file_limit, run_unconfined, start_unconfined_threads,
};
pub use unix_process::{ProcessError, ProcessPorts, ProcessPortsHandles, unix_process};
