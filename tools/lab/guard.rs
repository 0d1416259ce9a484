//! A process that runs a program for `lab`. It makes sure that nothing of the program is left, even
//! if `lab` is killed.
//!
//! ```text
//!  lab ──leash (standard input)──▶ guard ──▶ program ──▶ its children
//! ```
//!
//! The leash ends when `lab` releases it, or ends in any way. Then the guard asks the program to
//! end, and after a while kills what is left. The guard adopts orphans (PR_SET_CHILD_SUBREAPER), so
//! that it also finds those that have left the process group.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use kamea_components::process::{self, PipeWriter, Process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, set_child_subreaper,
    wait,
};
use rustix::thread::{CpuSet, sched_setaffinity, set_name};

use super::options::Guard;
use super::patience::within;

/// How long a program may take to end after the request.
const GRACE: Duration = Duration::from_secs(3);

/// The program to run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Its working directory.
    pub(crate) folder: PathBuf,
    /// The cores that it may run on.
    pub(crate) cores: Vec<usize>,
    pub(crate) stdout: process::Stdio,
    pub(crate) stderr: process::Stdio,
}

/// A program that runs under guard. Dropping it kills it at once.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The guard. It ends with the same status as the program.
    pub(crate) process: Process,
    leash: Option<PipeWriter>,
}

impl Guarded {
    /// Starts a program.
    pub(crate) async fn start(program: Program) -> io::Result<Self> {
        let cores: Vec<_> = program.cores.iter().map(usize::to_string).collect();
        // The same lab, even if another program has its path by now.
        let command = process::Command::new("/proc/self/exe")
            .args(["guard", "--cores", &cores.join(","), "--"])
            .arg(program.path)
            .args(program.arguments)
            .folder(program.folder)
            .stdout(program.stdout)
            .stderr(program.stderr);
        let mut process = Process::start(&command).await?;
        let leash = process.stdin.take();
        Ok(Self { process, leash })
    }

    /// Ends it, and waits until nothing of it is left.
    pub(crate) async fn stop(mut self) {
        self.leash = None;
        // What is left after that is killed with its group.
        within(2 * GRACE, self.process.exited()).await;
    }
}

/// Runs a program until it ends, or the leash does.
///
/// # Errors
///
/// Any error of the system.
pub(crate) fn guard(options: &Guard) -> io::Result<ExitCode> {
    // It was started as /proc/self/exe. If setting the name fails, only process lists differ.
    let _ = set_name(c"lab guard");
    if !options.cores.is_empty() {
        let mut cores = CpuSet::new();
        options.cores.iter().for_each(|core| cores.set(*core));
        sched_setaffinity(None, &cores)?;
    }
    set_child_subreaper(Some(getpid()))?;
    let mut command = Command::new(&options.program);
    let started = command
        .args(&options.arguments)
        .stdin(Stdio::null())
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            let program = options.program.display();
            writeln!(io::stderr(), "cannot start {program}: {error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let code = watch(child);
    kill_what_is_left();
    code
}

/// Waits for the end of the program. When the leash ends, asks the program to end.
fn watch(mut child: Child) -> io::Result<ExitCode> {
    let pid = Pid::from_child(&child);
    let end = pidfd_open(pid, PidfdFlags::empty())?;
    let stdin = io::stdin();
    wait_for(&[end.as_fd(), stdin.as_fd()], None)?;
    if child.try_wait()?.is_none() {
        kill_process(pid, Signal::TERM)?;
        wait_for(&[end.as_fd()], Some(GRACE))?;
    }
    let status = child.try_wait()?.and_then(|status| status.code());
    let code = status.and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Waits until one of these has data, or its other end is gone.
fn wait_for(ends: &[BorrowedFd<'_>], time: Option<Duration>) -> io::Result<()> {
    let mut ends: Vec<_> = ends
        .iter()
        .map(|end| PollFd::from_borrowed_fd(*end, PollFlags::IN))
        .collect();
    let time = time.map(|time| Timespec {
        tv_sec: time.as_secs().cast_signed(),
        tv_nsec: time.subsec_nanos().into(),
    });
    retry_on_intr(|| poll(&mut ends, time.as_ref()))?;
    Ok(())
}

/// Kills all that has been started, and its orphans, until nothing is left.
fn kill_what_is_left() {
    loop {
        // The guard has only one thread, and that thread has started them.
        let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        for child in children.filter_map(Pid::from_raw) {
            // None has been waited for since, so its process id cannot have been reused.
            let _ = kill_process(child, Signal::KILL);
        }
        if retry_on_intr(|| wait(WaitOptions::empty())).is_err() {
            return;
        }
    }
}
