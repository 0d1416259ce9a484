//! A link that leads out of a graph, as that graph sees it. Other graphs, and code outside of
//! graphs, may send over it as well. Their messages are not in this graph's counts, and its taps do
//! not see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::shared::Shared;
use super::taps::Taps;
use super::{Counted, LinkCounts};
use crate::port::Message;
use crate::tap::TapPoint;

/// What one graph sends over a link. It has one outbox there.
#[derive(Debug)]
pub(super) struct Outward<T> {
    shared: Arc<Shared<T>>,
    /// Its number among the senders of the link, from 1.
    pub(super) number: u64,
    sent: AtomicU64,
    pub(super) taps: Taps<T>,
}

impl<T> Outward<T> {
    pub(super) fn of(shared: &Arc<Shared<T>>) -> Arc<Self> {
        Arc::new(Self {
            shared: shared.clone(),
            number: shared.number_graph(),
            sent: AtomicU64::new(0),
            taps: Taps::default(),
        })
    }

    pub(super) fn count_sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }
}

impl<T: Message> Counted for Outward<T> {
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]) {
        let own = self.sent.load(Relaxed);
        counts.messages += own;
        counts.high_water = counts.high_water.max(self.shared.high_water());
        if let Some(sum) = sent.first_mut() {
            *sum += own;
        }
    }

    fn queued(&self) -> u64 {
        self.shared.queued()
    }

    /// Its inbox does not belong to this graph.
    fn reader_waits(&self, _: u64) -> bool {
        false
    }

    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant)) {
        self.shared.each_waiting(self.number, then);
    }

    fn tap(&self, feed: Option<usize>, point: &Arc<TapPoint>) {
        self.taps.add(feed, point);
    }

    fn untap(&self, point: &Arc<TapPoint>) {
        self.taps.remove(point);
    }
}
