//! A backend as it is now. All workers share it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kamea::time::now;

use super::Health;
use super::health::Condition;
use super::tls::TlsOfBackend;
use crate::plan::{ActiveCheck, Address, Backend, Ejection};
use crate::policy::hash_of;

/// A backend as it is now.
#[derive(Debug)]
pub struct BackendState {
    backend: Backend,
    /// Its address, for logs and pages.
    name: Arc<str>,
    /// Identifies its idle connections.
    id: u64,
    /// The same for the same address, whatever else is configured.
    key: u64,
    open: AtomicU32,
    weight: AtomicU32,
    is_draining: AtomicBool,
    /// Whether the condition has anything against it.
    is_suspect: AtomicBool,
    condition: Mutex<Condition>,
    /// When it came back, for its slow start.
    back_since: Mutex<Option<Instant>>,
    addresses: Mutex<Addresses>,
    counters: Counters,
    tls: TlsOfBackend,
}

/// The addresses of its name.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) known: Vec<SocketAddr>,
    /// The one that is tried first.
    pub(super) first: usize,
}

/// What has happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) reused: AtomicU64,
    pub(super) idle: AtomicU32,
    pub(super) received: AtomicU64,
    pub(super) server_errors: AtomicU64,
    pub(super) answered: AtomicU64,
    /// Microseconds until the responses began, in total.
    pub(super) waited: AtomicU64,
}

