//! The link between workers and to threads: a bounded channel, async and blocking at both ends.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use super::circle::{CircleInbox, CircleLink, CircleSpace};
use super::joined::Joined;
use super::outward::Outward;
use super::shared::{Shared, WriterWaits};
use super::{Counted, LinkSettings, Measure, capacity_of, channel};
use crate::port::{Closed, Inbox, Message, Outbox, Permit, TrySendError, unless};
use crate::ports::Direction;
use crate::scheduler::refuse_to_block;

/// Makes a link that belongs to no graph. Its ends may move to any thread, or travel inside a
/// message.
///
/// `capacity` is in messages, and may be any number: the link takes no memory before there are
/// messages.
///
/// # Panics
///
/// If `capacity` is 0: a link holds at least one message.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = kamea::link::<u32>(4);
/// std::thread::spawn(move || (1..=10).for_each(|n| sender.send_blocking(n).unwrap()));
/// assert_eq!(receiver.into_iter().sum::<u32>(), 55);
/// ```
#[track_caller]
pub fn link<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    link_of(capacity_of(capacity), 1, None)
}

fn link_of<T>(
    capacity: usize,
    feeds: usize,
    measure: Option<Measure<T>>,
) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = channel::bounded(capacity);
    let shared = Arc::new(Shared::new(capacity, feeds, measure));
    (
        Sender {
            sender,
            shared: shared.clone(),
            feed: 0,
            outward: None,
        },
        Receiver { receiver, shared },
    )
}

/// The sending end of a link that belongs to no graph. A clone is a further outbox of the same
/// link.
#[derive(Debug)]
pub struct Sender<T> {
    sender: channel::Sender<T>,
    shared: Arc<Shared<T>>,
    /// Its number among the outboxes that feed the link.
    feed: usize,
    /// The graph that it leads out of, if it does.
    outward: Option<Arc<Outward<T>>>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            shared: self.shared.clone(),
            feed: self.feed,
            outward: self.outward.clone(),
        }
    }
}

