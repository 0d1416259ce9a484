//! A started process: the leader of its own process group.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::LazyLock;
use std::thread;

use kamea::unblock;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus,
    kill_process_group, pidfd_open, prlimit, waitid,
};
use tokio::net::unix::pipe;
use tokio::sync::Semaphore;

use super::explain_start::explain_start;
use super::unconfined::{found_file_limit, hand_over};
use super::{Command, PipeReader, PipeWriter, guard, run_unconfined};

/// A started process, the leader of its own process group. Dropping it kills the whole group. The
/// end of this program, of any kind, kills the group too: a separate process, the guard, ensures
/// that.
///
/// # Examples
///
/// ```
/// use kamea_components::process::{Command, Process};
///
/// # kamea::testing::block_on(async {
/// let mut process = Process::start(&Command::new("tr").args(["a-z", "A-Z"])).await?;
/// let (mut stdin, mut stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
/// stdin.write_all(b"hello").await?;
/// drop(stdin);
/// assert_eq!(stdout.read().await?, "HELLO");
/// assert!(stdout.read().await?.is_empty());
/// assert!(process.exited().await?.success());
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Process {
    /// Its standard input, if that is a pipe.
    pub stdin: Option<PipeWriter>,
    /// Its standard output, if that is a pipe.
    pub stdout: Option<PipeReader>,
    /// Its standard error, if that is a pipe.
    pub stderr: Option<PipeReader>,
    /// Becomes readable when the process ends (pidfd_open(2)); the event queue accepts any kind of
    /// descriptor.
    exit: pipe::Receiver,
    group: Group,
}

/// Limits how many processes start at once. Loading a program keeps a core busy, and too many at
/// once would slow everything else on the machine, above all our own workers. The limit is one more
/// than the number of cores, so that the next program is ready when one has been loaded.
static STARTS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(cores + 1)
});

impl Process {
    /// Starts a process. The program is loaded on a thread of the pool, not on the worker. At most
    /// one more than the number of cores are loaded at once; further ones wait, in the order of
    /// their calls.
    ///
    /// # Errors
    ///
    /// The error of the system: the program is missing or may not be executed, its interpreter is
    /// missing, or there are too many processes.
    ///
    /// # Panics
    ///
    /// If it is called outside a worker.
    pub async fn start(command: &Command) -> io::Result<Self> {
        let command = command.clone();
        let turn = STARTS.acquire().await.expect("nobody closes it");
        let start = move || {
            let _turn = turn;
            Group::start(&command)
        };
        let (mut group, exit) = run_unconfined(start).await?;
        let child = group.leader()?;
        let stdin = child.stdin.take().map(PipeWriter::new).transpose()?;
        let stdout = child.stdout.take().map(PipeReader::new).transpose()?;
        let stderr = child.stderr.take().map(PipeReader::new).transpose()?;
        Ok(Self {
            stdin,
            stdout,
            stderr,
            exit: pipe::Receiver::from_owned_fd_unchecked(exit)?,
            group,
        })
    }

    /// Returns its process id, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.group.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended; returns its exit status. Its descendants may still run.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub async fn exited(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.group.status()? {
                return Ok(status);
            }
            self.exit.readable().await?;
        }
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        // The group may be empty by now.
        let id = self.group.id;
        if kill_process_group(id, signal) == Err(Errno::PERM) {
            hand_over(move || {
                let _ = kill_process_group(id, signal);
            });
        }
    }
}

/// A process group whose leader has not been waited for, so that the system cannot reuse its
/// number.
#[derive(Debug)]
struct Group {
    leader: Option<Child>,
    id: Pid,
}

impl Group {
    /// Starts the leader of a new group. Blocks until the program has been loaded.
    fn start(command: &Command) -> io::Result<(Self, OwnedFd)> {
        let spawned = command.spawn();
        let child = spawned.map_err(|error| explain_start(command, error))?;
        let group = Self {
            id: Pid::from_child(&child),
            leader: Some(child),
        };
        guard::watch(group.id);
        let limits = command.limits.iter().map(|&(resource, limit)| {
            let limit = Some(limit);
            let limit = Rlimit {
                current: limit,
                maximum: limit,
            };
            (resource, limit)
        });
        if let Some(limit) = found_file_limit() {
            // Only CAP_SYS_RESOURCE may change the limits of another user's process: otherwise it
            // keeps ours, which is higher.
            let _ = prlimit(Some(group.id), Resource::Nofile, limit);
        }
        for (resource, limit) in limits {
            match prlimit(Some(group.id), resource, limit) {
                // It has ended already.
                Ok(_) | Err(rustix::io::Errno::SRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let exit = pidfd_open(group.id, PidfdFlags::NONBLOCK)?;
        Ok((group, exit))
    }

    fn leader(&mut self) -> io::Result<&mut Child> {
        self.leader
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Returns how the leader has ended, if it has; it can still be waited for.
    fn status(&self) -> io::Result<Option<ExitStatus>> {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.id), how)?;
        Ok(status.as_ref().map(exit_status))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let killed = kill_process_group(self.id, Signal::KILL);
        guard::let_go(self.id);
        let Some(mut leader) = self.leader.take() else {
            return;
        };
        if killed == Err(Errno::PERM) {
            // It runs as another user than this thread.
            let id = self.id;
            let kill = move || {
                let _ = kill_process_group(id, Signal::KILL);
                let _ = leader.wait();
            };
            hand_over(kill);
            return;
        }
        if !matches!(leader.try_wait(), Ok(Some(_))) {
            // The system may need a moment to remove a large process.
            drop(unblock(move || leader.wait()));
        }
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let code = status.exit_status().map(|code| code << 8);
    let raw = code.or(status.terminating_signal()).unwrap_or_default();
    ExitStatus::from_raw(raw)
}
