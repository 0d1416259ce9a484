//! A program of the system as a component: its standard streams are ports.
//!
//! ```text
//!  stdin ──▶ ┌──────────────┐ ──▶ stdout
//!            │ unix_process │ ──▶ stderr
//!            └──────────────┘ ──▶ status    the last message
//! ```

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{or, try_zip};
use kamea::time::sleep;
use kamea::{
    Closed, Component, End, Inbox, InboxHandle, Outbox, OutboxHandle, PipelineStart, Ports, Stage,
};

use super::{Command, PipeReader, PipeWriter, Process, Stdio};

/// The ports of [`unix_process`]. Of a standard stream that is not linked, the process has ours; of its input, none.
#[derive(Debug, Ports)]
pub struct ProcessPorts {
    /// What it is to read. It reads to the end when this closes.
    pub stdin: Option<Inbox<Bytes>>,
    /// What it writes. Once nobody takes that any more, it is killed.
    pub stdout: Option<Outbox<Bytes>>,
    /// What it complains of.
    pub stderr: Option<Outbox<Bytes>>,
    /// How it has ended: after everything else.
    pub status: Option<Outbox<ExitStatus>>,
}

/// Why a process is no more, or never was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {}: {error}", program.display())]
    Start {
        /// What was to be started.
        program: OsString,
        /// Why not.
        error: io::Error,
    },
    /// It ran for too long.
    #[error("{} was killed: it ran for more than {} s", program.display(), deadline.as_secs_f64())]
    Deadline {
        /// What was started.
        program: OsString,
        /// How long it had.
        deadline: Duration,
    },
}

/// Runs a program of the system, in a process group of its own, once.
///
/// What is written to its pipes travels with backpressure, both ways at once. It ends when the process has, and its pipes have been
/// read to their ends; descendants that hold them open are given [`Command::linger`] more. When it ends, or is dropped, the whole
/// group is killed. That the process fails is no fault: its status says so.
///
/// In a pipeline its standard input and output are the ends that count.
///
/// # Faults
///
/// [`ProcessError`]: the process cannot be started, or runs for longer than its deadline.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::process::unix_process;
///
/// let mut graph = Graph::new("sorting");
/// let (lines, sorted) = pipeline!(graph, unix_process("sort") => unix_process("uniq"));
/// let (lines, sorted) = (graph.feed(lines), graph.take(sorted));
/// let scheduler = kamea::Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// lines.send_blocking("pear\napple\n".into()).unwrap();
/// lines.send_blocking("apple\n".into()).unwrap();
/// drop(lines);
/// assert_eq!(sorted.into_iter().collect::<Vec<_>>().concat(), b"apple\npear\n");
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unix_process(
    command: impl Into<Command>,
) -> impl Component<ProcessPorts> + Clone + Send + Sync {
    let command = command.into();
    async move |io: &mut ProcessPorts| {
        let status = or(run(&command, io), too_long(&command)).await?;
        if let Some(outbox) = &io.status {
            outbox.send(status).await?;
        }
        Ok(())
    }
}

async fn run(command: &Command, io: &mut ProcessPorts) -> Result<ExitStatus, End> {
    let linger = command.linger;
    let command = with_ports(command, io);
    let started = Process::start(&command).await;
    let mut process = started.map_err(|error| ProcessError::Start {
        program: command.program,
        error,
    })?;
    let feeding = feed(io.stdin.as_mut(), process.stdin.take());
    let stdout = pass_on(process.stdout.take(), io.stdout.as_ref());
    let stderr = pass_on(process.stderr.take(), io.stderr.as_ref());
    let stderr = async {
        // What it complains of may go unheard.
        let _ = stderr.await;
        Ok(())
    };
    let outputs = async {
        try_zip(stdout, stderr).await?;
        Ok::<_, End>(())
    };
    let lingering = async {
        process.exited().await?;
        sleep(linger).await;
        Ok(())
    };
    let ending = async {
        or(outputs, lingering).await?;
        Ok(process.exited().await?)
    };
    or(ending, feeding).await
}

/// The command with its standard streams as they are linked.
fn with_ports(command: &Command, io: &ProcessPorts) -> Command {
    let mut command = command.clone();
    let unlinked = |is_linked: bool, stdio: &mut Stdio, otherwise: Stdio| {
        if !is_linked && matches!(stdio, Stdio::Piped) {
            *stdio = otherwise;
        }
    };
    unlinked(io.stdin.is_some(), &mut command.stdin, Stdio::Null);
    unlinked(io.stdout.is_some(), &mut command.stdout, Stdio::Inherited);
    unlinked(io.stderr.is_some(), &mut command.stderr, Stdio::Inherited);
    command
}

/// Passes on what it is to read; never ends by itself, because there is more to wait for.
async fn feed<T>(inbox: Option<&mut Inbox<Bytes>>, pipe: Option<PipeWriter>) -> T {
    if let (Some(inbox), Some(mut pipe)) = (inbox, pipe) {
        while let Some(bytes) = inbox.next().await {
            if pipe.write_all(&bytes).await.is_err() {
                // It does not read on, which is its good right.
                break;
            }
        }
    }
    std::future::pending().await
}

async fn pass_on(
    pipe: Option<PipeReader>,
    outbox: Option<&Outbox<Bytes>>,
) -> Result<(), Closed<Bytes>> {
    let (Some(mut pipe), Some(outbox)) = (pipe, outbox) else {
        return Ok(());
    };
    loop {
        let unwanted = async {
            outbox.closed().await;
            Err(Closed(Bytes::new()))
        };
        // A pipe that cannot be read has come to its end.
        let read = async { Ok(pipe.read().await.unwrap_or_default()) };
        let bytes = or(unwanted, read).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        outbox.send(bytes).await?;
    }
}

async fn too_long(command: &Command) -> Result<ExitStatus, End> {
    let Some(deadline) = command.deadline else {
        return std::future::pending().await;
    };
    sleep(deadline).await;
    let program = command.program.clone();
    Err(ProcessError::Deadline { program, deadline }.into())
}

impl PipelineStart for ProcessPorts {
    type Head = InboxHandle<Bytes>;
    type Out = Bytes;

    fn ends(handles: ProcessPortsHandles) -> (InboxHandle<Bytes>, OutboxHandle<Bytes>) {
        (handles.stdin, handles.stdout)
    }
}

impl Stage<Bytes> for ProcessPorts {
    type Tail = OutboxHandle<Bytes>;

    fn ends(handles: ProcessPortsHandles) -> (InboxHandle<Bytes>, OutboxHandle<Bytes>) {
        (handles.stdin, handles.stdout)
    }
}

#[cfg(test)]
mod tests;