impl<T> Sender<T> {
    /// Sends a message. Waits while the link is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the receiving end is gone.
    pub async fn send(&self, message: T) -> Result<(), Closed<T>> {
        match self.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(message)) => Err(Closed(message)),
            Err(TrySendError::Full(message)) => {
                let (_waiting, bytes) = self.begin_wait(&message);
                self.sender.send(message).await?;
                self.count_sent(bytes);
                Ok(())
            }
        }
    }

    /// Reserves space for one message. Waits while the link is full. See [`Outbox::reserve`].
    ///
    /// [`Outbox::reserve`]: crate::Outbox::reserve
    ///
    /// # Errors
    ///
    /// [`Closed`], if the receiving end is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # kamea::testing::block_on(async {
    /// let (sender, mut receiver) = kamea::link(1);
    /// let permit = sender.reserve().await.unwrap();
    /// assert!(sender.try_send(1).is_err(), "the space is taken");
    /// permit.send(2).unwrap();
    /// assert_eq!(receiver.next().await, Some(2));
    /// # });
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T>, Closed<()>> {
        self.reserve_owned().await
    }

    pub(crate) async fn reserve_owned<'a>(&self) -> Result<Permit<'a, T>, Closed<()>>
    where
        T: 'a,
    {
        let graph = self.outward.as_ref().map_or(0, |own| own.number);
        let space = {
            let mut waiting = None;
            let mut space = pin!(self.sender.reserve());
            poll_fn(|cx| {
                let space = space.as_mut().poll(cx);
                if space.is_pending() {
                    waiting.get_or_insert_with(|| self.shared.begin_wait(self.feed, graph));
                }
                space
            })
            .await?
        };
        Ok(Permit::across(Space {
            space,
            sender: self.clone(),
            circle: None,
        }))
    }

    /// Sends a message if there is space for it now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the message, if the link is full or the receiving end is gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let bytes = self.shared.weigh(&message);
        if self.is_tapped() {
            // A sender that finds the link full shows its message when it waits. So a message that
            // was not shown must not be sent here.
            if self.sender.is_full() && !self.shared.gone.is_set() {
                return Err(TrySendError::Full(message));
            }
            self.show(&message);
        }
        self.sender.try_send(message)?;
        self.count_sent(bytes);
        Ok(())
    }

    /// Sends a message, and blocks this thread while the link is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the receiving end is gone.
    ///
    /// # Panics
    ///
    /// On a worker, if it would have to wait: use [`send`](Self::send) there.
    pub fn send_blocking(&self, message: T) -> Result<(), Closed<T>> {
        match self.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(message)) => Err(Closed(message)),
            Err(TrySendError::Full(message)) => {
                refuse_to_block("send_blocking", "`send(..).await`");
                let (_waiting, bytes) = self.begin_wait(&message);
                self.sender.send_blocking(message)?;
                self.count_sent(bytes);
                Ok(())
            }
        }
    }

    /// Waits until the receiving end is gone.
    pub async fn closed(&self) {
        self.shared.gone.wait().await;
    }

    /// Waits for a future, as long as the receiving end is there, as
    /// [`Outbox::while_open`](crate::Outbox::while_open) does.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the receiving end is gone. The future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// let (sender, receiver) = kamea::link::<u32>(1);
    /// drop(receiver);
    /// let waited = sender.while_open(pending::<()>());
    /// assert!(kamea::testing::block_on(waited).is_err());
    /// ```
    pub fn while_open<F: Future>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Closed<()>>> {
        unless(|| self.is_closed(), self.closed(), future)
    }

    /// Returns whether the receiving end is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.gone.is_set()
    }

    pub(crate) fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            sender: self.sender.downgrade(),
            shared: self.shared.clone(),
            feed: self.feed,
            outward: self.outward.clone(),
        }
    }

    fn count_sent(&self, bytes: u64) {
        self.shared.count_sent(self.feed, bytes);
        if let Some(outward) = &self.outward {
            outward.count_sent();
        }
    }

    fn is_tapped(&self) -> bool {
        let own = self.outward.as_ref();
        self.shared.taps.are_there() || own.is_some_and(|own| own.taps.are_there())
    }

    #[cold]
    fn show(&self, message: &T) {
        self.shared.taps.show(message, self.feed);
        if let Some(outward) = &self.outward {
            outward.taps.show(message, 0);
        }
    }

    /// Records a message that will wait for space. Returns its size in bytes.
    fn begin_wait(&self, message: &T) -> (WriterWaits<'_, T>, u64) {
        if self.is_tapped() {
            self.show(message);
        }
        (self.note_wait(), self.shared.weigh(message))
    }

    /// Records that a message waits for space, as long as the result lives.
    pub(super) fn note_wait(&self) -> WriterWaits<'_, T> {
        let graph = self.outward.as_ref().map_or(0, |own| own.number);
        self.shared.begin_wait(self.feed, graph)
    }

    /// How many messages have been sent into the link.
    pub(super) fn messages(&self) -> u64 {
        self.shared.messages()
    }

    pub(super) fn counted(&self) -> &Shared<T> {
        &self.shared
    }

    /// The same link, for another of its outboxes.
    pub(crate) fn for_feed(&self, feed: usize) -> Self {
        Self {
            feed,
            ..self.clone()
        }
    }
}

/// Space for one message. Its sender holds the link open.
#[derive(Debug)]
pub(crate) struct Space<T> {
    space: channel::Permit<T>,
    sender: Sender<T>,
    /// The circle that the link is in, if there is one. It comes after the space, because of the
    /// order of drops.
    circle: Option<CircleSpace>,
}

impl<T> Space<T> {
    pub(crate) fn enter_circle(&mut self, link: Arc<CircleLink>) {
        self.circle = Some(CircleSpace(link));
    }

    pub(crate) fn send(self, message: T) -> Result<(), Closed<T>> {
        let Self {
            space,
            sender,
            circle,
        } = self;
        let bytes = sender.shared.weigh(&message);
        if sender.is_tapped() {
            sender.show(&message);
        }
        let send = || space.send(message);
        match &circle {
            None => send()?,
            Some(CircleSpace(link)) => link.counting(send)?,
        }
        sender.count_sent(bytes);
        Ok(())
    }
}

/// A sender that does not hold its link open: the end of a feedback link.
pub(crate) struct WeakSender<T> {
    sender: channel::WeakSender<T>,
    shared: Arc<Shared<T>>,
    feed: usize,
    outward: Option<Arc<Outward<T>>>,
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            shared: self.shared.clone(),
            feed: self.feed,
            outward: self.outward.clone(),
        }
    }
}

impl<T> WeakSender<T> {
    pub(crate) fn upgrade(&self) -> Option<Sender<T>> {
        Some(Sender {
            sender: self.sender.upgrade()?,
            shared: self.shared.clone(),
            feed: self.feed,
            outward: self.outward.clone(),
        })
    }

