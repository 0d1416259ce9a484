//! The backends of a route as they are now: one of them is chosen for each request.

use std::cell::Cell;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea_components::net::client_of;
use kamea_components::web::{Rate, RateTable};
use tokio::sync::Notify;

use super::breaker::{Admitted, Breaker, Change};
use super::{BackendState, CircuitStatus, Health};
use crate::plan::{Backend, RateLimit, Route};
use crate::policy::{Asked, Candidate, Policy};

/// The backends of a route as they are now.
pub struct Group {
    route: Route,
    /// The hosts and the path, for logs and pages.
    name: Arc<str>,
    backends: Vec<Arc<BackendState>>,
    policy: Mutex<Box<dyn Policy>>,
    breaker: Option<Breaker>,
    /// Requests that wait while every backend is at its limit.
    waiting: AtomicUsize,
    /// Notified when a request has left a backend.
    freed: Notify,
    /// The server that says whether a request is allowed.
    auth: Option<Arc<BackendState>>,
    /// The rates of the clients, if they are limited.
    rates: Option<Mutex<RateTable>>,
    requests: AtomicU64,
    retries: AtomicU64,
    is_retired: AtomicBool,
    retired: Notify,
}

/// Which backend a request gets.
#[derive(Debug)]
pub enum Choice {
    /// This one.
    Backend(InFlight),
    /// None at the moment: all are at their limit.
    Full,
    /// None: no backend is up.
    Down,
    /// None: the policy refuses the request.
    Refused,
    /// None for this time: the circuit breaker is open.
    Open(Duration),
}

/// A request at a backend, until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    group: Arc<Group>,
    index: usize,
    /// What the circuit breaker said, until it knows the result.
    admitted: Cell<Option<Admitted>>,
}

impl InFlight {
    /// The backend.
    pub fn backend(&self) -> &Arc<BackendState> {
        &self.group.backends[self.index]
    }

