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

/// The ports of [`unix_process`]. If a standard output or error is not linked, the process inherits
/// ours; if the input is not linked, it is empty.
#[derive(Debug, Ports)]
pub struct ProcessPorts {
    /// Its standard input. The process reads the end when this port ends.
    pub stdin: Option<Inbox<Bytes>>,
    /// Its standard output. When nobody takes it any more, the process is killed.
    pub stdout: Option<Outbox<Bytes>>,
    /// Its standard error.
    pub stderr: Option<Outbox<Bytes>>,
    /// Its exit status: after all output.
    pub status: Option<Outbox<ExitStatus>>,
}

/// A process could not be started, or was ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {}: {error}", program.display())]
    Start {
        /// The program.
        program: OsString,
        /// The reason.
        error: io::Error,
    },
    /// It ran longer than its deadline.
    #[error("{} was killed: it ran for more than {} s", program.display(), deadline.as_secs_f64())]
    Deadline {
        /// The program.
        program: OsString,
        /// The deadline.
        deadline: Duration,
    },
}

/// Runs a program of the system once, in its own process group.
///
/// Its pipes have backpressure, in both directions. It ends when the process has ended and its
/// pipes have been read to their ends; if descendants hold them open, it waits at most
/// [`Command::linger`]. When it ends, or is dropped, the whole group is killed. A process that
/// fails is not a fault: its status reports that.
///
/// In a pipeline, its standard input and output are the ends that are linked.
///
/// # Faults
///
/// [`ProcessError`]: the process cannot be started, or runs longer than its deadline.
///
/// # Examples
///
/// ```
/// use kamea::pipeline;
/// use kamea::testing::collect;
/// use kamea_components::process::unix_process;
///
/// let lines = ["pear\napple\n", "apple\n"].map(Into::into);
/// let sorted = collect(pipeline!(unix_process("sort") => unix_process("uniq")), lines);
/// assert_eq!(sorted.concat(), b"apple\npear\n");
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
        // If nobody receives its standard error, it is dropped.
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

/// Returns the command with its standard streams set according to the links.
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

/// Writes its standard input; never ends by itself, because other events may still come.
async fn feed<T>(inbox: Option<&mut Inbox<Bytes>>, pipe: Option<PipeWriter>) -> T {
    if let (Some(inbox), Some(mut pipe)) = (inbox, pipe) {
        while let Some(bytes) = inbox.next().await {
            if pipe.write_all(&bytes).await.is_err() {
                // The process has stopped reading, which is allowed.
                break;
            }
        }
    }
    std::future::pending().await
}

async fn pass_on(
    pipe: Option<PipeReader>,
    outbox: Option<&Outbox<Bytes>>,
) -> Result<(), Closed<()>> {
    let (Some(mut pipe), Some(outbox)) = (pipe, outbox) else {
        return Ok(());
    };
    loop {
        // A pipe that cannot be read has ended.
        let bytes = outbox.while_open(pipe.read()).await?.unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        outbox.send(bytes).await.map_err(|_| Closed(()))?;
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
