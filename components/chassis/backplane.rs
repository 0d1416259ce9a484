//! The backplane: a message published to a topic reaches all its subscribers, wherever they run.
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

use kamea::{Closed, Message, StopWish, drop_each, is_stopping, note_dropped};

use topic::{Cursor, Found, Topic};

/// The default number of messages that a topic keeps for subscribers that have not read them yet.
const CAPACITY: usize = 64;

/// Topics that any component of the program can publish to and subscribe to, with
/// [`publish_to`](super::publish_to) and [`subscribe_to`](super::subscribe_to).
///
/// It is a value, not a name in a registry: all clones of one backplane share their topics. A topic
/// exists while it has a publisher or a subscriber. A message to a topic without subscribers is
/// dropped.
///
/// A graceful stop: a subscriber in a graph that is stopped receives everything that has been
/// published, and everything that components of other stopped graphs still publish. Then it ends.
/// It does not wait for a [`Publisher`] outside all graphs.
///
/// The end: when the last clone and the last publisher are dropped, or [`close`](Self::close) is
/// called, subscribers receive the messages that they have not read, and then the end.
///
/// # Examples
///
/// A chat: all users see what each user says, with the user's name.
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

/// What to do with a slow subscriber when its topic is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Slow {
    /// Publishers wait for it (backpressure), as at any link: it receives every message. A
    /// subscriber that stops reading stops all publishers, so a chat server should choose another
    /// variant.
    #[default]
    Wait,
    /// It loses the oldest messages.
    DropOldest,
    /// It is dropped: the subscriber ends, and the end travels downstream. This is logged.
    DropSubscriber,
}

struct Shared<T> {
    topics: Mutex<Topics<T>>,
    /// The number of clones and publishers.
    handles: AtomicUsize,
}

/// Ordered, so that a simulation runs the same way each time.
struct Topics<T> {
    by_name: BTreeMap<Arc<str>, Weak<Topic<T>>>,
    /// How many messages a new topic keeps.
    capacity: usize,
    is_closed: bool,
}

impl<T: Message> Default for Backplane<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Message> Backplane<T> {
    /// Creates a backplane without topics. Publishers wait for slow subscribers; each topic keeps
    /// 64 messages.
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

    /// Sets how many unread messages each topic keeps. It applies to topics created from now on.
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

    /// Returns the same backplane, with a policy for slow subscribers. It applies to those that
    /// subscribe with this clone.
    #[must_use]
    pub fn slow(&self, slow: Slow) -> Self {
        let mut plane = self.clone();
        plane.slow = slow;
        plane
    }

    /// Publishes to a topic from code that is not a line of components. Example: a message names
    /// the topic.
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

    /// For a component that publishes. Subscribers wait for it if both are to end.
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
            cursor: topic.subscribe(self.slow),
            topic,
            name,
            batch: VecDeque::new(),
            lost: 0,
        }
    }
}

impl<T> Backplane<T> {
    /// Ends all topics: nothing more is published. Subscribers receive the messages that they have
    /// not read, and then the end.
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
    /// A topic stays open as long as it has a publisher.
    _plane: Backplane<T>,
}

impl<T: Message> Publisher<T> {
    /// Publishes a message. Waits for slow subscribers, if their policy is to wait.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the backplane is closed.
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
    /// The component that owns it has started.
    pub(super) fn begin(&self) {
        self.publisher.topic.begin(self.number, StopWish::current());
    }
}

impl<T> Drop for Line<T> {
    fn drop(&mut self) {
        self.publisher.topic.leave(self.number);
    }
}

/// Receives the messages of one topic. Made by [`Backplane::subscribe`].
#[derive(Debug)]
pub struct Subscription<T> {
    topic: Arc<Topic<T>>,
    cursor: Cursor,
    name: Arc<str>,
    /// Messages taken from the topic that have not been returned yet.
    batch: VecDeque<T>,
    lost: u64,
}

impl<T: Message + Clone> Subscription<T> {
    /// Returns the next message; `None` if the backplane is closed and everything has been read, or
    /// if this subscriber was dropped because it was slow. If the wait is cancelled, no message is
    /// lost.
    pub async fn next(&mut self) -> Option<T> {
        self.take(false).await
    }

    /// Like [`next`](Self::next). Also returns the end if the graph that this runs in is to end,
    /// and all components that can still publish have ended or are outside the stopped graphs.
    pub(super) async fn next_until_drained(&mut self) -> Option<T> {
        self.take(true).await
    }

    async fn take(&mut self, heeds_stop: bool) -> Option<T> {
        if self.batch.is_empty() {
            let (cursor, batch) = (&mut self.cursor, &mut self.batch);
            let found = poll_fn(|cx| {
                let found = self.topic.poll_read(cursor, batch, cx);
                let has_drained = || is_stopping() && self.topic.has_drained(cursor);
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

    /// Returns the next message, if it has already been taken from the topic.
    pub(super) fn next_taken(&mut self) -> Option<T> {
        self.batch.pop_front()
    }

    /// Returns how many messages it has lost because it was slow.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        // If the subscriber is being stopped, these messages were accepted, but nobody receives
        // them.
        note_dropped(self.batch.len() as u64 + self.topic.unread(&self.cursor));
        self.topic.unsubscribe(&self.cursor);
        drop_each(std::mem::take(&mut self.batch));
    }
}

#[cfg(test)]
mod tests;