    /// Waits until the receiving end is gone, or nothing holds the link open any more.
    pub(crate) async fn closed(&self) {
        let mut wait = self.shared.gone.wait();
        poll_fn(|cx| match self.sender.upgrade() {
            Some(_) => Pin::new(&mut wait).poll(cx),
            None => Poll::Ready(()),
        })
        .await;
    }
}

/// The receiving end of a link that belongs to no graph.
#[derive(Debug)]
pub struct Receiver<T> {
    receiver: channel::Receiver<T>,
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Waits for the next message. Returns `None` once every sender is gone and nothing is left.
    pub async fn next(&mut self) -> Option<T> {
        self.receive().await
    }

    pub(crate) async fn receive(&self) -> Option<T> {
        match self.try_receive() {
            None => {
                let _waiting = self.shared.reader_waits();
                self.counted(self.receiver.recv().await)
            }
            message => message,
        }
    }

    /// Returns the next message, if there is one now.
    pub fn try_next(&mut self) -> Option<T> {
        self.try_receive()
    }

    pub(crate) fn try_receive(&self) -> Option<T> {
        self.counted(self.receiver.try_recv())
    }

    /// Returns the next message, and blocks this thread until it arrives. Returns `None` once every
    /// sender is gone and nothing is left.
    ///
    /// # Panics
    ///
    /// On a worker, if it would have to wait: use [`next`](Self::next) there.
    pub fn next_blocking(&mut self) -> Option<T> {
        self.receive_blocking()
    }

    pub(crate) fn receive_blocking(&self) -> Option<T> {
        self.try_receive().or_else(|| {
            if !self.receiver.is_disconnected() {
                refuse_to_block("next_blocking", "`next().await`");
            }
            let _waiting = self.shared.reader_waits();
            self.counted(self.receiver.recv_blocking())
        })
    }

    fn counted(&self, message: Option<T>) -> Option<T> {
        if message.is_some() {
            self.shared.count_received();
        }
        message
    }

    pub(crate) fn len(&self) -> usize {
        self.receiver.len()
    }
}

impl<T> Receiver<T> {
    /// Keeps what is left in the link when this end goes.
    ///
    /// Meanwhile a sender that waits for space does not learn that this end has gone. It must also
    /// wait for [`Sender::closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = kamea::link(4);
    /// let leftovers = receiver.leftovers();
    /// for n in [1, 2, 3] {
    ///     sender.try_send(n).unwrap();
    /// }
    /// assert_eq!(receiver.try_next(), Some(1));
    /// drop(receiver);
    /// assert_eq!(leftovers.take().collect::<Vec<_>>(), [2, 3]);
    /// ```
    pub fn leftovers(&self) -> Leftovers<T> {
        Leftovers(self.receiver.clone())
    }
}

/// What is left in a link when its receiving end goes. Made by [`Receiver::leftovers`].
#[derive(Debug)]
pub struct Leftovers<T>(channel::Receiver<T>);

impl<T> Leftovers<T> {
    /// Takes the leftovers out, including the messages of waiting senders. Call it when the
    /// receiving end has gone: until then the messages belong to that end.
    pub fn take(&self) -> impl Iterator<Item = T> {
        self.0.try_iter()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.gone.set();
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = Messages<T>;

    fn into_iter(self) -> Self::IntoIter {
        Messages { receiver: self }
    }
}

/// The messages of a [`Receiver`], one after another. It blocks the calling thread. Made by its
/// `into_iter`.
#[derive(Debug)]
pub struct Messages<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for Messages<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.next_blocking()
    }
}

/// The ends of a link between two components of a graph, until the components have taken theirs.
pub(crate) struct Ends<T> {
    shared: Arc<Shared<T>>,
    sender: Option<Sender<T>>,
    receiver: Option<Receiver<T>>,
    /// The circle that the link is in, if there is one.
    circle: Option<Arc<CircleLink>>,
    /// Whether they are for a component with a thread of its own.
    on_thread: bool,
    /// The links of an open port, in the place of a sender.
    joined: Option<Arc<Joined<T>>>,
}

impl<T> Ends<T> {
    pub(crate) fn of(settings: &LinkSettings) -> Self
    where
        T: Message,
    {
        let (sender, receiver) = link_of(settings.capacity, settings.feeds, settings.measure());
        Self {
            shared: sender.shared.clone(),
            sender: Some(sender),
            receiver: Some(receiver),
            circle: None,
            on_thread: false,
            joined: None,
        }
    }

