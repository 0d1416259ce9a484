//! The pool: its worker processes, their requests, and the queue of waiting requests.
//!
//! A process gets its requests in advance, in the order in which it serves them: some more than it
//! has threads, so that it never waits for the next one. This delays no request: if a process dies
//! or is blocked, another process gets the requests that it has not begun.

mod clients;
mod order;
mod process;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use kamea::Sender;
use kamea::time::now;
use tokio::sync::Notify;

use super::WsgiApplication;
use crate::net::{Others, client_of};
use crate::web::{Content, Exchange, Failure, Incomplete, Response};
use clients::Clients;
use process::{Entry, Process, Work};

/// The result of a request.
pub(super) type Outcome = Result<Response, Failure>;

/// A request on its path to a process.
#[derive(Debug)]
pub(super) struct Job {
    /// The request, encoded for a process.
    pub(super) frame: Bytes,
    pub(super) exchange: Exchange,
    pub(super) content: Option<Box<Content>>,
    /// The receiver of its result.
    pub(super) outcomes: Sender<Outcome>,
    /// When it arrived.
    pub(super) since: Instant,
}

impl Job {
    /// The client that shares the processes with other clients.
    pub(super) fn client(&self) -> IpAddr {
        client_of(self.exchange.peer.ip())
    }

    /// Reports to its client that it has failed.
    pub(super) fn fail(&self, status: StatusCode, explanation: &'static str) {
        let failure = Failure::new(self.exchange, status, explanation);
        self.conclude(Err(failure));
    }

    /// Reports to its client that its body was incomplete: nothing can follow on the connection.
    pub(super) fn fail_cut_off(&self, cut: Incomplete) {
        self.conclude(Err(Failure::incomplete(self.exchange, cut)));
    }

    /// Reports to its client that there is no capacity, and when to try again.
    fn refuse(&self, explanation: &'static str) {
        let failure = Failure::new(self.exchange, StatusCode::SERVICE_UNAVAILABLE, explanation);
        self.conclude(Err(failure.with("Retry-After", "1")));
    }

    /// Sends its result; returns whether anybody wants it.
    pub(super) fn conclude(&self, outcome: Outcome) -> bool {
        // The channel has room for the results of all open requests of a connection.
        self.outcomes.try_send(outcome).is_ok()
    }
}

/// The worker processes of one application, shared by all users of the pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) application: WsgiApplication,
    state: Mutex<State>,
    /// Notified for the callers that wait for the first processes.
    settled: Condvar,
    /// Whether the pool has no users any more.
    is_deserted: AtomicBool,
    deserted: Notify,
}

#[derive(Debug)]
struct State {
    slots: Vec<Slot>,
    processes: Vec<Process>,
    waiting: VecDeque<Job>,
    clients: Clients,
    others: Others,
    /// How many processes have been started.
    count: u64,
    /// Whether every slot has had a process that loaded the application.
    was_loaded: bool,
}

/// The state of the process, or the successive processes, of one keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    Starting,
    Ready,
    Failed(String),
}

/// Identifies a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

/// The state of a request that a process has begun.
#[derive(Debug)]
pub(super) enum Begun {
    /// This channel handles it.
    Job(Box<Job>),
    /// Nobody waits for it any more.
    Unwanted,
    /// No such request was sent.
    Unknown,
}

/// The result of a check of a process.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// Whether a request takes too long.
    pub(super) hangs: bool,
    /// The numbers of the requests that it need not begin.
    pub(super) unwanted: Vec<u64>,
}

/// The state of a process, for its monitor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The number of its unfinished requests.
    pub(super) live: usize,
    /// Changes whenever it begins or finishes a request.
    pub(super) progress: u64,
    pub(super) finished: u64,
    pub(super) is_retiring: bool,
    /// Whether another process has a free thread.
    pub(super) others_are_free: bool,
}

