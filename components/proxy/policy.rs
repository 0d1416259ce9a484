//! Which backend gets a request.
//!
//! ```text
//!  backends that are up ──▶ eligible ones ──▶ Policy ──▶ one of them
//!     not those at their limit;
//!     backups only if there is no other
//! ```

use std::net::IpAddr;

use kamea_components::http::RequestHead;

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
