//! The counters of links, and how a census reads them without knowing the message type.

use std::time::Instant;

use crate::tap::TapPoint;

/// The counters of one link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LinkCounts {
    /// The number of messages sent into it.
    pub(crate) messages: u64,
    /// Their bytes, if the link has a measure.
    pub(crate) bytes: u64,
    /// The number of messages that wait.
    pub(crate) queued: u64,
    /// The largest number that ever waited.
    pub(crate) high_water: u64,
}

/// A link of either kind, as the census sees it.
pub(crate) trait Counted {
    /// Adds the counts. `sent` gets the messages of each outbox, by its number among those that
    /// feed the link. Messages that wait now are not added.
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]);

    /// How many messages wait.
    fn queued(&self) -> u64;

    /// Whether the component at the inbox waits for a message, if its last poll was the `polls`-th.
    fn reader_waits(&self, polls: u64) -> bool;

    /// The outboxes that wait for space, and since when.
    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant));

    /// Begins to show messages to a tap: those of one outbox, or all.
    fn tap(&self, feed: Option<usize>, point: &std::sync::Arc<TapPoint>);

    /// Removes a tap.
    fn untap(&self, point: &std::sync::Arc<TapPoint>);
}
