//! The seconds of a run.

use std::collections::VecDeque;
use std::time::Instant;

use hdrhistogram::Histogram;

use super::measured::{histogram, nanoseconds};
use super::{Outcome, Second};

/// Seconds that still keep their latencies. A later outcome is counted without its latency.
const OPEN: usize = 4;

/// Seconds of a run, at most: a day and more. Later outcomes count in the last one.
const MOST: usize = 100_000;

/// The seconds of a run, from its start.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    /// Seconds without their latencies.
    closed: Vec<Second>,
    /// The latest ones.
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    counts: Second,
    /// The corrected latencies, in nanoseconds.
    latencies: Histogram<u32>,
}

impl Open {
    fn new() -> Self {
        Self {
            counts: Second::default(),
            latencies: histogram(),
        }
    }

    fn second(&self) -> Second {
        let quantile = |share| self.latencies.value_at_quantile(share);
        Second {
            p50: quantile(0.5),
            p75: quantile(0.75),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: self.latencies.max(),
            ..self.counts
        }
    }
}

impl Seconds {
    /// Counts an outcome in its second.
    pub(super) fn add(&mut self, begin: Instant, outcome: &Outcome) {
        let passed = outcome.ended.saturating_duration_since(begin).as_secs();
        let number = usize::try_from(passed).unwrap_or(MOST).min(MOST - 1);
        while self.closed.len() + self.open.len() <= number {
            if self.open.len() == OPEN
                && let Some(oldest) = self.open.pop_front()
            {
                self.closed.push(oldest.second());
            }
            self.open.push_back(Open::new());
        }
        let counts = match number.checked_sub(self.closed.len()) {
            None => &mut self.closed[number],
            Some(number) => {
                let open = &mut self.open[number];
                if outcome.result.is_ok() {
                    let planned = outcome.ticket.planned;
                    let latency = outcome.ended.saturating_duration_since(planned);
                    open.latencies.saturating_record(nanoseconds(latency));
                }
                &mut open.counts
            }
        };
        counts.bytes += outcome.bytes;
        match outcome.result {
            Ok(_) => counts.requests += 1,
            Err(_) => counts.errors += 1,
        }
    }

    /// All of them.
    pub(super) fn series(&self) -> Vec<Second> {
        let open = self.open.iter().map(Open::second);
        self.closed.iter().copied().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use kamea::time::now;

    use super::*;
    use crate::load::{Answer, ErrorClass, Failed, Ticket};

    #[test]
    fn a_second_has_what_ended_in_it_whenever_that_is_told() {
        let begin = now();
        let mut seconds = Seconds::default();
        let mut add = |ended: u64, is_answered: bool| {
            let ended = begin + Duration::from_millis(ended);
            let failed = || Failed {
                class: ErrorClass::Read,
                why: String::new(),
            };
            let answer = Answer {
                status: Some(StatusCode::OK),
                content: 0,
            };
            let planned = ended - Duration::from_millis(10).min(ended - begin);
            let ticket = Ticket {
                planned,
                late: Duration::ZERO,
            };
            let outcome = Outcome {
                ticket,
                sent: Some(planned),
                ended,
                bytes: 7,
                result: is_answered
                    .then_some(answer)
                    .ok_or_else(|| Box::new(failed())),
            };
            seconds.add(begin, &outcome);
        };
        for (ended, is_answered) in [
            (100, true),
            (999, true),
            (1_000, false),
            (9_500, true),
            (50, true),
            (8_000, true),
        ] {
            add(ended, is_answered);
        }
        let series = seconds.series();
        let counts = series
            .iter()
            .map(|second| (second.requests, second.errors, second.bytes));
        let nothing = (0, 0, 0);
        let mut expected = [nothing; 10];
        (expected[0], expected[1]) = ((3, 0, 21), (0, 1, 7));
        (expected[8], expected[9]) = ((1, 0, 7), (1, 0, 7));
        assert_eq!(counts.collect::<Vec<_>>(), expected);
        for (number, latency) in [(0, 10), (1, 0), (8, 10), (9, 10)] {
            let found = Duration::from_nanos(series[number].p99).as_micros();
            assert!(found.abs_diff(latency * 1_000) <= 10, "{number}: {found}");
        }
    }
}
