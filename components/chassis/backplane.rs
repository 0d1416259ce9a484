//! The backplane: what is published to a topic reaches everybody who has subscribed to it, wherever they run.
//!
//! ```text
//!   publish_to ──▶ ┌─ "news" ─┐ ──▶ subscribe_to      many to many; neither knows of the other
//!   publish_to ──▶ └──────────┘ ──▶ subscribe_to
//! ```

mod topic;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use kamea::{Closed, Message, StopWish, is_stopping, note_dropped};

use topic::{Found, Place, Topic};

/// How many messages a topic keeps for those who have not read them yet, unless it is told otherwise.
const CAPACITY: usize = 64;

/// Topics that components of the whole program publish to and subscribe to: [`publish_to`](super::publish_to),
/// [`subscribe_to`](super::subscribe_to).
///
/// It is a value, and no name in a registry: whoever has a clone of it meets the others there. A topic exists while somebody
/// publishes or has subscribed to it. What nobody has subscribed to is dropped.
///
/// A graceful stop: a subscriber whose graph is stopped gets what has been published, and what the components still publish whose
/// graphs are stopped as well; then it ends. A [`Publisher`] outside of all graphs is not waited for.
///
/// The end: once the last clone and the last publisher have gone, or [`close`](Self::close) was called, subscribers get what they
/// have not read, and then the end.
///
/// # Examples
///
/// A chat: everybody who is in it is told, with a name, what anybody says.
///
/// ```
/// use kamea::{Composite, Handle, Pipe, Scheduler, map, pipeline};
/// use kamea_components::chassis::{Backplane, publish_to, subscribe_to};
///
/// fn chat(room: &Backplane<String>, name: &'static str) -> Composite<Pipe<String, String>> {
///     let format = map(move |line: String| format!("{name}: {line}"));
///     pipeline!(format => publish_to(room, "chat") => subscribe_to(room, "chat"))
/// }
///
/// let room = Backplane::new();
/// let scheduler = Scheduler::with_workers(2);
/// let mut ada = Handle::run(&scheduler, chat(&room, "ada"))?;
/// let mut bob = Handle::run(&scheduler, chat(&room, "bob"))?;
/// ada.send_blocking("hello".to_owned()).unwrap();
/// assert_eq!(ada.next_blocking().as_deref(), Some("ada: hello"));
/// assert_eq!(bob.next_blocking().as_deref(), Some("ada: hello"));
/// ada.wait()?; // who stops talking leaves
/// bob.send_blocking("gone".to_owned()).unwrap();
/// assert_eq!(bob.next_blocking().as_deref(), Some("bob: gone"));
/// bob.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Backplane<T> {
    shared: Arc<Shared<T>>,
    slow: Slow,
}

/// What is to become of a subscriber that does not keep up, once its topic has no space for more messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Slow {
    /// Publishers wait for it, as they do at any link: it gets every message. One that stops taking them stops them all, so a
    /// chat server will rather choose another.
    #[default]
    Wait,
    /// It misses the oldest messages.
    DropOldest,
    /// It is dropped: it ends, and the end travels downstream. That is logged.
    DropSubscriber,
}

struct Shared<T> {
    topics: Mutex<Topics<T>>,
    /// How many clones and publishers there are.
    handles: AtomicUsize,
}

/// In an order, so that a simulation runs the same each time.
struct Topics<T> {
    by_name: BTreeMap<Arc<str>, Weak<Topic<T>>>,
    /// How many messages a new one keeps.
    capacity: usize,
    is_closed: bool,
}

impl<T: Message> Default for Backplane<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Message> Backplane<T> {
    /// A backplane without topics. Slow subscribers are waited for; each topic keeps 64 messages for them.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                topics: Mutex::new(Topics {
                    by_name: BTreeMap::new(),
                    capacity: CAPACITY,
                    is_closed: false,
                }),
                handles: AtomicUsize::new(1),
            }),
            slow: Slow::default(),
        }
    }

    /// How many messages each topic that is made from now on keeps for those who have not read them.
    ///
    /// # Panics
    ///
    /// If `messages` is 0.
    #[must_use]
    pub fn capacity(self, messages: usize) -> Self {
        assert!(messages > 0, "a topic keeps at least one message");
        self.shared.topics().capacity = messages;
        self
    }

    /// The same backplane; whoever subscribes by this clone of it is treated so when it is slow.
    #[must_use]
    pub fn slow(&self, slow: Slow) -> Self {
        let mut plane = self.clone();
        plane.slow = slow;
        plane
    }

    /// Publishes to a topic from code that is not a line of components, for example to a topic that a message names.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::chassis::Backplane;
    ///
    /// # kamea::testing::block_on(async {
    /// let plane = Backplane::new();
    /// let mut news = plane.subscribe("news");
    /// plane.publisher("news").publish("it works").await.unwrap();
    /// drop(plane);
    /// assert_eq!(news.next().await, Some("it works"));
    /// assert_eq!(news.next().await, None);
    /// # });
    /// ```
    pub fn publisher(&self, topic: &str) -> Publisher<T> {
        Publisher {
            topic: self.shared.topic(topic),
            _plane: self.clone(),
        }
    }

    /// For a component that publishes, and that subscribers wait for if it is to end as they are.
    pub(super) fn line(&self, topic: &str) -> Line<T> {
        let publisher = self.publisher(topic);
        Line {
            number: publisher.topic.join(),
            publisher,
        }
    }

    /// Subscribes to a topic, from now on.
    pub fn subscribe(&self, topic: &str) -> Subscription<T> {
        let name = topic.into();
        let topic = self.shared.topic(topic);
        Subscription {
            place: topic.subscribe(self.slow),
            topic,
            name,
            batch: VecDeque::new(),
            lost: 0,
        }
    }
}

