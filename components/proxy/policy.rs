//! Which backend gets a request.
//!
//! ```text
//!  backends that are up ──▶ eligible ones ──▶ Policy ──▶ one of them
//!     not those at their limit;
//!     backups only if there is no other
//! ```
//!
//! | policy | choice |
//! |---|---|
//! | [`RoundRobin`] | in turn, by weight, the turns of a heavy one spread evenly |
//! | [`LeastConnections`] | the fewest requests in flight, by weight |
//! | [`Random`] | by chance, by weight |
//! | [`TwoChoices`] | two by chance, and of these the less busy one |
//! | [`Hash`] | the same one for the same address, field, cookie or target |
//! | [`Sticky`] | the one that the cookie names, or else that of another policy |

mod hash;
mod least_connections;
mod random;
mod round_robin;
mod sticky;
#[cfg(test)]
pub(crate) mod testing;
mod two_choices;

pub use hash::Hash;
pub(crate) use hash::hash_of;
pub use least_connections::LeastConnections;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use sticky::{Sticky, sticky_cookie};
pub use two_choices::TwoChoices;

use std::net::IpAddr;

use kamea_components::http::RequestHead;

use crate::plan::{PolicyKind, Route};

/// Chooses a backend for each request of a route.
///
/// # Examples
/// A policy of one's own: the first backend that has less than ten requests in flight.
/// ```
/// use kamea_proxy::policy::{Asked, Candidate, Policy};
///
/// struct FillUp;
///
/// impl Policy for FillUp {
///     fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
///         let free = candidates.iter().position(|candidate| candidate.open < 10);
///         free.or(Some(0))
///     }
/// }
/// ```
pub trait Policy: Send {
    /// Returns the position in `candidates` of the backend that gets the request; `None` refuses
    /// it. There is at least one candidate, and each can take the request.
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked<'_>) -> Option<usize>;
}

/// A backend that can take a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its position in the route.
    pub index: usize,
    /// A number that stays the same for its address, whatever else is in the route.
    pub key: u64,
    /// Its share in hundredths of a weight of 1; less than configured during a slow start.
    pub weight: u32,
    /// Requests in flight.
    pub open: u32,
    /// The limit for requests in flight.
    pub most: Option<u32>,
    /// Whether it gets requests only while no other can take one.
    pub is_backup: bool,
}

/// The request that asks for a backend.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// The address of the client.
    pub client: IpAddr,
}

impl<'a> Asked<'a> {
    /// Creates the question of a request.
    #[must_use]
    pub const fn new(head: &'a RequestHead, client: IpAddr) -> Self {
        Self { head, client }
    }
}

impl Candidate {
    /// Creates a candidate with weight 1, no requests in flight and no limit.
    #[must_use]
    pub const fn new(index: usize, key: u64) -> Self {
        Self {
            index,
            key,
            weight: 100,
            open: 0,
            most: None,
            is_backup: false,
        }
    }

    /// Whether this one is less busy for its weight than another one.
    fn is_less_busy_than(&self, other: &Self) -> bool {
        let load = |a: &Self, b: &Self| u64::from(a.open) * u64::from(b.weight.max(1));
        load(self, other) < load(other, self)
    }
}

/// Creates the policy that the configuration of a route names.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::Route;
/// use kamea_proxy::policy::policy_of;
///
/// let policy = policy_of(&Route::to([]));
/// # let _ = policy;
/// ```
#[must_use]
pub fn policy_of(route: &Route) -> Box<dyn Policy> {
    let policy: Box<dyn Policy> = match &route.policy {
        PolicyKind::RoundRobin => Box::new(RoundRobin::new()),
        PolicyKind::LeastConnections => Box::new(LeastConnections::new()),
        PolicyKind::Random => Box::new(Random),
        PolicyKind::TwoChoices => Box::new(TwoChoices),
        PolicyKind::IpHash => Box::new(Hash::of_client()),
        PolicyKind::Hash(key) => Box::new(Hash::of(key.clone())),
    };
    match &route.sticky {
        Some(cookie) => Box::new(Sticky::new(cookie.clone(), policy)),
        None => policy,
    }
}
