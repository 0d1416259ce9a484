//! The figures of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use super::{ErrorClass, Failed, Outcome, Shortfall};

/// Latencies above this one count as this one.
const LONGEST: Duration = Duration::from_secs(3600);

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// A request that the client itself gives later than this counts as missed.
pub const MISSED_AFTER: Duration = Duration::from_millis(1);

/// The figures of a run, so far or as a whole.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::load::Measured;
///
/// let mut measured = Measured::new();
/// measured.duration = Duration::from_secs(2);
/// measured.requests = 10;
/// assert_eq!(measured.rate(), 5.0);
/// ```
#[derive(Debug, Clone)]
pub struct Measured {
    /// The measured time.
    pub duration: Duration,
    /// Requests with a complete response of any status.
    pub requests: u64,
    /// Received bytes, with heads and framing.
    pub bytes: u64,
    /// Lengths of the bodies.
    pub content: Content,
    /// Latencies in nanoseconds, from sending a request to the end of its response.
    pub raw: Histogram<u64>,
    /// Latencies in nanoseconds, from the planned moment of a request to the end of its response.
    /// They include the wait for earlier responses or for a connection.
    pub corrected: Histogram<u64>,
    /// Responses by status; messages of a WebSocket have none.
    pub statuses: BTreeMap<u16, u64>,
    /// Failed requests.
    pub errors: Errors,
    /// Requests for which the client itself missed its schedule.
    pub missed: Missed,
    /// Requests that were never sent, because their connections still waited for responses at the
    /// end.
    pub held_up: u64,
    /// What happened in each second, from the first on.
    pub series: Vec<Second>,
}

/// Lengths of bodies, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// All together.
    pub total: u64,
    /// The shortest; 0 without responses.
    pub shortest: u64,
    /// The longest.
    pub longest: u64,
}

/// Failed requests, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors {
    counts: [u64; ErrorClass::ALL.len()],
    /// The first error of each class.
    pub examples: BTreeMap<ErrorClass, String>,
}

impl Errors {
    /// Failures of a class.
    #[must_use]
    pub fn of(&self, class: ErrorClass) -> u64 {
        self.counts[class as usize]
    }

    /// Failures of all classes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts a failure.
    pub fn add(&mut self, failed: Failed) {
        self.counts[failed.class as usize] += 1;
        self.examples.entry(failed.class).or_insert(failed.why);
    }
}

/// Requests that were due while their connections had room, and that the client sent more than
/// [`MISSED_AFTER`] too late, or never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// How many there are.
    pub requests: u64,
    /// The largest delay.
    pub largest: Duration,
}

/// The figures of one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// Answered requests.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Received bytes.
    pub bytes: u64,
    /// The median of the corrected latencies, in nanoseconds.
    pub p50: u64,
    /// Their 75th percentile.
    pub p75: u64,
    /// Their 90th percentile.
    pub p90: u64,
    /// Their 99th percentile.
    pub p99: u64,
    /// Their 99.9th percentile.
    pub p99_9: u64,
    /// The longest of them.
    pub max: u64,
}

impl Default for Measured {
    fn default() -> Self {
        Self::new()
    }
}

