//! The keeper of a worker process: starts it, and another one when it has died, hangs, has served enough, or its source has changed.
//!
//! ```text
//! keeper ╌╌ starts, one after another ╌╌▶ process ╌╌ starts, for each thread ╌╌▶ relay
//!                                           ├╌╌ a control socket, a monitor
//!                                           └╌╌ starts two loggers: what it prints goes to our log
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, Flows, Graph, GraphError, Sender, link};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::sync::Notify;

use super::control::{Control, Told};
use super::pool::{Key, Pool};
use super::print::log_lines;
use super::relay::relay_exchanges;
use crate::http::NoPorts;
use crate::process::Process;

/// How often a process that has something to do is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How often a process is looked at while it loads the application.
const LOADING: Duration = Duration::from_millis(100);

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// How long what a process has written may take to be read once it has ended.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// How long the keeper waits before it replaces a process that ended at once: at first, and at the most.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A process that lived for so long did not end at once.
const LONG: Duration = Duration::from_secs(10);

/// What a process tells its keeper: that another one is to take its place.
struct Follow;

/// Keeps a process of the pool running until the pool is deserted.
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

/// A graph of one component, running.
fn flow(
    graph: &'static str,
    name: &str,
    component: impl Component<NoPorts> + Send,
) -> Result<kamea::Flow, GraphError> {
    let mut graph = Graph::new(graph);
    graph.add(name, component);
    graph.start()
}

/// Starts a process and sees to it until its end. It is to end after `most` requests.
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
        // The worker has its end of the control socket; ours must be the only other one.
        drop(command);
        let printed = Flows::new();
        let id = process.id();
        let outputs = [
            (process.stdout.take(), log::Level::Info),
            (process.stderr.take(), log::Level::Warn),
        ];
        for (output, level) in outputs {
            if let Some(output) = output {
                printed.spawn(flow("wsgi output", "logger", log_lines(output, id, level))?);
            }
        }
        let mut life = Life {
            slot,
            most,
            key: pool.name(),
            pool: &pool,
            follow: &follow,
            control: Control::new(ours)?,
            channels: Flows::new(),
            monitor: Arc::default(),
            queue: None,
            lifeline: None,
            ledger: None,
            stage: Stage::Loading,
            is_followed: false,
            progress: 0,
            helped: 0,
        };
        let outcome = life.run(&process).await;
        life.end(process).await;
        if let Err(error) = outcome {
            log::error!("WSGI: worker {id} was given up: {error}");
        }
        printed.finished().await;
        Ok(())
    }
}

/// A process from its start to its end.
struct Life<'a> {
    slot: usize,
    /// After how many requests it is replaced.
    most: Option<u64>,
    key: Key,
    pool: &'a Arc<Pool>,
    follow: &'a Sender<Follow>,
    control: Control,
    channels: Flows,
    monitor: Arc<Notify>,
    queue: Option<OwnedFd>,
    /// When it closes, the system ends the process.
    lifeline: Option<OwnedFd>,
    /// Where the process notes which requests it has begun.
    ledger: Option<OwnedFd>,
    stage: Stage,
    /// Whether another process takes its place, or soon will.
    is_followed: bool,
    /// What the last look has found.
    progress: u64,
    /// How many more threads were asked for since it had nothing to do.
    helped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Ready,
    /// The application could not be loaded; perhaps it can once its source has changed.
    Failed,
    /// It has been told to end, and has until then.
    Ending(Instant),
}

enum Event {
    Told(Option<Told>),
    Exited(std::process::ExitStatus),
    Look,
    Deserted,
}

