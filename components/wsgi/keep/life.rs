//! A worker process from its start to its end.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Flows, Sender, link};
use tokio::sync::Notify;

use super::{Follow, flow};
use crate::process::Process;
use crate::wsgi::control::{Control, Told};
use crate::wsgi::pool::{Begun, Key, Pool};
use crate::wsgi::relay::relay_exchanges;
use crate::wsgi::upgrade::answer_upgrade;

/// How often a busy process is checked.
const LOOK: Duration = Duration::from_millis(5);

/// How often a process is checked while it loads the application.
const LOADING: Duration = Duration::from_millis(100);

/// The capacity of the ledger for withdrawn requests; it is larger than the number of requests sent
/// ahead.
const WITHDRAWN: u64 = 256;

/// How long a process may take to exit by itself.
const GRACE: Duration = Duration::from_secs(3);

/// How long the remaining output of a process may take to be read after its exit.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// A process from its start to its end.
pub(super) struct Life<'a> {
    slot: usize,
    /// The number of requests after which it is replaced.
    most: Option<u64>,
    key: Key,
    pool: &'a Arc<Pool>,
    follow: &'a Sender<Follow>,
    control: Control,
    channels: Flows,
    /// Ends each connection that the application has taken over, when it is dropped.
    upgraded: Vec<Sender<Infallible>>,
    monitor: Arc<Notify>,
    queue: Option<OwnedFd>,
    /// When it closes, the system ends the process.
    lifeline: Option<OwnedFd>,
    /// Where the process records which requests it has begun.
    ledger: Option<OwnedFd>,
    stage: Stage,
    /// Whether a replacement has been started, or soon will be.
    is_followed: bool,
    /// The progress at the last check.
    progress: u64,
    /// How many extra threads were requested since it was last idle.
    helped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Ready,
    /// The application could not be loaded; perhaps it can after its source has changed.
    Failed,
    /// It was asked to end, before this time.
    Ending(Instant),
}

enum Event {
    Told(Option<Told>),
    Exited(ExitStatus),
    Check,
    Deserted,
}

impl<'a> Life<'a> {
    pub(super) fn new(
        slot: usize,
        most: Option<u64>,
        pool: &'a Arc<Pool>,
        follow: &'a Sender<Follow>,
        control: OwnedFd,
    ) -> io::Result<Self> {
        Ok(Self {
            slot,
            most,
            key: pool.name(),
            pool,
            follow,
            control: Control::new(control)?,
            channels: Flows::new(),
            upgraded: Vec::new(),
            monitor: Arc::default(),
            queue: None,
            lifeline: None,
            ledger: None,
            stage: Stage::Loading,
            is_followed: false,
            progress: 0,
            helped: 0,
        })
    }

    /// Manages the process until it has ended, or must be ended.
    pub(super) async fn run(&mut self, process: &Process) -> io::Result<()> {
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
                    // It has closed its end, and is about to exit.
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
                Event::Check => {
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
            Ok(Event::Check)
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

    /// Handles a report of the process; returns whether the process continues.
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
            Told::Upgraded { socket, number } => self.upgrade(socket, number)?,
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
                // No request depends on a process that could not load the application.
                return Ok(self.stage == Stage::Ready);
            }
            Told::GivenBack(last) => {
                if last > 0 {
                    self.forget_withdrawn();
                }
                self.pool.give_back(self.key, last);
            }
            Told::Skipped(number) => drop(self.pool.finish(self.key, number)),
        }
        Ok(true)
    }

    /// Hands the connection of a request over to the application. Without a request, the socket is
    /// closed, and the application notices.
    fn upgrade(&mut self, socket: OwnedFd, number: u64) -> io::Result<()> {
        if let Begun::Job(job) = self.pool.begin(self.key, number) {
            let (held, is_held) = link(1);
            self.upgraded.retain(|held| !held.is_closed());
            self.upgraded.push(held);
            let within = self.pool.application.timeout;
            let answer = answer_upgrade(socket, *job, is_held, within);
            let answer = flow("wsgi upgrade", "answer", answer).map_err(io::Error::other)?;
            self.channels.spawn(answer);
        }
        Ok(())
    }

    /// Records which requests the process need not begin; it checks this before it begins one.
    fn withdraw(&self, unwanted: &[u64]) {
        let Some(ledger) = &self.ledger else {
            return;
        };
        for number in unwanted {
            log::debug!("WSGI: request {number} is not wanted any more");
            let place = 8 * (1 + number % WITHDRAWN);
            // A request that cannot be recorded is begun, and its response ignored.
            let _ = rustix::io::pwrite(ledger, &number.to_ne_bytes(), place);
        }
    }

    /// The process has given back the requests that it has not begun, so their numbers will be used
    /// again, for requests that it must begin. Of those before them it has begun all.
    fn forget_withdrawn(&self) {
        if let Some(ledger) = &self.ledger {
            let none = [0; 8 * WITHDRAWN as usize];
            let _ = rustix::io::pwrite(ledger, &none, 8);
        }
    }

    /// Starts a replacement for this process, which gets no further requests.
    fn replace(&mut self) {
        self.pool.retire(self.key);
        self.ask_for_follower();
    }

    fn ask_for_follower(&mut self) {
        if !std::mem::replace(&mut self.is_followed, true) {
            // The channel has room for the only message that is ever sent.
            let _ = self.follow.try_send(Follow);
        }
    }

    /// Checks the process; returns whether it continues.
    fn look(&mut self, id: u32) -> io::Result<bool> {
        if let Stage::Ending(deadline) = self.stage {
            return Ok(now() < deadline);
        }
        let expired = self.pool.expire(self.key);
        self.withdraw(&expired.unwanted);
        if expired.hangs {
            log::error!("WSGI: worker {id} hangs, and is replaced");
            self.replace();
        }
        let Some(standing) = self.pool.standing(self.key) else {
            return Ok(true);
        };
        if standing.is_retiring {
            // They would hold the process for as long as their clients stay.
            self.upgraded.clear();
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

    /// Ends the process, if it has not exited itself; other processes get the requests that it has
    /// not begun.
    pub(super) async fn end(self, process: Process) {
        drop(process);
        // Its last answers are still in its channels.
        or(self.channels.finished(), sleep(LEFTOVERS)).await;
        let mut begun = [0; 8];
        let read = self
            .ledger
            .as_ref()
            .map(|ledger| rustix::io::pread(ledger, &mut begun, 0));
        let begun = match read {
            Some(Ok(8)) => u64::from_ne_bytes(begun),
            // Without the ledger, no request is sent again: it could be begun twice.
            _ => u64::MAX,
        };
        self.pool.lost(self.key, begun);
    }
}
