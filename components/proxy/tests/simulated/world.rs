//! What was asked in a simulation, what became of it, and what must hold in the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::random;
use tokio::sync::watch;

use super::backend::Fate;
use super::client::Seen;
use super::{Answers, Asked, Behaviour, Conditions, Network};
use crate::backends::Group;

/// A world, and what happens in it.
pub(super) struct World {
    pub(super) backends: u8,
    /// How often a backend fails, or does something odd.
    badness: f64,
    /// How often a backend dies.
    deadliness: f64,
    /// Whether connections to backends may be lost at any moment.
    is_lossy: bool,
    /// Whether the server is stopped at some time.
    pub(super) is_stopped: bool,
    /// How long backends wait for the next request at most, if they do not wait for ever.
    pub(super) idle: Duration,
    pub(super) ejection: u32,
    pub(super) most_connections: Option<u32>,
    is_healed: AtomicBool,
    /// Set when everything has ended.
    pub(super) over: watch::Sender<bool>,
    asked: Mutex<HashMap<u64, Asked>>,
    attempts: Mutex<HashMap<u64, Vec<Attempt>>>,
    clients: Mutex<Vec<Client>>,
}

/// How many requests each backend gets when all are well again.
pub(super) const RECOVERED: usize = 5;

/// A request as it arrived at a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    backend: usize,
    fate: Fate,
    is_whole: bool,
}

/// A client that has ended.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) behaviour: Behaviour,
    pub(super) requests: Vec<Asked>,
    pub(super) answers: Answers,
}

/// A connection that is never lost.
pub(super) fn good() -> Conditions {
    Conditions {
        latency: Duration::from_micros([0, 100, 10_000][random::usize(..3)]),
        window: [1024, 64 * 1024][random::usize(..2)],
        fragmentation: [0.0, 0.5, 1.0][random::usize(..3)],
        ..Conditions::default()
    }
}

impl World {
    /// Any world.
    pub(super) fn draw() -> Self {
        Self {
            badness: [0.1, 0.3, 0.8][random::usize(..3)],
            deadliness: [0.0, 0.5][random::usize(..2)],
            is_lossy: random::chance(0.2),
            is_stopped: random::chance(0.1),
            ejection: [0, 1, 3][random::usize(..3)],
            most_connections: [None, None, Some(1), Some(2)][random::usize(..4)],
            ..Self::draw_calm()
        }
    }

    /// A world where nothing happens, except that backends close idle connections.
    pub(super) fn draw_calm() -> Self {
        Self {
            backends: [1, 2, 3][random::usize(..3)],
            badness: 0.0,
            deadliness: 0.0,
            is_lossy: false,
            is_stopped: false,
            idle: Duration::from_millis([1, 100, 2_000][random::usize(..3)]),
            ejection: 1,
            most_connections: None,
            is_healed: AtomicBool::new(false),
            over: watch::Sender::new(false),
            asked: Mutex::default(),
            attempts: Mutex::default(),
            clients: Mutex::default(),
        }
    }

    /// The network of the backends.
    pub(super) fn network(self: &Arc<Self>) -> Network {
        let world = self.clone();
        Network::new(move || {
            let is_lossy = world.is_lossy && !world.is_healed.load(Relaxed);
            match is_lossy {
                true => good().and_lost(),
                false => good(),
            }
        })
    }

    pub(super) fn badness(&self) -> f64 {
        match self.is_healed.load(Relaxed) {
            true => 0.0,
            false => self.badness,
        }
    }

    pub(super) fn deadliness(&self) -> f64 {
        match self.is_healed.load(Relaxed) {
            true => 0.0,
            false => self.deadliness,
        }
    }

    /// From now on, backends are well.
    pub(super) fn heal(&self) {
        self.is_healed.store(true, Relaxed);
    }

    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    pub(super) fn ask(&self, asked: Asked) {
        self.asked.lock().unwrap().insert(asked.id, asked);
    }

    /// The request with this number.
    pub(super) fn asked(&self, id: u64) -> Asked {
        let asked = self.asked.lock().unwrap();
        asked.get(&id).expect("a request that was asked").clone()
    }

    /// Notes the head of a request at a backend; returns the number of the attempt.
    pub(super) fn arrived(&self, id: u64, backend: usize, fate: Fate) -> usize {
        let mut attempts = self.attempts.lock().unwrap();
        let attempts = attempts.entry(id).or_default();
        attempts.push(Attempt {
            backend,
            fate,
            is_whole: false,
        });
        attempts.len() - 1
    }

    /// Notes that all of a request has arrived.
    pub(super) fn received(&self, id: u64, attempt: usize) {
        self.attempts.lock().unwrap().get_mut(&id).unwrap()[attempt].is_whole = true;
    }

    pub(super) fn note(&self, client: Client) {
        self.clients.lock().unwrap().push(client);
    }