/// The figures of a backend at one moment.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct BackendStatus {
    /// Its address.
    pub address: String,
    /// `up`, `ejected`, `down` or `draining`.
    pub health: &'static str,
    /// Its share.
    pub weight: u32,
    /// Whether it only stands in for others.
    pub is_backup: bool,
    /// Requests in flight.
    pub open: u32,
    /// Idle connections.
    pub idle: u32,
    /// Requests since the start.
    pub requests: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Responses with a status of 500 or more.
    pub server_errors: u64,
    /// Connections that were opened.
    pub connects: u64,
    /// Requests over a connection that was open already.
    pub reused: u64,
    /// Bytes of bodies received.
    pub received: u64,
    /// Responses that have begun.
    pub answered: u64,
    /// The time until these began, in total, in microseconds.
    pub waited: u64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl BackendState {
    /// A backend that nothing is known about yet.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        let addresses = Addresses {
            known: literal(&backend.address).into_iter().collect(),
            first: 0,
        };
        Self {
            key: hash_of(backend.to_string().as_bytes()),
            name: backend.to_string().into(),
            id: NEXT_ID.fetch_add(1, Relaxed),
            open: AtomicU32::new(0),
            weight: AtomicU32::new(backend.weight),
            is_draining: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
            condition: Mutex::default(),
            back_since: Mutex::default(),
            addresses: Mutex::new(addresses),
            counters: Counters::default(),
            tls: TlsOfBackend::default(),
            backend,
        }
    }

    /// The backend as the configuration describes it.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Its address.
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    pub(crate) const fn key(&self) -> u64 {
        self.key
    }

    pub(super) const fn tls(&self) -> &TlsOfBackend {
        &self.tls
    }

    pub(super) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn addresses(&self) -> MutexGuard<'_, Addresses> {
        lock(&self.addresses)
    }

    /// Requests in flight.
    pub fn open(&self) -> u32 {
        self.open.load(SeqCst)
    }

    /// Takes a place for a request, unless it is at its limit.
    pub(crate) fn enter(&self) -> bool {
        let most = self.backend.most_connections.unwrap_or(u32::MAX);
        let more = |open: u32| (open < most).then_some(open + 1);
        let has_room = self.open.fetch_update(SeqCst, SeqCst, more).is_ok();
        if has_room {
            self.counters.requests.fetch_add(1, Relaxed);
        }
        has_room
    }

    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, SeqCst);
    }

    /// Whether it is at its limit of requests in flight.
    pub(super) fn is_full(&self) -> bool {
        let most = self.backend.most_connections;
        most.is_some_and(|most| self.open() >= most)
    }

    /// Whether it gets requests.
    pub fn health(&self) -> Health {
        if self.is_draining.load(Relaxed) {
            return Health::Draining;
        }
        match self.is_suspect.load(Relaxed) {
            true => lock(&self.condition).health(now()),
            false => Health::Up,
        }
    }

    /// Its share now, in hundredths of a weight of 1: less than its weight while it starts slowly.
    pub(super) fn share(&self) -> u32 {
        let weight = self.weight.load(Relaxed).saturating_mul(100);
        let whole = self.backend.slow_start;
        if whole.is_zero() {
            return weight;
        }
        let mut back_since = lock(&self.back_since);
        let Some(since) = *back_since else {
            return weight;
        };
        let passed = now().saturating_duration_since(since);
        if passed >= whole {
            *back_since = None;
            return weight;
        }
        let share = passed.as_secs_f64() / whole.as_secs_f64();
        // At least something, so that it gets a request at all.
        ((f64::from(weight) * share) as u32).max(1)
    }

    /// Its share without the slow start.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Sets its share, until the next change of the configuration. Zero: it gets nothing.
    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Relaxed);
    }

    /// Takes it out, or brings it back. What it is doing is not interrupted.
    pub fn set_draining(&self, is_draining: bool) {
        let was_draining = self.is_draining.swap(is_draining, Relaxed);
        if was_draining && !is_draining {
            self.is_back();
        }
    }

    fn is_back(&self) {
        *lock(&self.back_since) = Some(now());
    }

    /// Notes that a request failed at it.
    pub(crate) fn failed(&self, rule: &Ejection, why: &dyn std::fmt::Display) {
        self.counters.failures.fetch_add(1, Relaxed);
        let mut condition = lock(&self.condition);
        self.is_suspect.store(true, Relaxed);
        match condition.failed(now(), rule) {
            Some(pause) => {
                let seconds = pause.as_secs_f64();
                log::warn!("{} gets no requests for {seconds} s: {why}", self.backend);
                // Its weight grows when the pause is over.
                *lock(&self.back_since) = now().checked_add(pause);
            }
            None => log::debug!("{}: {why}", self.backend),
        }
    }

    /// Notes that a response began, after this time.
    pub(crate) fn answered(&self, status: http::StatusCode, after: Duration) {
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.counters.waited.fetch_add(micros, Relaxed);
        self.counters.answered.fetch_add(1, Relaxed);
        if status.is_server_error() {
            self.counters.server_errors.fetch_add(1, Relaxed);
        }
        if self.is_suspect.load(Relaxed) {
            let mut condition = lock(&self.condition);
            condition.succeeded(now());
            self.is_suspect.store(!condition.is_clean(), Relaxed);
        }
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.counters.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes the result of an active check: `Err` says what was wrong.
    pub(crate) fn checked(&self, result: Result<(), String>, rule: &ActiveCheck) {
        let mut condition = lock(&self.condition);
        let changed = condition.checked(result.is_ok(), rule);
        self.is_suspect.store(!condition.is_clean(), Relaxed);
        drop(condition);
        match (changed, result) {
            (Some(Health::Up), _) => {
                log::info!("{} is up", self.backend);
                self.is_back();
            }
            (Some(_), Err(why)) => log::warn!("{} is down: {why}", self.backend),
            _ => {}
        }
    }

    /// Its figures.
    pub fn status(&self) -> BackendStatus {
        let counters = &self.counters;
        BackendStatus {
            address: self.backend.to_string(),
            health: self.health().name(),
            weight: self.weight(),
            is_backup: self.backend.is_backup,
            open: self.open(),
            idle: counters.idle.load(Relaxed),
            requests: counters.requests.load(Relaxed),
            failures: counters.failures.load(Relaxed),
            server_errors: counters.server_errors.load(Relaxed),
            connects: counters.connects.load(Relaxed),
            reused: counters.reused.load(Relaxed),
            received: counters.received.load(Relaxed),
            answered: counters.answered.load(Relaxed),
            waited: counters.waited.load(Relaxed),
        }
    }
}

/// The address that needs no resolver.
fn literal(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp { host, port } => Some(SocketAddr::new(host.parse().ok()?, *port)),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
