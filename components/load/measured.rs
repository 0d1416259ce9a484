//! What a run has shown.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use super::{ErrorClass, Failed, Outcome, Shortfall};

/// The longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(3600);

/// How many digits of a latency count.
const DIGITS: u8 = 3;

/// How late a request may be given by the client itself before that counts as missed.
pub const MISSED_AFTER: Duration = Duration::from_millis(1);

/// What a run has shown, so far or as a whole.
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
    /// From the beginning of what is measured to its end.
    pub duration: Duration,
    /// How many requests were answered by whole responses, whatever their status.
    pub requests: u64,
    /// How many bytes came in, heads and framing included.
    pub bytes: u64,
    /// How long the contents of the responses were.
    pub content: Content,
    /// Latencies in nanoseconds, from the moment at which a request was sent to the end of its response.
    pub raw: Histogram<u64>,
    /// Latencies in nanoseconds, from the moment for which a request was planned to the end of its response: what was waited for while an
    /// earlier response was late, or a connection was made, counts.
    pub corrected: Histogram<u64>,
    /// How often there was each status.
    pub statuses: BTreeMap<u16, u64>,
    /// What failed.
    pub errors: Errors,
    /// Where the client itself did not keep to its schedule.
    pub missed: Missed,
    /// How many requests were not sent because their connections still waited for responses when the time was over.
    pub held_up: u64,
    /// What happened in each second, from the first on.
    pub series: Vec<Second>,
}

/// How long the contents of responses were, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// All together.
    pub total: u64,
    /// The shortest; 0 if there is none.
    pub shortest: u64,
    /// The longest.
    pub longest: u64,
}

/// How many requests failed, and at what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors {
    counts: [u64; ErrorClass::ALL.len()],
    /// What was wrong the first time, by class.
    pub examples: BTreeMap<ErrorClass, String>,
}

impl Errors {
    /// How many of a class.
    #[must_use]
    pub fn of(&self, class: ErrorClass) -> u64 {
        self.counts[class as usize]
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts one.
    pub fn add(&mut self, failed: Failed) {
        self.counts[failed.class as usize] += 1;
        self.examples.entry(failed.class).or_insert(failed.why);
    }
}

/// Requests that were due while their connections had places for them, and which the client sent more than [`MISSED_AFTER`] too late,
/// or never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub requests: u64,
    /// By how much the latest of them was late.
    pub largest: Duration,
}

/// What happened in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// How many requests were answered.
    pub requests: u64,
    /// How many failed.
    pub errors: u64,
    /// How many bytes came in.
    pub bytes: u64,
    /// Half of the corrected latencies were no longer than this, in nanoseconds.
    pub p50: u64,
    /// 75 % of them were no longer than this.
    pub p75: u64,
    /// 90 % of them.
    pub p90: u64,
    /// 99 % of them.
    pub p99: u64,
    /// 99.9 % of them.
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
    /// Nothing yet.
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

    /// Requests that were answered in a second, on average.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self.duration.as_secs_f64() {
            0.0 => 0.0,
            seconds => self.requests as f64 / seconds,
        }
    }

    /// How often there was a status of each class, from 1xx to 5xx and beyond.
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

    /// Counts an outcome, but for the seconds.
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
        *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
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
            let status = StatusCode::from_u16(status).unwrap();
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
