//! Counts the restarts of the components of a flow.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::Restart;
use crate::component::Started;
use crate::time::sleep;

/// The restarts of a flow's components, by their numbers. Components that have never failed take no
/// memory here.
#[derive(Debug, Default)]
pub(crate) struct Restarts(BTreeMap<usize, History>);

#[derive(Debug, Default)]
struct History {
    count: u32,
    /// The recent faults, each shifted by the pauses that came after it.
    recent: VecDeque<Instant>,
}

impl Restarts {
    /// Returns how often the component has been restarted.
    pub(crate) fn count(&self, component: usize) -> u32 {
        self.0.get(&component).map_or(0, |history| history.count)
    }

    /// Counts a restart of the component, if the limit allows one more. Returns the pause before
    /// it.
    pub(crate) fn permit(
        &mut self,
        component: usize,
        limit: &Restart,
        now: Instant,
    ) -> Option<Duration> {
        let history = self.0.entry(component).or_default();
        let is_past = |fault: &Instant| now.saturating_duration_since(*fault) >= limit.within;
        while history.recent.front().is_some_and(is_past) {
            history.recent.pop_front();
        }
        let recent = u32::try_from(history.recent.len()).unwrap_or(u32::MAX);
        if recent >= limit.times {
            return None;
        }
        let factor = 1_u32 << recent.min(31);
        let pause = limit.first_pause.saturating_mul(factor);
        let pause = pause.min(limit.longest_pause);
        history.recent.push_back(now);
        for fault in &mut history.recent {
            // A pause that overflows the clock is treated as endless.
            *fault = fault.checked_add(pause).unwrap_or(*fault);
        }
        history.count += 1;
        Some(pause)
    }
}

/// Returns the component after the pause. Its ports stay open meanwhile.
pub(crate) fn after(pause: Duration, again: impl FnOnce() -> Started + 'static) -> Started {
    if pause.is_zero() {
        return again();
    }
    Box::pin(async move {
        sleep(pause).await;
        again().await
    })
}
