//! What happened in each second of a run.

use std::collections::VecDeque;
use std::time::Instant;

use hdrhistogram::Histogram;

use super::measured::{histogram, nanoseconds};
use super::{Outcome, Second};

/// How many seconds have their latencies still. What is told even later is counted all the same.
const OPEN: usize = 4;

/// How many seconds there may be: a day and some. What happens after that is counted in the last.
const MOST: usize = 100_000;

/// The seconds of a run, from its beginning on.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    /// Those whose latencies are gone.
    closed: Vec<Second>,
    /// The latest ones.
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    counts: Second,
    /// The corrected latencies in nanoseconds.
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
        Second {
            p50: self.latencies.value_at_quantile(0.5),
            p99: self.latencies.value_at_quantile(0.99),
            ..self.counts
        }
    }
}

impl Seconds {
    /// Counts an outcome in the second in which it came.
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
