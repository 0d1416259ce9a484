//! What links count, and how a census asks for it without knowing what travels over them.

use std::time::Instant;

use crate::tap::TapPoint;

/// The counters of one link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LinkCounts {
    /// Messages that went in.
    pub(crate) messages: u64,
    /// Their bytes, if the link has a measure.
    pub(crate) bytes: u64,
    /// Messages that wait.
    pub(crate) queued: u64,
    /// The most that ever waited.
    pub(crate) high_water: u64,
}

/// A link of either kind, as the census sees it.
pub(crate) trait Counted {
    /// Adds what has been counted: to `sent`, the messages of each outbox, by its number among those that feed the link. What waits
    /// at this moment is not added.
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]);

    /// How many messages wait.
    fn queued(&self) -> u64;

    /// Whether the component at the inbox waits for a message, if it was last polled for the `polls`-th time.
    fn reader_waits(&self, polls: u64) -> bool;

    /// The outboxes that wait for space, and since when.
    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant));

    /// Shows messages to a tap from now on: those of one outbox, or all.
    fn tap(&self, feed: Option<usize>, point: &std::sync::Arc<TapPoint>);

    /// Takes a tap out again.
    fn untap(&self, point: &std::sync::Arc<TapPoint>);
}