    fn attempts(&self, id: u64) -> Vec<Attempt> {
        let attempts = self.attempts.lock().unwrap();
        attempts.get(&id).cloned().unwrap_or_default()
    }

    /// Checks that all backends have got some of these requests, and answered all.
    pub(super) fn check_recovery(&self, requests: &[Asked], answers: &Answers) {
        if self.is_stopped {
            return;
        }
        let expected = vec![Seen::Whole(200); requests.len()];
        assert_eq!(answers.seen, expected, "after all backends are well");
        let mut counts = vec![0_usize; self.backends.into()];
        for request in requests {
            for attempt in self.attempts(request.id) {
                counts[attempt.backend] += 1;
            }
        }
        // What came before may have left a part of a turn to each.
        let least = counts.iter().min().copied();
        assert!(least >= Some(RECOVERED - 2), "shares of {counts:?}");
    }

    /// Checks everything, after the end.
    pub(super) fn check(&self, groups: &[Arc<Group>]) {
        let clients = self.clients.lock().unwrap();
        for client in &*clients {
            self.check_client(client, groups);
        }
        let asked = self.asked.lock().unwrap();
        for request in asked.values() {
            let attempts = self.attempts(request.id);
            // Each of 1 + 2 attempts may meet a connection that ends.
            let most = if request.is_idempotent() { 6 } else { 1 };
            assert!(attempts.len() <= most, "{request:?}: {attempts:?}");
        }
        for group in groups {
            assert_eq!(group.waiting(), 0, "requests wait for ever");
            for state in group.backends() {
                let status = state.status();
                assert_eq!((status.open, status.idle), (0, 0), "{status:?}");
                assert!(status.requests >= status.failures, "{status:?}");
            }
        }
    }

    fn check_client(&self, client: &Client, groups: &[Arc<Group>]) {
        let answers = &client.answers;
        assert!(answers.seen.len() <= client.requests.len());
        let pairs = client.requests.iter().zip(&answers.seen);
        for (request, seen) in pairs {
            let attempts = self.attempts(request.id);
            self.check_answer(client, request, *seen, &attempts, groups);
        }
        if client.behaviour == Behaviour::Leaving || self.is_stopped {
            return;
        }
        assert!(answers.is_connected);
        let is_cut = answers.seen.last() == Some(&Seen::Cut);
        let waits = client.requests.get(answers.seen.len().saturating_sub(1));
        // It has not sent the body of its last request, because a response came first.
        let has_stopped = waits.is_some_and(|request| request.waits);
        if !is_cut && !answers.closes && !has_stopped {
            let (seen, asked) = (answers.seen.len(), client.requests.len());
            let attempts: Vec<_> = client
                .requests
                .iter()
                .map(|one| self.attempts(one.id))
                .collect();
            assert_eq!(
                seen, asked,
                "a request was not answered: {client:?}, {attempts:?}"
            );
        }
    }

    fn check_answer(
        &self,
        client: &Client,
        request: &Asked,
        seen: Seen,
        attempts: &[Attempt],
        groups: &[Arc<Group>],
    ) {
        let last = attempts.last().map(|attempt| attempt.fate);
        let is_lost = self.is_lossy || self.is_stopped || self.deadliness > 0.0;
        let is_right = match seen {
            Seen::Whole(200) => last.is_some_and(Fate::is_answered),
            Seen::Whole(413) => last == Some(Fate::Early),
            Seen::Whole(502) => is_lost || self.is_bad_gateway(request, attempts, groups),
            Seen::Whole(503) => self.most_connections.is_some(),
            Seen::Whole(504) => is_lost || last == Some(Fate::Stall),
            Seen::Whole(_) => false,
            Seen::Cut => {
                is_lost || matches!(last, Some(Fate::HalfBody | Fate::StallBody | Fate::Early))
            }
        };
        assert!(
            is_right,
            "{seen:?} to {request:?}: {attempts:?}\n{client:?}"
        );
        if let (Seen::Whole(200), Some(last)) = (seen, attempts.last()) {
            assert!(last.is_whole, "answered without its body: {request:?}");
        }
    }

    /// Whether a request had no other chance.
    fn is_bad_gateway(&self, request: &Asked, attempts: &[Attempt], groups: &[Arc<Group>]) -> bool {
        match attempts.last().map(|attempt| attempt.fate) {
            // What is half there is not lost, so it is not asked for again. An early response may
            // be half there, because a reset overtakes the rest (RFC 9112 section 9.6).
            Some(Fate::HalfHead | Fate::Garbage | Fate::Early) => true,
            Some(Fate::CloseAfterHead | Fate::CloseAfterRequest) => {
                let retries = groups.iter().map(|group| group.totals().1).max();
                let may_repeat = request.is_idempotent() && request.sends < 64 * 1024;
                !may_repeat || attempts.len() >= 3 || retries >= Some(10)
            }
            _ => false,
        }
    }
}
