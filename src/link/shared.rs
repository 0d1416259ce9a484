//! What the two ends of a link across threads share besides the messages: counters, waiting sends,
//! and whether the receiving end is gone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::gone::Gone;
use super::line::{Line, Ticket};
use super::taps::Taps;
use super::{Counted, LinkCounts, Measure};
use crate::port::Message;
use crate::tap::TapPoint;
use crate::time::turn;

/// Counters are relaxed atomics: no decision depends on them.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    pub(super) gone: Gone,
    /// By the outboxes that feed the link.
    sent: Box<[AtomicU64]>,
    received: AtomicU64,
    bytes: AtomicU64,
    high_water: AtomicU64,
    capacity: u64,
    measure: Option<Measure<T>>,
    reader_waits: AtomicBool,
    /// The sends that wait for space.
    writers: Mutex<Line<Wait>>,
    /// How many graphs have had an outbox that sends over it, if it leads out of them.
    graphs: AtomicU64,
    pub(super) taps: Taps<T>,
}

/// A send that waits for space.
#[derive(Debug)]
struct Wait {
    feed: usize,
    /// The number of the graph that it leads out of; 0 otherwise.
    graph: u64,
    since: Instant,
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize, feeds: usize, measure: Option<Measure<T>>) -> Self {
        Self {
            gone: Gone::default(),
            sent: (0..feeds.max(1)).map(|_| AtomicU64::new(0)).collect(),
            received: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            high_water: AtomicU64::new(0),
            capacity: capacity as u64,
            measure,
            reader_waits: AtomicBool::new(false),
            writers: Mutex::default(),
            graphs: AtomicU64::new(0),
            taps: Taps::default(),
        }
    }

    /// Inspects a message that is about to be sent. Returns its size in bytes.
    pub(super) fn weigh(&self, message: &T) -> u64 {
        self.measure.map_or(0, |measure| measure(message) as u64)
    }

    /// Records that a message was sent into the link.
    pub(super) fn count_sent(&self, feed: usize, bytes: u64) {
        self.sent[feed].fetch_add(1, Relaxed);
        if bytes > 0 {
            self.bytes.fetch_add(bytes, Relaxed);
        }
        let queued = self.queued();
        if queued > self.high_water.load(Relaxed) {
            self.high_water.fetch_max(queued, Relaxed);
        }
    }

    pub(super) fn count_received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    /// A send that was cancelled may have been received nevertheless.
    pub(super) fn messages(&self) -> u64 {
        let sent: u64 = self.sent.iter().map(|sent| sent.load(Relaxed)).sum();
        sent.max(self.received.load(Relaxed))
    }

    /// The two ends count one after the other, so this may be wrong by the messages in transit.
    pub(super) fn queued(&self) -> u64 {
        if self.gone.is_set() {
            return 0;
        }
        let received = self.received.load(Relaxed);
        self.messages().saturating_sub(received).min(self.capacity)
    }

    pub(super) fn high_water(&self) -> u64 {
        self.high_water.load(Relaxed)
    }

    /// Returns a number for one more graph that sends over it.
    pub(super) fn number_graph(&self) -> u64 {
        self.graphs.fetch_add(1, Relaxed) + 1
    }

    /// Records that a message will wait for space, as long as the result lives.
    pub(super) fn begin_wait(&self, feed: usize, graph: u64) -> WriterWaits<'_, T> {
        self.high_water.fetch_max(self.capacity, Relaxed);
        let since = turn();
        let wait = Wait { feed, graph, since };
        let ticket = lock(&self.writers).enter(wait);
        WriterWaits {
            shared: self,
            ticket,
        }
    }

    /// The outboxes of a graph that wait for space, and since when.
    pub(super) fn each_waiting(&self, graph: u64, then: &mut dyn FnMut(usize, Instant)) {
        let writers = lock(&self.writers);
        let waiting = writers.iter().filter(|wait| wait.graph == graph);
        waiting.for_each(|wait| then(wait.feed, wait.since));
    }

    /// Records that the inbox waits for a message, as long as the result lives.
    pub(super) fn reader_waits(&self) -> ReaderWaits<'_> {
        self.reader_waits.store(true, Relaxed);
        ReaderWaits(&self.reader_waits)
    }
}

pub(super) struct WriterWaits<'a, T> {
    shared: &'a Shared<T>,
    ticket: Ticket,
}

impl<T> Drop for WriterWaits<'_, T> {
    fn drop(&mut self) {
        lock(&self.shared.writers).leave(self.ticket);
    }
}

pub(super) struct ReaderWaits<'a>(&'a AtomicBool);

impl Drop for ReaderWaits<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

impl<T: Message> Counted for Shared<T> {
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]) {
        counts.messages += self.messages();
        counts.bytes += self.bytes.load(Relaxed);
        counts.high_water = counts.high_water.max(self.high_water());
        for (sum, sent) in sent.iter_mut().zip(&self.sent) {
            *sum += sent.load(Relaxed);
        }
    }

    fn queued(&self) -> u64 {
        self.queued()
    }

    fn reader_waits(&self, _: u64) -> bool {
        self.reader_waits.load(Relaxed)
    }

    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant)) {
        self.each_waiting(0, then);
    }

    fn tap(&self, feed: Option<usize>, point: &Arc<TapPoint>) {
        self.taps.add(feed, point);
    }

    fn untap(&self, point: &Arc<TapPoint>) {
        self.taps.remove(point);
    }
}

/// The data behind this lock is consistent at any moment.
fn lock(writers: &Mutex<Line<Wait>>) -> MutexGuard<'_, Line<Wait>> {
    writers.lock().unwrap_or_else(PoisonError::into_inner)
}
