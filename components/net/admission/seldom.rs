//! A message that is logged at most once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kamea::time::now;

/// The shortest time between two messages.
const BETWEEN: Duration = Duration::from_secs(60);

/// Logs a message at most once a minute, and counts what it leaves out: a client that causes errors
/// must not fill the log.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State {
            last: None,
            left_out: 0,
        }))
    }

    /// Counts an event. Returns a text for the end of its message if it may be logged.
    pub(crate) fn note(&self) -> Option<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        let is_due = |last: Instant| now.saturating_duration_since(last) >= BETWEEN;
        if !state.last.is_none_or(is_due) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(match std::mem::take(&mut state.left_out) {
            0 => String::new(),
            more => format!(" ({more} more since the last message)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use kamea::time::sleep;
    use kamea::{Graph, Simulation};

    use super::*;
    use crate::chassis::NoPorts;

    #[test]
    fn one_message_a_minute_says_how_many_were_left_out() {
        Simulation::seeds(0..1).check(|simulation| {
            let mut graph = Graph::new("events");
            graph.add("events", async |_: &mut NoPorts| {
                let seldom = Seldom::new();
                let mut told = Vec::new();
                // 20 events per second, for three minutes.
                for _ in 0..3600 {
                    told.extend(seldom.note());
                    sleep(Duration::from_millis(50)).await;
                }
                assert_eq!(told.len(), 3, "{told:?}");
                assert_eq!(told[0], "");
                assert!(told[1].starts_with(" (1199 more"), "{told:?}");
                Ok(())
            });
            let report = simulation.run(graph)?;
            assert!(report.faults().is_empty(), "{:?}", report.faults());
            Ok::<(), Box<dyn std::error::Error>>(())
        });
    }
}
