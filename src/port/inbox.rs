//! The inbox: the end of a link where messages come out.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Across, Letter};
use crate::flow::budget::{give_way, spend};
use crate::fuse::Fused;
use crate::link::across::Receiver;
use crate::link::within::Queue;

/// The end of a link from which a component takes its messages.
///
/// Dropping it, or returning from the component, closes the link: senders then get
/// [`Closed`](crate::Closed).
///
/// # Examples
///
/// ```
/// use kamea::{Done, Inbox, Outbox, Ports};
///
/// /// The ports of [`interleave`].
/// #[derive(Ports)]
/// struct InterleavePorts {
///     left: Inbox<u32>,
///     right: Inbox<u32>,
///     both: Outbox<u32>,
/// }
///
/// /// One from the left, one from the right, until either ends.
/// async fn interleave(io: &mut InterleavePorts) -> Done {
///     while let (Some(left), Some(right)) = (io.left.next().await, io.right.next().await) {
///         io.both.send(left).await?;
///         io.both.send(right).await?;
///     }
///     Ok(())
/// }
/// # let mut graph = kamea::Graph::new("test");
/// # let part = graph.add("interleave", interleave);
/// # let (left, right, both) = (graph.feed(part.left), graph.feed(part.right), graph.take(part.both));
/// # left.try_send(1).unwrap(); right.try_send(2).unwrap(); drop((left, right));
/// # kamea::testing::block_on(graph.start().unwrap()).unwrap();
/// # assert_eq!(both.into_iter().collect::<Vec<_>>(), [1, 2]);
/// ```
#[derive(Debug)]
pub struct Inbox<T>(Receiving<T>);

enum Receiving<T> {
    Within(Rc<Queue<T>>),
    Across(Receiver<T>),
    /// Behind functions, or with dead letters.
    Fused(Box<dyn Fused<T>>),
}

impl<T> fmt::Debug for Receiving<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Within(_) => "within a flow",
            Self::Across(_) => "across threads",
            Self::Fused(_) => "behind a function",
        })
    }
}

impl<T> Inbox<T> {
    pub(crate) fn within(queue: Rc<Queue<T>>) -> Self {
        Self(Receiving::Within(queue))
    }

    pub(crate) fn fused(fused: Box<dyn Fused<T>>) -> Self {
        Self(Receiving::Fused(fused))
    }

