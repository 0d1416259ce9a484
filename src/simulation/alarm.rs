//! Waits for a moment of virtual time.

use std::task::{Context, Poll};
use std::time::Instant;

use super::world::{AlarmKey, World, now, with};

/// A wait that fires at a moment of the simulation's time.
#[derive(Debug)]
pub(crate) struct Alarm {
    deadline: Instant,
    /// Its key, once a task waits for it.
    key: Option<AlarmKey>,
}

impl Alarm {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            key: None,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.remove();
        self.deadline = deadline;
    }

    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let is_due = now().is_none_or(|now| now >= self.deadline);
        if is_due && with(World::may_ring).unwrap_or(true) {
            self.remove();
            return Poll::Ready(());
        }
        self.arm(cx)
    }

    /// Waits until it fires, at the next poll at the earliest.
    pub(crate) fn arm(&mut self, cx: &Context<'_>) -> Poll<()> {
        with(|world| {
            let key = self
                .key
                .get_or_insert_with(|| (self.deadline, world.number_alarm()));
            world.set_alarm(*key, cx.waker());
        });
        Poll::Pending
    }

    fn remove(&mut self) {
        if let Some(key) = self.key.take() {
            with(|world| world.remove_alarm(key));
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.remove();
    }
}
