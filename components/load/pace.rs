//! When requests are sent, and how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When one connection sends its requests, and when it stops.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Requests in flight, at most; more than one is pipelining (RFC 9112 section 9.3.2).
    pub depth: usize,
    /// When each is due. Without a schedule, as soon as there is room: a closed loop.
    pub schedule: Option<Schedule>,
    /// When the last one may be due.
    pub until: Option<Instant>,
    /// Total number of all connections, if there is no schedule.
    pub budget: Option<Budget>,
}

impl Pace {
    /// One after another, for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::load::{Budget, Pace};
    ///
    /// let pace = Pace { budget: Some(Budget::new(1000)), ..Pace::one_by_one() };
    /// assert_eq!(pace.depth, 1);
    /// ```
    #[must_use]
    pub const fn one_by_one() -> Self {
        Self {
            depth: 1,
            schedule: None,
            until: None,
            budget: None,
        }
    }
}

/// When the requests of one connection are due. Their moments lie evenly between those of the other
/// connections.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::load::Schedule;
///
/// let begin = kamea::time::now();
/// // The second of four connections that send 1000 requests a second together.
/// let schedule = Schedule::new(begin, 1000.0, 1, 4);
/// let due = [0, 1, 2].map(|number| schedule.moment(number).unwrap() - begin);
/// assert_eq!(due, [1, 5, 9].map(Duration::from_millis));
/// assert_eq!(schedule.of(5).moment(1), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    begin: Instant,
    /// Requests per second of all connections.
    rate: f64,
    first: u64,
    step: u64,
    /// Total number of requests of all connections.
    requests: Option<u64>,
}

impl Schedule {
    /// The schedule of the connection number `connection` out of `connections`, which send `rate`
    /// requests per second together.
    ///
    /// # Panics
    ///
    /// If the rate is not a number above 0, or the connection does not exist.
    #[must_use]
    pub fn new(begin: Instant, rate: f64, connection: usize, connections: usize) -> Self {
        assert!(rate > 0.0 && rate.is_finite(), "{rate} is no rate");
        assert!(connection < connections, "there is no such connection");
        Self {
            begin,
            rate,
            first: connection as u64,
            step: connections as u64,
            requests: None,
        }
    }

    /// The same with a total number of requests for all connections.
    #[must_use]
    pub const fn of(self, requests: u64) -> Self {
        Self {
            requests: Some(requests),
            ..self
        }
    }

    /// When request `number` is due, counted from 0; `None` after the last one.
    #[must_use]
    pub fn moment(&self, number: u64) -> Option<Instant> {
        let number = number.checked_mul(self.step)?.checked_add(self.first)?;
        if self.requests.is_some_and(|requests| number >= requests) {
            return None;
        }
        // Exact to the nanosecond for weeks.
        let after = Duration::try_from_secs_f64(number as f64 / self.rate).ok()?;
        self.begin.checked_add(after)
    }
}

/// A number of requests that connections share.
#[derive(Debug, Clone)]
pub struct Budget(Arc<AtomicU64>);

impl Budget {
    /// `count` requests.
    #[must_use]
    pub fn new(requests: u64) -> Self {
        Self(Arc::new(AtomicU64::new(requests)))
    }

    /// Takes one of them. Returns whether there was one left.
    ///
    /// # Examples
    ///
    /// ```
    /// let budget = kamea_components::load::Budget::new(1);
    /// assert!(budget.take());
    /// assert!(!budget.clone().take());
    /// ```
    #[must_use]
    pub fn take(&self) -> bool {
        self.0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use kamea::time::now;

    use super::*;

    #[test]
    fn connections_share_a_schedule_evenly_and_whole() {
        let begin = now();
        for (connections, requests, rate) in [(1, 10, 1e3), (3, 10, 7.0), (7, 5, 1e6)] {
            let of = |connection| Schedule::new(begin, rate, connection, connections).of(requests);
            let moments = (0..connections).flat_map(|connection| {
                (0..).map_while(move |number| of(connection).moment(number))
            });
            let mut due: Vec<_> = moments
                .map(|moment| (moment - begin).as_secs_f64())
                .collect();
            due.sort_by(f64::total_cmp);
            assert_eq!(due.len() as u64, requests);
            for (number, due) in due.into_iter().enumerate() {
                assert!((due - number as f64 / rate).abs() < 2e-9, "{number}: {due}");
            }
        }
    }

    #[test]
    fn what_is_due_in_a_thousand_years_is_never_due() {
        let schedule = Schedule::new(now(), 1e-300, 0, 1);
        assert!(schedule.moment(0).is_some());
        assert_eq!(
            (schedule.moment(1), schedule.moment(u64::MAX)),
            (None, None)
        );
    }

    #[test]
    fn a_budget_is_spent_once_however_many_share_it() {
        let budget = Budget::new(100);
        let takers = [budget.clone(), budget];
        let taken = (0..300).filter(|number| takers[number % 2].take()).count();
        assert_eq!(taken, 100);
    }
}