impl Measured {
    /// No figures yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            duration: Duration::ZERO,
            requests: 0,
            bytes: 0,
            content: Content::default(),
            raw: histogram(),
            corrected: histogram(),
            statuses: BTreeMap::new(),
            errors: Errors::default(),
            missed: Missed::default(),
            held_up: 0,
            series: Vec::new(),
        }
    }

    /// Answered requests per second, on average.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self.duration.as_secs_f64() {
            0.0 => 0.0,
            seconds => self.requests as f64 / seconds,
        }
    }

    /// Responses by class of status, from 1xx to 5xx and beyond.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::load::Measured;
    ///
    /// let mut measured = Measured::new();
    /// measured.statuses.extend([(200, 5), (204, 1), (404, 2)]);
    /// assert_eq!(measured.status_classes().into_iter().collect::<Vec<_>>(), [(2, 6), (4, 2)]);
    /// ```
    #[must_use]
    pub fn status_classes(&self) -> BTreeMap<u16, u64> {
        let mut classes = BTreeMap::new();
        for (status, count) in &self.statuses {
            *classes.entry(status / 100).or_default() += count;
        }
        classes
    }

    /// Counts an outcome, except in the seconds.
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.bytes += outcome.bytes;
        self.note_lateness(outcome.ticket.late);
        let answer = match outcome.result {
            Ok(answer) => answer,
            Err(failed) => return self.errors.add(*failed),
        };
        let since = |begin| nanoseconds(outcome.ended.saturating_duration_since(begin));
        let planned = outcome.ticket.planned;
        self.raw
            .saturating_record(since(outcome.sent.unwrap_or(planned)));
        self.corrected.saturating_record(since(planned));
        let Content {
            total,
            shortest,
            longest,
        } = &mut self.content;
        *total += answer.content;
        *longest = answer.content.max(*longest);
        *shortest = match self.requests {
            0 => answer.content,
            _ => answer.content.min(*shortest),
        };
        self.requests += 1;
        if let Some(status) = answer.status {
            *self.statuses.entry(status.as_u16()).or_default() += 1;
        }
    }

    pub(super) fn add_shortfall(&mut self, shortfall: Shortfall) {
        self.held_up += shortfall.held_up;
        self.missed.requests += shortfall.missed;
    }

    fn note_lateness(&mut self, late: Duration) {
        if late > MISSED_AFTER {
            self.missed.requests += 1;
            self.missed.largest = late.max(self.missed.largest);
        }
    }
}

/// A histogram of latencies in nanoseconds.
pub(super) fn histogram<C: Counter>() -> Histogram<C> {
    Histogram::new_with_bounds(1, nanoseconds(LONGEST), DIGITS)
        .expect("these bounds are those of a histogram")
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use kamea::time::now;

    use super::*;
    use crate::load::{Answer, Ticket};

    #[test]
    fn outcomes_add_up() {
        let ms = Duration::from_millis;
        let mut measured = Measured::new();
        let planned = now();
        let outcome = |late, sent, ended, result| Outcome {
            ticket: Ticket {
                planned,
                late: ms(late),
            },
            sent: Some(planned + ms(sent)),
            ended: planned + ms(ended),
            bytes: 100,
            result,
        };
        let answer = |status, content| {
            let status = StatusCode::from_u16(status).ok();
            Ok(Answer { status, content })
        };
        let failed = |class, why: &str| {
            let why = why.to_owned();
            Err(Box::new(Failed { class, why }))
        };
        for outcome in [
            outcome(0, 1, 3, answer(200, 20)),
            outcome(1, 10, 40, answer(404, 5)),
            outcome(2, 2, 4, answer(200, 10)),
            outcome(9, 9, 10, failed(ErrorClass::Read, "first")),
            outcome(0, 9, 10, failed(ErrorClass::Read, "second")),
            outcome(0, 9, 10, failed(ErrorClass::TimeOut, "late")),
        ] {
            measured.add(outcome);
        }
        measured.add_shortfall(Shortfall {
            held_up: 3,
            missed: 2,
        });
        let latencies = |histogram: &Histogram<u64>| {
            let recorded = histogram.iter_recorded();
            let millisecond = |value: u64| (value + 500_000) / 1_000_000;
            recorded
                .map(|step| millisecond(step.value_iterated_to()))
                .collect::<Vec<_>>()
        };
        // What has failed has no latency.
        assert_eq!(latencies(&measured.raw), [2, 30]);
        assert_eq!(latencies(&measured.corrected), [3, 4, 40]);
        assert_eq!((measured.requests, measured.bytes), (3, 600));
        let content = Content {
            total: 35,
            shortest: 5,
            longest: 20,
        };
        assert_eq!(measured.content, content);
        assert_eq!(measured.statuses, [(200, 2), (404, 1)].into());
        assert_eq!(measured.errors.total(), 3);
        assert_eq!(measured.errors.of(ErrorClass::Read), 2);
        assert_eq!(measured.errors.examples[&ErrorClass::Read], "first");
        // Two of the tickets were late by more than a millisecond, and two were never given.
        let missed = Missed {
            requests: 4,
            largest: ms(9),
        };
        assert_eq!((measured.missed, measured.held_up), (missed, 3));
    }
}