    /// Its position in the route.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The backends of the route.
    pub const fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Notes the result for the circuit breaker; the first one counts.
    pub(crate) fn note(&self, is_error: bool) {
        if let Some(breaker) = &self.group.breaker
            && let Some(admitted) = self.admitted.take()
        {
            let name = &self.group.name;
            match breaker.note(admitted, is_error, now()) {
                None => {}
                Some(Change::Opened) => {
                    let seconds = breaker.rule().pause.as_secs_f64();
                    log::warn!("{name}: too many errors; no requests for {seconds} s");
                }
                Some(Change::Closed) => log::info!("{name}: the backends are asked again"),
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.backend().leave();
        if let (Some(breaker), Some(admitted)) = (&self.group.breaker, self.admitted.take()) {
            breaker.leave(admitted);
        }
        // Either this sees the request that waits, or that one sees the place.
        if self.group.waiting.load(SeqCst) > 0 {
            self.group.freed.notify_one();
        }
    }
}

/// How long a request in the queue waits at most until it looks for a place again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How many further attempts are always allowed, whatever their share.
const FREE_RETRIES: u64 = 10;

impl Group {
    /// The backends of a route. Those of `known` that did not change keep their state.
    pub fn new(
        name: impl Into<Arc<str>>,
        route: Route,
        policy: Box<dyn Policy>,
        known: &mut Vec<Arc<BackendState>>,
    ) -> Self {
        // Each state goes to one route: two routes with equal backends have limits of their own.
        let mut state = |backend: &Backend| {
            let same = known.iter().position(|state| state.backend() == backend);
            match same {
                Some(same) => known.swap_remove(same),
                None => Arc::new(BackendState::new(backend.clone())),
            }
        };
        Self {
            backends: route.backends.iter().map(&mut state).collect(),
            name: name.into(),
            policy: Mutex::new(policy),
            breaker: route.circuit_breaker.clone().map(Breaker::new),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            auth: route.auth.as_ref().map(|auth| state(&auth.backend)),
            rates: route.rate.as_ref().map(|rate| Mutex::new(table(rate))),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            is_retired: AtomicBool::new(false),
            retired: Notify::new(),
            route,
        }
    }

    /// The route as the configuration describes it.
    pub const fn route(&self) -> &Route {
        &self.route
    }

    /// The server that says whether a request is allowed.
    pub(crate) const fn auth(&self) -> Option<&Arc<BackendState>> {
        self.auth.as_ref()
    }

    /// The hosts and the path of the route.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The backends, in the order of the configuration.
    pub fn backends(&self) -> &[Arc<BackendState>] {
        &self.backends
    }

    /// Requests that wait while every backend is at its limit.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Chooses a backend for a request, other than those that it was at already if there are
    /// others.
    pub fn choose(self: &Arc<Self>, asked: &Asked<'_>, tried: &[usize]) -> Choice {
        if let Some(wait) = self
            .breaker
            .as_ref()
            .and_then(|breaker| breaker.wait(now()))
        {
            return Choice::Open(wait);
        }
        let up = self.up(tried);
        if up.is_empty() {
            return Choice::Down;
        }
        let candidates = self.candidates(up);
        if candidates.is_empty() {
            return Choice::Full;
        }
        // A policy may refuse the only candidate.
        let chosen = {
            let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
            policy.choose(&candidates, asked)
        };
        match chosen.and_then(|position| candidates.get(position)) {
            Some(candidate) => self.enter(candidate.index),
            None => Choice::Refused,
        }
    }

    /// The backends that may get a request that was at those of `tried` already. An ejected one may
    /// be well again, and is better than one that has just failed this request. That backends fail
    /// is better known than that there is no backend.
    fn up(&self, tried: &[usize]) -> Vec<usize> {
        let healths: Vec<_> = self.backends.iter().map(|state| state.health()).collect();
        let of = |wanted: Health, is_tried: bool| {
            let all = healths.iter().enumerate();
            let wanted = all.filter(move |(index, health)| {
                **health == wanted
                    && tried.contains(index) == is_tried
                    && self.backends[*index].weight() > 0
            });
            wanted.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let orders = [
            (Health::Up, false),
            (Health::Ejected, false),
            (Health::Up, true),
            (Health::Ejected, true),
        ];
        let found = orders.into_iter().map(|(health, tried)| of(health, tried));
        found
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Those of the backends that are up that can take a request: backups only if nothing else can.
    fn candidates(&self, up: Vec<usize>) -> Vec<Candidate> {
        let mut candidates: Vec<_> = up.into_iter().map(|index| self.candidate(index)).collect();
        let is_full = |candidate: &Candidate| self.backends[candidate.index].is_full();
        candidates.retain(|candidate| !is_full(candidate));
        if candidates.iter().any(|candidate| !candidate.is_backup) {
            candidates.retain(|candidate| !candidate.is_backup);
        }
        candidates
    }

    fn candidate(&self, index: usize) -> Candidate {
        let state = &self.backends[index];
        Candidate {
            index,
            key: state.key(),
            weight: state.share(),
            open: state.open(),
            most: state.backend().most_connections,
            is_backup: state.backend().is_backup,
        }
    }

    /// Takes a place at a backend, unless another request has just taken the last one.
    fn enter(self: &Arc<Self>, index: usize) -> Choice {
        let admitted = self.breaker.as_ref().map(|breaker| breaker.admit(now()));
        let admitted = match admitted.transpose() {
            Ok(admitted) => admitted,
            Err(wait) => return Choice::Open(wait),
        };
        if self.backends[index].enter() {
            return Choice::Backend(InFlight {
                group: self.clone(),
                index,
                admitted: Cell::new(admitted),
            });
        }
        if let (Some(breaker), Some(admitted)) = (&self.breaker, admitted) {
            breaker.leave(admitted);
        }
        Choice::Full
    }

    /// Waits in the queue until `choose` finds room. Returns [`Choice::Full`] if the queue is full,
    /// or it takes too long.
    pub async fn wait_for_room(&self, mut choose: impl FnMut() -> Choice) -> Choice {
        let queue = &self.route.queue;
        let waiting = Waiting::begin(&self.waiting);
        if waiting.place > queue.most {
            return Choice::Full;
        }
        let mut late = pin!(sleep(queue.longest));
        loop {
            let mut freed = pin!(self.freed.notified());
            // Before the look, so that no place is missed that becomes free after it.
            freed.as_mut().enable();
            match choose() {
                Choice::Full => {}
                choice => return choice,
            }
            let freed = async {
                // A place may become free elsewhere too: a reload shares backends between routes.
                or(freed, sleep(BETWEEN_LOOKS)).await;
                false
            };
            let is_late = async {
                late.as_mut().await;
                true
            };
            if or(freed, is_late).await {
                return Choice::Full;
            }
        }
    }

    /// Counts a request of a client.
    ///
    /// # Errors
    ///
    /// How long the client should wait, if it has sent too many.
    pub(crate) fn count(&self, client: IpAddr) -> Result<(), Duration> {
        if let Some(rates) = &self.rates {
            let key = client_of(client).to_string();
            let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.count(key.as_bytes(), now())?;
        }
        self.requests.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Whether another attempt is within the budget; counts it then.
    pub(crate) fn may_retry(&self) -> bool {
        let share = u64::from(self.route.retries.budget_percent);
        let most = FREE_RETRIES + self.requests.load(Relaxed) * share / 100;
        let taken = self.retries.fetch_update(Relaxed, Relaxed, |retries| {
            (retries < most).then_some(retries + 1)
        });
        taken.is_ok()
    }

    /// The state of the circuit breaker, if there is one.
    pub fn circuit(&self) -> Option<CircuitStatus> {
        let breaker = self.breaker.as_ref();
        breaker.map(|breaker| breaker.status(now()))
    }

    /// Requests since the start, and further attempts.
    pub fn totals(&self) -> (u64, u64) {
        (self.requests.load(Relaxed), self.retries.load(Relaxed))
    }

    /// Says that the configuration does not have these backends any more.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Relaxed);
        self.retired.notify_waiters();
    }

    /// Waits until the configuration does not have these backends any more.
    pub(crate) async fn retired(&self) {
        let retired = self.retired.notified();
        if !self.is_retired.load(Relaxed) {
            retired.await;
        }
    }
}

/// How many clients are remembered.
const CLIENTS: usize = 50_000;

fn table(limit: &RateLimit) -> RateTable {
    // A rate is above zero.
    let every = Duration::try_from_secs_f64(1.0 / limit.per_second).unwrap_or(Duration::MAX);
    let burst = limit.burst.max(1);
    RateTable::new(Rate { burst, every }, CLIENTS)
}

/// A request in the queue.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    place: usize,
}

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        let place = count.fetch_add(1, SeqCst) + 1;
        Self { count, place }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

mod explain;
#[cfg(test)]
mod tests;