    pub(crate) fn receiving(receiver: Receiver<T>) -> Self {
        Self {
            shared: receiver.shared.clone(),
            sender: None,
            receiver: Some(receiver),
            circle: None,
            on_thread: false,
            joined: None,
        }
    }

    /// Stands for the links of an open port.
    pub(crate) fn joined(joined: Arc<Joined<T>>) -> Self {
        let (_, receiver) = link_of(1, 1, None);
        Self {
            shared: receiver.shared.clone(),
            sender: None,
            receiver: None,
            circle: None,
            on_thread: false,
            joined: Some(joined),
        }
    }

    /// Makes a link between outboxes of a graph and an inbox of it, which others may feed too by
    /// upgrading the returned sender.
    pub(crate) fn open(capacity: usize, feeds: usize) -> (WeakSender<T>, Self) {
        // Those of other graphs count as one more.
        let (sender, receiver) = link_of(capacity, feeds + 1, None);
        let others = sender.for_feed(feeds).downgrade();
        let ends = Self {
            sender: Some(sender),
            ..Self::receiving(receiver)
        };
        (others, ends)
    }

    /// Returns the links of an open port, if these ends stand for them.
    pub(crate) fn open_port(&self) -> Option<&Arc<Joined<T>>> {
        self.joined.as_ref()
    }

    /// Returns the sender for an outbox of a graph that the link leads out of.
    pub(crate) fn sending(mut sender: Sender<T>) -> Self {
        sender.outward = Some(Outward::of(&sender.shared));
        Self {
            shared: sender.shared.clone(),
            sender: Some(sender),
            receiver: None,
            circle: None,
            on_thread: false,
            joined: None,
        }
    }
}

impl<T: Message> Ends<T> {
    /// Returns the inbox, the first time.
    pub(crate) fn inbox(&mut self) -> Option<Inbox<T>> {
        let inbox = Inbox::from(self.receiver.take()?);
        Some(match &self.circle {
            None => inbox,
            Some(link) => {
                let counting = CircleInbox::new(inbox, link.clone(), self.on_thread);
                Inbox::fused(Box::new(counting))
            }
        })
    }

    /// Returns an outbox, if this end can send.
    pub(crate) fn outbox(&self, holds: bool, feed: usize) -> Option<Outbox<T>> {
        let outbox = Outbox::across(self.sender.as_ref()?, holds, feed);
        Some(match &self.circle {
            None => outbox,
            Some(link) => Outbox::in_circle(outbox, link.clone()),
        })
    }
}

/// [`Ends`] of any message type, on their way to the thread where a component takes one of them.
pub(crate) trait AnyEnds: Send {
    /// Splits off what a component on another thread needs: the receiver, or a sender.
    fn split_off(&mut self, direction: Direction) -> Box<dyn AnyEnds>;

    /// Puts the link into a circle, before any of its ends is taken.
    fn enter_circle(&mut self, link: &Arc<CircleLink>);

    /// Returns the circle that the link is in.
    fn circle(&self) -> Option<&Arc<CircleLink>>;

    /// How many outboxes hold the link open.
    fn senders(&self) -> usize;

    /// Returns the counters of the link.
    fn counted(&self) -> Arc<dyn Counted>;

    fn as_any(&mut self) -> &mut dyn Any;
}

impl<T: Message> AnyEnds for Ends<T> {
    fn split_off(&mut self, direction: Direction) -> Box<dyn AnyEnds> {
        Box::new(match direction {
            Direction::Inbox => Self {
                shared: self.shared.clone(),
                sender: None,
                receiver: self.receiver.take(),
                circle: self.circle.clone(),
                on_thread: true,
                joined: self.joined.clone(),
            },
            Direction::Outbox => Self {
                shared: self.shared.clone(),
                sender: self.sender.clone(),
                receiver: None,
                circle: self.circle.clone(),
                on_thread: true,
                joined: self.joined.clone(),
            },
        })
    }

    fn enter_circle(&mut self, link: &Arc<CircleLink>) {
        self.circle = Some(link.clone());
    }

    fn circle(&self) -> Option<&Arc<CircleLink>> {
        self.circle.as_ref()
    }

    fn senders(&self) -> usize {
        let sender = self.sender.as_ref();
        sender.map_or(0, |sender| sender.sender.sender_count())
    }

    fn counted(&self) -> Arc<dyn Counted> {
        if let Some(joined) = &self.joined {
            return joined.clone();
        }
        let outward = self
            .sender
            .as_ref()
            .and_then(|sender| sender.outward.clone());
        match outward {
            Some(outward) => outward,
            None => self.shared.clone(),
        }
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests;
