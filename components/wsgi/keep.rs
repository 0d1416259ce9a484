//! The keeper of a worker process: starts it, and replaces it when it has died, hangs, has served
//! its limit of requests, or its source has changed.
//!
//! ```text
//! keeper ╌╌ starts, one after another ╌╌▶ process ╌╌ starts, for each thread ╌╌▶ relay
//!                                           ├╌╌ a control socket, a monitor
//!                                           └╌╌ starts two loggers: its output goes to our log
//! ```

mod life;

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, Flows, Graph, GraphError, Sender, link};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::pool::Pool;
use crate::chassis::NoPorts;
use crate::process::{PipeReader, Process, log_lines, read_pipe};
use life::Life;

/// How long the keeper waits before it replaces a process that ended immediately: the first and the
/// longest delay.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A process that lived this long did not end immediately.
const LONG: Duration = Duration::from_secs(10);

/// The message of a process to its keeper: start a replacement.
struct Follow;

/// Keeps a process of the pool running until nobody uses the pool.
pub(super) fn keep_worker(slot: usize, pool: Arc<Pool>) -> impl Component<NoPorts> + Send {
    async move |_: &mut NoPorts| {
        let processes = Flows::new();
        let mut rest = REST.0;
        let mut most = pool.application.first_limit(slot);
        while !pool.is_deserted() {
            let (follow, mut follows) = link(1);
            let started = now();
            let process = run_process(slot, most, pool.clone(), follow);
            processes.spawn(flow("wsgi process", "process", process)?);
            let must_follow = or(follows.next(), async {
                pool.deserted().await;
                None
            });
            most = pool.application.requests;
            if must_follow.await.is_some() || now() - started > LONG {
                rest = REST.0;
            } else {
                or(sleep(rest), pool.deserted()).await;
                rest = (rest * 2).min(REST.1);
            }
        }
        processes.finished().await;
        Ok(())
    }
}

/// Starts a graph of one component.
fn flow(
    graph: &'static str,
    name: &str,
    component: impl Component<NoPorts> + Send,
) -> Result<kamea::Flow, GraphError> {
    let mut graph = Graph::new(graph);
    graph.add(name, component);
    graph.start()
}

/// Logs the output of a worker, line by line.
fn log_output(output: PipeReader, id: u32, level: log::Level) -> Result<kamea::Flow, GraphError> {
    let mut graph = Graph::new("wsgi output");
    let output = graph.add("output", read_pipe(output));
    let log = graph.add("log", log_lines(format!("WSGI {id}"), level));
    graph.link(output.outbox, log.inbox);
    graph.start()
}

/// Starts a process and manages it until its end. The process ends after `most` requests.
fn run_process(
    slot: usize,
    most: Option<u64>,
    pool: Arc<Pool>,
    follow: Sender<Follow>,
) -> impl Component<NoPorts> + Send {
    async move |_: &mut NoPorts| {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let command = pool.application.command(theirs);
        let mut process = match Process::start(&command).await {
            Ok(process) => process,
            Err(error) => {
                let python = pool.application.python.display();
                pool.failed(slot, format!("cannot start {python}: {error}"));
                return Ok(());
            }
        };
        // The worker has its own copy of its end of the control socket; ours must be closed.
        drop(command);
        let printed = Flows::new();
        let id = process.id();
        let outputs = [
            (process.stdout.take(), log::Level::Info),
            (process.stderr.take(), log::Level::Warn),
        ];
        for (output, level) in outputs {
            if let Some(output) = output {
                printed.spawn(log_output(output, id, level)?);
            }
        }
        let mut life = Life::new(slot, most, &pool, &follow, ours)?;
        let outcome = life.run(&process).await;
        life.end(process).await;
        if let Err(error) = outcome {
            log::error!("WSGI: worker {id} was given up: {error}");
        }
        printed.finished().await;
        Ok(())
    }
}

/// Runs a keeper for each process of the pool, and ends with the last of them.
pub(super) fn keep_workers(pool: Arc<Pool>) -> impl Component<NoPorts> + Send {
    async move |_: &mut NoPorts| -> Done {
        let keepers = Flows::new();
        for slot in 0..pool.application.workers {
            keepers.spawn(flow(
                "wsgi worker",
                "keeper",
                keep_worker(slot, pool.clone()),
            )?);
        }
        keepers.finished().await;
        Ok(())
    }
}