    /// Sends the message in hand to the dead letters, if they are linked.
    pub(crate) fn dead_letter(&self) -> Option<Letter<'_>> {
        match &self.0 {
            Receiving::Fused(fused) => fused.dead_letter(),
            Receiving::Within(_) | Receiving::Across(_) => None,
        }
    }

    /// Waits for the next message. Returns `None` once upstream has finished and the queue is
    /// empty.
    ///
    /// A cancelled wait loses no message.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot wait for a message"
    )]
    #[inline]
    pub fn next(&mut self) -> NextMessage<'_, T> {
        NextMessage {
            inbox: &self.0,
            across: None,
        }
    }

    /// Returns the next message, if there is one now.
    pub fn try_next(&mut self) -> Option<T> {
        self.try_take()
    }

    pub(crate) fn try_take(&self) -> Option<T> {
        match &self.0 {
            Receiving::Within(queue) => queue.try_next(),
            Receiving::Across(receiver) => receiver.try_receive(),
            Receiving::Fused(fused) => fused.try_next(),
        }
    }

    /// Takes the copy of the last message that the inbox keeps for its
    /// [dead letters](crate::Graph::dead_letters); `None` if they are not linked.
    ///
    /// This is for a component that works on several messages at once. It keeps their copies, and
    /// [puts back](Self::put_back) those of the messages that failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Done, End, Graph, Policy, Sink};
    ///
    /// /// Takes two at a time, and fails with the first of them.
    /// async fn in_pairs(io: &mut Sink<u32>) -> Done {
    ///     while io.inbox.next().await.is_some() {
    ///         let first = io.inbox.take_copy();
    ///         io.inbox.next().await;
    ///         io.inbox.take_copy();
    ///         if let Some(first) = first {
    ///             io.inbox.put_back(first);
    ///             return Err(End::fault("no"));
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// let mut graph = Graph::new("pairs");
    /// let part = graph.add("in pairs", in_pairs);
    /// graph.supervise(|_| Policy::CarryOn);
    /// let letters = graph.dead_letters(&part.inbox);
    /// let (numbers, letters) = (graph.feed(part.inbox), graph.take(letters));
    /// numbers.try_send(1).unwrap();
    /// numbers.try_send(2).unwrap();
    /// kamea::testing::block_on(graph.start().unwrap()).unwrap();
    /// assert_eq!(letters.into_iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn take_copy(&mut self) -> Option<T> {
        match &self.0 {
            Receiving::Fused(fused) => fused.take_copy(),
            Receiving::Within(_) | Receiving::Across(_) => None,
        }
    }

    /// Makes a message a dead letter if the component fails. Without dead letters the message is
    /// dropped. See [`take_copy`](Self::take_copy).
    pub fn put_back(&mut self, message: T) {
        if let Receiving::Fused(fused) = &self.0 {
            fused.put_back(message);
        }
    }

    /// Returns the next message, for a [`blocking`](crate::blocking) component: blocks its thread
    /// until there is one. Returns `None` once upstream has finished and the queue is empty.
    ///
    /// # Panics
    ///
    /// In a component that runs in a flow, which must not block: use [`next`](Self::next) there.
    pub fn next_blocking(&mut self) -> Option<T> {
        self.take_blocking()
    }

    pub(crate) fn take_blocking(&self) -> Option<T> {
        match &self.0 {
            Receiving::Within(_) => {
                panic!("a component of a flow must not block: use `next().await`")
            }
            Receiving::Across(receiver) => receiver.receive_blocking(),
            Receiving::Fused(fused) => fused.next_blocking(),
        }
    }

    /// Returns how many messages wait. Behind a [`filter`](crate::filter) some of them may never
    /// arrive.
    pub fn len(&self) -> usize {
        match &self.0 {
            Receiving::Within(queue) => queue.len(),
            Receiving::Across(receiver) => receiver.len(),
            Receiving::Fused(fused) => fused.len(),
        }
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: 'static> Inbox<T> {
    /// Polls it for a function behind it. `waiting` keeps the wait for another thread, once it has
    /// begun.
    pub(crate) fn poll_fused(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        waiting: &RefCell<Option<Across<'static, Option<T>>>>,
    ) -> Poll<Option<T>> {
        let receiver = match &self.0 {
            Receiving::Within(queue) => return queue.poll_next(cx),
            Receiving::Fused(fused) => return fused.poll_next(cx),
            Receiving::Across(receiver) => receiver,
        };
        let mut waiting = waiting.borrow_mut();
        if waiting.is_none() {
            if !spend(1) {
                give_way(cx);
                return Poll::Pending;
            }
            if let Some(message) = receiver.try_receive() {
                return Poll::Ready(Some(message));
            }
        }
        let wait = waiting.get_or_insert_with(|| {
            let inbox = self.clone();
            Box::pin(async move { inbox.receive_across().await })
        });
        let message = ready!(wait.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(message)
    }

    async fn receive_across(&self) -> Option<T> {
        match &self.0 {
            Receiving::Across(receiver) => receiver.receive().await,
            Receiving::Within(_) | Receiving::Fused(_) => None,
        }
    }
}

impl<T> From<Receiver<T>> for Inbox<T> {
    fn from(receiver: Receiver<T>) -> Self {
        Self(Receiving::Across(receiver))
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        if let Receiving::Within(queue) = &self.0 {
            queue.close();
        }
    }
}

/// The future of [`Inbox::next`].
#[must_use = "no message is taken unless it is awaited"]
pub struct NextMessage<'a, T> {
    inbox: &'a Receiving<T>,
    /// The wait for another thread, once it has begun.
    across: Option<Across<'a, Option<T>>>,
}

impl<T> Future for NextMessage<'_, T> {
    type Output = Option<T>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.inbox {
            Receiving::Within(queue) => queue.poll_next(cx),
            Receiving::Across(receiver) => self.poll_across(receiver, cx),
            Receiving::Fused(fused) => fused.poll_next(cx),
        }
    }
}

impl<'a, T> NextMessage<'a, T> {
    #[inline(never)]
    fn poll_across(&mut self, receiver: &'a Receiver<T>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.across.is_none() {
            if !spend(1) {
                give_way(cx);
                return Poll::Pending;
            }
            if let Some(message) = receiver.try_receive() {
                return Poll::Ready(Some(message));
            }
        }
        self.across
            .get_or_insert_with(|| Box::pin(receiver.receive()))
            .as_mut()
            .poll(cx)
    }
}

impl<T> fmt::Debug for NextMessage<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NextMessage").field(self.inbox).finish()
    }
}