impl Pool {
    pub(super) fn new(application: WsgiApplication) -> Self {
        let state = State {
            slots: vec![Slot::Starting; application.workers],
            processes: Vec::new(),
            waiting: VecDeque::new(),
            clients: Clients::default(),
            others: Others::default(),
            count: 0,
            was_loaded: false,
        };
        Self {
            application,
            state: Mutex::new(state),
            settled: Condvar::new(),
            is_deserted: AtomicBool::new(false),
            deserted: Notify::new(),
        }
    }

    /// Nobody will send requests any more: ends the processes.
    pub(super) fn desert(&self) {
        self.is_deserted.store(true, Ordering::Release);
        self.deserted.notify_waiters();
    }

    pub(super) fn is_deserted(&self) -> bool {
        self.is_deserted.load(Ordering::Acquire)
    }

    /// Waits until nobody can send requests any more.
    pub(super) async fn deserted(&self) {
        // Created before the check: an event between the two is not missed.
        let notified = self.deserted.notified();
        if !self.is_deserted() {
            notified.await;
        }
    }

    /// No operation under the lock can leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> usize {
        self.application.threads
    }

    /// Blocks until every process has loaded the application.
    pub(super) fn wait_until_loaded(&self) -> Result<(), String> {
        let mut state = self.lock();
        loop {
            for slot in &state.slots {
                if let Slot::Failed(error) = slot {
                    return Err(error.clone());
                }
            }
            if state.slots.iter().all(|slot| *slot == Slot::Ready) {
                state.was_loaded = true;
                return Ok(());
            }
            let waited = self.settled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Creates the key of a process that is about to start.
    pub(super) fn name(&self) -> Key {
        let mut state = self.lock();
        state.count += 1;
        Key(state.count)
    }

    /// Records that a process could not load the application.
    pub(super) fn failed(&self, slot: usize, error: String) {
        let mut state = self.lock();
        // The caller that waits for the first processes reports the reason.
        if state.was_loaded {
            log::error!("WSGI: {error}");
        }
        state.slots[slot] = Slot::Failed(error);
        if state.is_out_of_order() {
            for job in std::mem::take(&mut state.waiting) {
                job.fail(StatusCode::SERVICE_UNAVAILABLE, OUT_OF_ORDER);
            }
        }
        self.settled.notify_all();
    }

    /// Records that a process has loaded the application; it replaces the previous one.
    pub(super) fn ready(&self, key: Key, slot: usize, queue: OwnedFd, monitor: Arc<Notify>) {
        let mut state = self.lock();
        state.slots[slot] = Slot::Ready;
        for old in &mut state.processes {
            if old.slot == slot {
                old.is_retiring = true;
                old.monitor.notify_one();
            }
        }
        state.processes.push(Process {
            key,
            slot,
            queue,
            unsent: BytesMut::new(),
            last: 0,
            live: VecDeque::new(),
            finished: 0,
            is_retiring: false,
            is_giving_back: false,
            hangs: false,
            progress: 0,
            monitor,
            is_idle: false,
        });
        state.send_waiting(&self.application);
        state.processes.iter_mut().for_each(Process::flush);
        self.settled.notify_all();
    }

    /// Sends a request to the process with the fewest requests, as soon as one has room for it.
    pub(super) fn submit(&self, job: Job) {
        let mut state = self.lock();
        if state.is_out_of_order() {
            return job.fail(StatusCode::SERVICE_UNAVAILABLE, OUT_OF_ORDER);
        }
        state.others.note(job.client());
        // The waiting requests had their chance; one of another client may still go first.
        match state.send(job, self.threads()) {
            Ok(process) => process.flush(),
            Err(job) => state.wait(*job, self.application.waiting),
        }
    }

    /// Records that a process has begun a request; returns the request to the channel that reports
    /// it.
    pub(super) fn begin(&self, key: Key, number: u64) -> Begun {
        let mut state = self.lock();
        let Some(process) = state.process(key) else {
            return Begun::Unknown;
        };
        process.progress += 1;
        let mut live = process.live.iter_mut();
        let Some(entry) = live.find(|entry| entry.number == number) else {
            return Begun::Unknown;
        };
        match std::mem::replace(&mut entry.work, Work::Begun) {
            Work::Sent(job) => Begun::Job(Box::new(job)),
            Work::Begun => Begun::Unknown,
            Work::Unwanted => {
                entry.work = Work::Unwanted;
                Begun::Unwanted
            }
        }
    }

    /// Records that a process has finished a request; returns the request, if no channel has it.
    /// [`flush`](Self::flush) sends the process its next requests.
    pub(super) fn finish(&self, key: Key, number: u64) -> Option<Job> {
        let mut state = self.lock();
        let process = state.process(key)?;
        let entry = process.remove(number, self.threads())?;
        process.finished += 1;
        process.progress += 1;
        match entry.work {
            // A process skips it, or its client has left early: that is no proof of a quick client.
            Work::Unwanted => state.clients.note_slow(entry.address, entry.begun),
            Work::Sent(_) | Work::Begun => state.clients.note(entry.address, entry.begun),
        }
        if !state.waiting.is_empty() {
            state.send_waiting(&self.application);
            let others = state.processes.iter_mut().filter(|other| other.key != key);
            others.for_each(Process::flush);
        }
        match entry.work {
            Work::Sent(job) => Some(job),
            Work::Begun | Work::Unwanted => None,
        }
    }

    /// Sends a process the requests that are queued for it.
    pub(super) fn flush(&self, key: Key) {
        if let Some(process) = self.lock().process(key) {
            process.flush();
        }
    }

    /// Records that nobody wants the response to a request any more: its thread learns that at its
    /// next message.
    pub(super) fn abandon(&self, key: Key, number: u64) {
        let mut state = self.lock();
        if let Some(process) = state.process(key)
            && let Some(entry) = process.live.iter_mut().find(|entry| entry.number == number)
        {
            (entry.work, entry.since) = (Work::Unwanted, now());
        }
    }

    /// A process gets no further requests from now on.
    pub(super) fn retire(&self, key: Key) {
        let mut state = self.lock();
        if let Some(process) = state.process(key) {
            process.is_retiring = true;
            process.monitor.notify_one();
        }
    }

    /// Begins to take back the requests that a process has not begun; returns whether the process
    /// may be asked for that.
    pub(super) fn ask_back(&self, key: Key) -> bool {
        let mut state = self.lock();
        let Some(process) = state.process(key) else {
            return false;
        };
        process.flush();
        let may = process.unsent.is_empty() && !process.is_giving_back;
        process.is_giving_back |= may;
        may
    }

    /// A process has returned all requests after `last`. If `last` is 0, it has returned none.
    pub(super) fn give_back(&self, key: Key, last: u64) {
        let mut state = self.lock();
        let Some(process) = state.process(key) else {
            return;
        };
        process.is_giving_back = false;
        if last > 0 {
            let jobs = process.take_after(last);
            process.last = last;
            state.put_back(jobs);
        }
        state.send_waiting(&self.application);
        state.processes.iter_mut().for_each(Process::flush);
    }

    /// Removes a process that has ended. Other processes get the requests that it has not begun
    /// (`begun` is the number of the last request that it has begun).
    pub(super) fn lost(&self, key: Key, begun: u64) {
        let mut state = self.lock();
        let Some(at) = state.processes.iter().position(|known| known.key == key) else {
            return;
        };
        let mut process = state.processes.remove(at);
        let jobs = process.take_after(begun);
        state.put_back(jobs);
        let slot = process.slot;
        if !state.processes.iter().any(|other| other.slot == slot)
            && state.slots[slot] == Slot::Ready
        {
            state.slots[slot] = Slot::Starting;
        }
        for entry in process.live {
            if let Work::Sent(job) = entry.work {
                job.fail(
                    StatusCode::BAD_GATEWAY,
                    "the application ended before it answered",
                );
            }
        }
        state.send_waiting(&self.application);
        state.processes.iter_mut().for_each(Process::flush);
    }

    /// Answers requests that have waited too long, in any queue, and drops those that nobody waits
    /// for any more.
    pub(super) fn expire(&self, key: Key) -> Expired {
        let threads = self.threads();
        let mut state = self.lock();
        state.waiting.retain(|job| !job.outcomes.is_closed());
        state.refuse_late(&self.application);
        let State {
            processes, clients, ..
        } = &mut *state;
        let Some(process) = processes.iter_mut().find(|process| process.key == key) else {
            return Expired::default();
        };
        process.flush();
        for entry in process.live.iter().take(threads) {
            clients.note_slow(entry.address, entry.begun);
        }
        let is_late = |entry: &&Entry| {
            !matches!(entry.work, Work::Begun) && self.application.is_late(entry.since)
        };
        let late = process.live.iter().take(threads).filter(is_late);
        let late: Vec<_> = late.map(|entry| entry.number).collect();
        for &number in &late {
            if let Some(Entry {
                work: Work::Sent(job),
                ..
            }) = process.remove(number, threads)
            {
                job.fail(
                    StatusCode::GATEWAY_TIMEOUT,
                    "the application did not answer in time",
                );
            }
        }
        process.hangs |= !late.is_empty();
        Expired {
            hangs: !late.is_empty(),
            unwanted: process.give_up(&self.application),
        }
    }

    /// The state of a process; `None` if the process does not belong to the pool.
    pub(super) fn standing(&self, key: Key) -> Option<Standing> {
        let threads = self.threads();
        let mut state = self.lock();
        let is_free =
            |other: &Process| other.key != key && !other.is_retiring && other.live.len() < threads;
        let others_are_free = state.processes.iter().any(is_free);
        let process = state.process(key)?;
        let is_unwanted = |entry: &Entry| matches!(entry.work, Work::Unwanted);
        // The pool waits for a hanging process only as long as somebody waits for its response.
        let is_left = process.hangs && process.live.iter().all(is_unwanted);
        Some(Standing {
            live: if is_left { 0 } else { process.live.len() },
            progress: process.progress,
            finished: process.finished,
            is_retiring: process.is_retiring,
            others_are_free,
        })
    }

    /// Asks whether the monitor of a process may sleep until it is notified, because there is
    /// nothing to do.
    pub(super) fn rest(&self, key: Key) -> bool {
        let mut state = self.lock();
        let is_idle = state.waiting.is_empty();
        state.process(key).is_some_and(|process| {
            process.is_idle = is_idle && process.live.is_empty() && !process.is_retiring;
            process.is_idle
        })
    }
}

const OUT_OF_ORDER: &str = "the application could not be loaded";

impl State {
    fn process(&mut self, key: Key) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.key == key)
    }

    /// Whether no process can serve a request until the application has changed.
    fn is_out_of_order(&self) -> bool {
        self.processes.iter().all(|process| process.is_retiring)
            && self
                .slots
                .iter()
                .all(|slot| matches!(slot, Slot::Failed(_)))
    }

    /// Queues a request, unless too many are waiting, or too many of the same client.
    fn wait(&mut self, job: Job, most: usize) {
        let address = job.client();
        let is_same = |other: &&Job| other.client() == address;
        let is_full = self.waiting.len() >= most;
        // Half of the queue is for the other clients. As long as that half is empty, no counting is
        // needed.
        let half = most.div_ceil(2);
        let is_greedy = self.waiting.len() >= half
            && self.waiting.iter().filter(is_same).count() >= half
            && self.others.are_there_beside(address);
        if is_full || is_greedy {
            return job.refuse("too many requests wait for the application");
        }
        self.waiting.push_back(job);
    }

    /// Answers requests that have waited too long.
    fn refuse_late(&mut self, application: &WsgiApplication) {
        let is_late = |job: &mut Job| application.is_late(job.since);
        while let Some(job) = self.waiting.pop_front_if(is_late) {
            job.refuse("the application is too busy");
        }
    }

    /// Puts requests that arrived earlier before the waiting ones.
    fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.waiting.push_front(job);
        }
    }
}
