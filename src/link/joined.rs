//! The links of an open port: outboxes that are added while the component runs.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::across::Sender;
use super::{Counted, LinkCounts};
use crate::port::{Message, Outbox};
use crate::tap::TapPoint;

/// What an open port, its component and the added graphs share.
pub(crate) struct Joined<T> {
    /// The port, as `graph: component.port`.
    name: Arc<str>,
    links: Mutex<Links<T>>,
    /// How often a link has come or gone.
    version: AtomicUsize,
    /// How many handles can still add links.
    handles: AtomicUsize,
}

struct Links<T> {
    /// The sending ends. The component has weak copies, so that a link can be closed without it.
    senders: Vec<(u64, Sender<T>)>,
    next: u64,
    /// Whether the component is gone.
    is_over: bool,
    /// The counts of links that are gone.
    gone: LinkCounts,
}

impl<T> Joined<T> {
    pub(crate) fn new(name: Arc<str>) -> Self {
        let links = Links {
            senders: Vec::new(),
            next: 0,
            is_over: false,
            gone: LinkCounts::default(),
        };
        Self {
            name,
            links: Mutex::new(links),
            version: AtomicUsize::new(0),
            handles: AtomicUsize::new(1),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn keep_open(&self) {
        self.handles.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn let_close(&self) {
        self.handles.fetch_sub(1, Ordering::SeqCst);
    }

    fn links(&self) -> MutexGuard<'_, Links<T>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a link. Returns its number. If the component is gone, the sender is dropped, so that
    /// the receiver sees the end.
    fn add(&self, sender: Sender<T>) -> u64 {
        let mut links = self.links();
        let number = links.next;
        links.next += 1;
        if links.is_over {
            drop(links);
            return number;
        }
        links.senders.push((number, sender));
        drop(links);
        self.version.fetch_add(1, Ordering::SeqCst);
        number
    }

    fn remove(&self, number: u64) {
        let mut links = self.links();
        let place = links.senders.iter().position(|(known, _)| *known == number);
        let Some(place) = place else { return };
        let (_, sender) = links.senders.remove(place);
        links.gone.messages += sender.messages();
        drop(links);
        self.version.fetch_add(1, Ordering::SeqCst);
        // Dropped without the lock: the receiver is woken.
        drop(sender);
    }
}

/// The open port, as its component sees it.
pub(crate) struct JoinedPort<T> {
    joined: Arc<Joined<T>>,
    version: usize,
}

impl<T: 'static> JoinedPort<T> {
    pub(crate) fn new(joined: Arc<Joined<T>>) -> Self {
        Self { joined, version: 0 }
    }

    /// Returns the outboxes of the links that there are now, if they have changed.
    pub(crate) fn changed(&mut self) -> Option<Vec<Outbox<T>>> {
        let version = self.joined.version.load(Ordering::SeqCst);
        if version == self.version {
            return None;
        }
        self.version = version;
        let links = self.joined.links();
        let senders = links.senders.iter();
        Some(
            senders
                .map(|(_, sender)| Outbox::across(sender, false, 0))
                .collect(),
        )
    }

    /// Whether links may still be added.
    pub(crate) fn is_open(&self) -> bool {
        self.joined.handles.load(Ordering::SeqCst) > 0
    }
}

impl<T> Drop for JoinedPort<T> {
    fn drop(&mut self) {
        let mut links = self.joined.links();
        links.is_over = true;
        let senders = std::mem::take(&mut links.senders);
        links.gone.messages += senders
            .iter()
            .map(|(_, sender)| sender.messages())
            .sum::<u64>();
        drop(links);
        drop(senders);
    }
}

/// A link from an open port of another graph, as the graph that it leads into sees it.
pub(crate) trait Join: Send {
    /// Adds the link, when its graph begins to run.
    fn join(&mut self);

    /// Closes it. What has been sent is still received.
    fn leave(&mut self);
}

pub(crate) struct JoinLink<T> {
    joined: Weak<Joined<T>>,
    /// The sending end, until it is added.
    sender: Option<Sender<T>>,
    number: Option<u64>,
}

impl<T> JoinLink<T> {
    pub(crate) fn new(joined: &Arc<Joined<T>>, sender: Sender<T>) -> Self {
        Self {
            joined: Arc::downgrade(joined),
            sender: Some(sender),
            number: None,
        }
    }
}

impl<T: Message> Join for JoinLink<T> {
    fn join(&mut self) {
        if let (Some(joined), Some(sender)) = (self.joined.upgrade(), self.sender.take()) {
            self.number = Some(joined.add(sender));
        }
    }

    fn leave(&mut self) {
        self.sender = None;
        if let (Some(joined), Some(number)) = (self.joined.upgrade(), self.number.take()) {
            joined.remove(number);
        }
    }
}

impl<T> Drop for JoinLink<T> {
    fn drop(&mut self) {
        if let (Some(joined), Some(number)) = (self.joined.upgrade(), self.number.take()) {
            joined.remove(number);
        }
    }
}

/// All links of the port together.
impl<T: Message> Counted for Joined<T> {
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]) {
        let links = self.links();
        let mut messages = links.gone.messages;
        for (_, sender) in &links.senders {
            let mut one = LinkCounts::default();
            sender.counted().add_to(&mut one, &mut []);
            messages += one.messages;
            counts.bytes += one.bytes;
            counts.high_water = counts.high_water.max(one.high_water);
        }
        counts.messages += messages;
        if let Some(sum) = sent.first_mut() {
            *sum += messages;
        }
    }

    fn queued(&self) -> u64 {
        let links = self.links();
        links
            .senders
            .iter()
            .map(|(_, sender)| sender.counted().queued())
            .sum()
    }

    /// Its inboxes do not belong to this graph.
    fn reader_waits(&self, _: u64) -> bool {
        false
    }

    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant)) {
        for (_, sender) in &self.links().senders {
            sender.counted().each_writer(&mut |_, since| then(0, since));
        }
    }

    fn tap(&self, _: Option<usize>, point: &Arc<TapPoint>) {
        for (_, sender) in &self.links().senders {
            sender.counted().tap(None, point);
        }
    }

    fn untap(&self, point: &Arc<TapPoint>) {
        for (_, sender) in &self.links().senders {
            sender.counted().untap(point);
        }
    }
}

impl<T> fmt::Debug for Joined<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joined").field(&self.name).finish()
    }
}