impl Life<'_> {
    async fn run(&mut self, process: &Process) -> io::Result<()> {
        let mut is_deserted = false;
        loop {
            match self.next_event(process, is_deserted).await? {
                Event::Told(Some(told)) => {
                    if !self.heed(told)? {
                        return Ok(());
                    }
                }
                Event::Exited(status) => {
                    self.note_end(process.id(), &status.to_string());
                    return Ok(());
                }
                Event::Told(None) => {
                    // It has closed its end, and is about to end.
                    let exited = async { Ok(process.exited().await?.to_string()) };
                    let late = async {
                        sleep(GRACE).await;
                        Ok("it has closed its sockets".to_owned())
                    };
                    let status: io::Result<_> = or(exited, late).await;
                    self.note_end(process.id(), &status?);
                    return Ok(());
                }
                Event::Deserted => {
                    is_deserted = true;
                    self.is_followed = true;
                    if self.stage != Stage::Ready {
                        return Ok(());
                    }
                    self.pool.retire(self.key);
                }
                Event::Look => {
                    if !self.look(process.id())? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn note_end(&self, id: u32, status: &str) {
        match self.stage {
            Stage::Ending(_) => log::debug!("WSGI: worker {id} ended: {status}"),
            Stage::Loading => {
                let name = &self.pool.application.name;
                let error = format!("cannot load {name}: Python ended: {status}");
                self.pool.failed(self.slot, error);
            }
            Stage::Ready | Stage::Failed => log::error!("WSGI: worker {id} died: {status}"),
        }
    }

    async fn next_event(&self, process: &Process, is_deserted: bool) -> io::Result<Event> {
        let told = async { self.control.hear().await.map(Event::Told) };
        let exited = async { process.exited().await.map(Event::Exited) };
        let look = async {
            match self.stage {
                Stage::Ready if self.pool.rest(self.key) => self.monitor.notified().await,
                Stage::Ready | Stage::Ending(_) => sleep(LOOK).await,
                Stage::Loading | Stage::Failed => sleep(LOADING).await,
            }
            Ok(Event::Look)
        };
        let deserted = async {
            if is_deserted {
                std::future::pending::<()>().await;
            }
            self.pool.deserted().await;
            Ok(Event::Deserted)
        };
        or(told, or(exited, or(look, deserted))).await
    }

    /// Does what the process says; gives whether it goes on.
    fn heed(&mut self, told: Told) -> io::Result<bool> {
        match told {
            Told::Queue {
                queue,
                lifeline,
                ledger,
            } => {
                (self.queue, self.lifeline, self.ledger) =
                    (Some(queue), Some(lifeline), Some(ledger));
            }
            Told::Channel { socket, last } => {
                if last > 0 {
                    self.pool.finish(self.key, last);
                }
                let relay = relay_exchanges(socket, self.key, self.pool.clone());
                let relay = flow("wsgi channel", "relay", relay).map_err(io::Error::other)?;
                self.channels.spawn(relay);
            }
            Told::Ready => {
                let queue = self.queue.take().ok_or(io::ErrorKind::InvalidData)?;
                self.stage = Stage::Ready;
                self.pool
                    .ready(self.key, self.slot, queue, self.monitor.clone());
            }
            Told::NotLoaded(error) => {
                self.stage = Stage::Failed;
                let error = format!("cannot load {}: {error}", self.pool.application.name);
                self.pool.failed(self.slot, error);
                return Ok(self.pool.application.reload);
            }
            Told::Changed => {
                log::info!("WSGI: the source has changed");
                self.replace();
                // Nothing depends on a process that could not load the application.
                return Ok(self.stage == Stage::Ready);
            }
            Told::GivenBack(last) => self.pool.give_back(self.key, last),
        }
        Ok(true)
    }

    /// Has another process take the place of this one, which gets no further requests.
    fn replace(&mut self) {
        self.pool.retire(self.key);
        self.ask_for_follower();
    }

    fn ask_for_follower(&mut self) {
        if !std::mem::replace(&mut self.is_followed, true) {
            // There is room for the one message that is ever sent.
            let _ = self.follow.try_send(Follow);
        }
    }

    /// Looks how the process does; gives whether it goes on.
    fn look(&mut self, id: u32) -> io::Result<bool> {
        if let Stage::Ending(deadline) = self.stage {
            return Ok(now() < deadline);
        }
        if self.pool.expire(Some(self.key)) {
            log::error!("WSGI: worker {id} hangs, and is replaced");
            self.replace();
        }
        let Some(standing) = self.pool.standing(self.key) else {
            return Ok(true);
        };
        if standing.is_retiring {
            self.ask_for_follower();
            if standing.live == 0 {
                self.control.say(b'S')?;
                self.stage = Stage::Ending(now() + GRACE);
                return Ok(true);
            }
        }
        if self.most.is_some_and(|most| standing.finished >= most) {
            self.ask_for_follower();
        }
        let is_stalled = standing.live > 0 && standing.progress == self.progress;
        self.progress = standing.progress;
        if !is_stalled {
            self.helped = 0;
        } else {
            let threads = self.pool.application.threads;
            if self.helped + 1 < threads {
                self.helped += 1;
                self.control.say(b'H')?;
            } else if standing.live > threads
                && standing.others_are_free
                && self.pool.ask_back(self.key)
            {
                self.control.say(b'B')?;
            }
        }
        Ok(true)
    }

    /// Ends the process, if it has not ended itself; what it has not begun goes to others.
    async fn end(self, process: Process) {
        drop(process);
        // What it has answered is still in its channels.
        or(self.channels.finished(), sleep(LEFTOVERS)).await;
        let mut begun = [0; 8];
        let read = self
            .ledger
            .as_ref()
            .map(|ledger| rustix::io::pread(ledger, &mut begun, 0));
        let begun = match read {
            Some(Ok(8)) => u64::from_ne_bytes(begun),
            // Without the ledger, nothing is begun twice.
            _ => u64::MAX,
        };
        self.pool.lost(self.key, begun);
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