impl<T> Backplane<T> {
    /// Ends all topics: nothing more is published, and subscribers get what they have not read and then the end.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl<T> Clone for Backplane<T> {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: self.shared.clone(),
            slow: self.slow,
        }
    }
}

impl<T> Drop for Backplane<T> {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
        }
    }
}

impl<T> fmt::Debug for Backplane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: Vec<_> = self.shared.topics().by_name.keys().cloned().collect();
        f.debug_struct("Backplane")
            .field("topics", &topics)
            .field("slow", &self.slow)
            .finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    fn topics(&self) -> MutexGuard<'_, Topics<T>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topic(&self, name: &str) -> Arc<Topic<T>> {
        let mut topics = self.topics();
        if let Some(topic) = topics.by_name.get(name).and_then(Weak::upgrade) {
            return topic;
        }
        topics.by_name.retain(|_, topic| topic.strong_count() > 0);
        let topic = Arc::new(Topic::new(topics.capacity));
        if topics.is_closed {
            topic.close();
        }
        topics.by_name.insert(name.into(), Arc::downgrade(&topic));
        topic
    }

    fn close(&self) {
        let mut topics = self.topics();
        topics.is_closed = true;
        let open: Vec<_> = topics.by_name.values().filter_map(Weak::upgrade).collect();
        drop(topics);
        open.iter().for_each(|topic| topic.close());
    }
}

/// Publishes to one topic. Made by [`Backplane::publisher`].
#[derive(Debug)]
pub struct Publisher<T> {
    topic: Arc<Topic<T>>,
    /// A topic is open as long as somebody may publish to it.
    _plane: Backplane<T>,
}

impl<T: Message> Publisher<T> {
    /// Publishes a message; waits for subscribers that are slow and want to be waited for.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the backplane has been closed.
    pub async fn publish(&self, message: T) -> Result<(), Closed<T>> {
        let mut message = Some(message);
        poll_fn(|cx| self.topic.poll_publish(&mut message, cx)).await
    }
}

/// Publishes to one topic, as a component of a graph.
#[derive(Debug)]
pub(super) struct Line<T> {
    pub(super) publisher: Publisher<T>,
    number: u64,
}

impl<T> Line<T> {
    /// The component that it belongs to has begun.
    pub(super) fn begin(&self) {
        self.publisher.topic.begin(self.number, StopWish::current());
    }
}

impl<T> Drop for Line<T> {
    fn drop(&mut self) {
        self.publisher.topic.leave(self.number);
    }
}

/// Gets what is published to one topic. Made by [`Backplane::subscribe`].
#[derive(Debug)]
pub struct Subscription<T> {
    topic: Arc<Topic<T>>,
    place: Place,
    name: Arc<str>,
    /// What has been taken from the topic and not been given out.
    batch: VecDeque<T>,
    lost: u64,
}

impl<T: Message + Clone> Subscription<T> {
    /// The next message; `None` once the backplane is closed and everything has been read, or if this subscriber was dropped
    /// because it was slow. Nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Option<T> {
        self.take(false).await
    }

    /// Like [`next`](Self::next); the end as well if the graph that this runs in is to end, and nothing can come any more of
    /// others that are to end.
    pub(super) async fn next_until_drained(&mut self) -> Option<T> {
        self.take(true).await
    }

    async fn take(&mut self, heeds_stop: bool) -> Option<T> {
        if self.batch.is_empty() {
            let (place, batch) = (&mut self.place, &mut self.batch);
            let found = poll_fn(|cx| {
                let found = self.topic.poll_read(place, batch, cx);
                let has_drained = || is_stopping() && self.topic.has_drained(place);
                match found {
                    Poll::Pending if heeds_stop && has_drained() => Poll::Ready(Found::End),
                    found => found,
                }
            });
            match found.await {
                Found::Some { lost } => self.lost += lost,
                Found::End => {}
                Found::TooSlow(behind) => {
                    let name = &self.name;
                    log::warn!("a subscriber of `{name}` was dropped: {behind} messages too slow");
                }
            }
        }
        self.batch.pop_front()
    }

    /// The next message, if it has been taken from the topic already.
    pub(super) fn next_taken(&mut self) -> Option<T> {
        self.batch.pop_front()
    }

    /// How many messages it has missed because it was slow.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        // If it is being stopped, these were accepted, and nobody gets them.
        note_dropped(self.batch.len() as u64 + self.topic.unread(&self.place));
        self.topic.unsubscribe(&self.place);
    }
}

#[cfg(test)]
mod tests;
