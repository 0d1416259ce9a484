//! Confirms that components wait for each other for ever.

use std::sync::Arc;

use super::Flow;
use crate::simulation;
use crate::supervision::Fault;

impl Flow {
    /// Call it at the end of a turn in which, or before which, a send has waited for space.
    ///
    /// If the worker suspects a ring, polls its components once more, each with a waker that nobody
    /// else has. A component that then waits for something outside has given away a copy of it.
    /// Returns whether there was something to poll.
    #[cold]
    pub(super) fn watch_for_ring(&mut self) -> Result<bool, Fault> {
        if self.wakers.is_empty() || simulation::is_roll_call() || !self.record.suspect_ring() {
            return Ok(false);
        }
        let mut wakers = Vec::new();
        for component in self.record.stuck(&self.plan) {
            if self.plan.components[component].own_thread {
                continue;
            }
            let in_circle = self.circles.as_ref();
            if let Some(waker) = in_circle.and_then(|circles| circles.waker(component)) {
                // It knows of each copy already.
                wakers.push((component, waker));
                continue;
            }
            let waker = self.ready.component_waker(component);
            wakers.push((component, Arc::downgrade(&waker)));
            self.wakers[component] = waker.into();
            if simulation::is_on() {
                self.note_poll(component);
            }
            self.poll_component(component)?;
        }
        self.record.settle_ring(&self.plan, |component| {
            let mut known = wakers.iter().filter(|(known, _)| *known == component);
            // The flow has one. A component that was not polled has begun to wait meanwhile.
            known.next().map_or(usize::MAX, |(_, waker)| {
                waker.strong_count().saturating_sub(1)
            })
        });
        Ok(!wakers.is_empty())
    }
}
