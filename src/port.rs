//! Inboxes and outboxes: the typed ends that a component owns.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::link::across::{Receiver, Sender, WeakSender};
use crate::link::within::Queue;

/// What may travel over a link: any type that may be sent to another thread and borrows nothing.
///
/// # Examples
///
/// ```
/// fn is_a_message<T: kamea::Message>() {}
/// is_a_message::<Vec<String>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message",
    label = "not a message",
    note = "a message is `Send` (a link may cross threads) and `'static` (it borrows nothing)"
)]
pub trait Message: Send + 'static {}

impl<T: Send + 'static> Message for T {}

/// The inbox at the other end is gone; the message comes back.
///
/// With `?` it ends a component quietly: to have nobody left to talk to is no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed<T>(
    /// The message that was not delivered.
    pub T,
);

/// Why a message was not taken at once; it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The link is full.
    Full(T),
    /// The inbox at the other end is gone.
    Closed(T),
}

/// The end of a link where a component takes its messages from.
///
/// Dropping it, or returning from the component, closes the link: who sends then hears [`Closed`].
#[derive(Debug)]
pub struct Inbox<T>(Receiving<T>);

enum Receiving<T> {
    Within(Rc<Queue<T>>),
    Across(Receiver<T>),
}

impl<T> std::fmt::Debug for Receiving<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Within(_) => "within a flow",
            Self::Across(_) => "across threads",
        })
    }
}

impl<T> Inbox<T> {
    pub(crate) fn within(queue: Rc<Queue<T>>) -> Self {
        Self(Receiving::Within(queue))
    }

    /// The next message. `None` once upstream has finished and the queue is empty.
    ///
    /// Nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Receiving::Within(queue) => poll_fn(|cx| queue.poll_next(cx)).await,
            Receiving::Across(receiver) => receiver.next().await,
        }
    }

    /// The next message, if there is one now.
    pub fn try_next(&mut self) -> Option<T> {
        match &mut self.0 {
            Receiving::Within(queue) => queue.try_next(),
            Receiving::Across(receiver) => receiver.try_next(),
        }
    }

    /// The next message, for a [`blocking`](crate::blocking) component: blocks its thread until there is one.
    /// `None` once upstream has finished and the queue is empty.
    ///
    /// # Panics
    ///
    /// In a component that runs in a flow, which must not block: use [`next`](Self::next) there.
    pub fn next_blocking(&mut self) -> Option<T> {
        match &mut self.0 {
            Receiving::Within(_) => {
                panic!("a component of a flow must not block: use `next().await`")
            }
            Receiving::Across(receiver) => receiver.next_blocking(),
        }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        match &self.0 {
            Receiving::Within(queue) => queue.len(),
            Receiving::Across(receiver) => receiver.len(),
        }
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

/// The end of a link that a component sends its messages into.
///
/// Dropping it, or returning from the component, ends the messages: the inbox at the other end gives `None` once
/// all the outboxes that feed it are gone.
pub struct Outbox<T>(Sending<T>);

enum Sending<T> {
    Within { queue: Rc<Queue<T>>, holds: bool },
    Across(Sender<T>),
    Feedback(WeakSender<T>),
}

impl<T> std::fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Sending::Within { .. } => "Outbox(within a flow)",
            Sending::Across(_) => "Outbox(across threads)",
            Sending::Feedback(_) => "Outbox(feedback across threads)",
        })
    }
}

impl<T> Outbox<T> {
    pub(crate) fn within(queue: Rc<Queue<T>>, holds: bool) -> Self {
        Self(Sending::Within { queue, holds })
    }

    pub(crate) fn across(sender: &Sender<T>, holds: bool) -> Self {
        Self(if holds {
            Sending::Across(sender.clone())
        } else {
            Sending::Feedback(sender.downgrade())
        })
    }

    /// Sends a message; waits while the inbox at the other end is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, when the inbox at the other end is gone.
    pub async fn send(&self, message: T) -> Result<(), Closed<T>> {
        match &self.0 {
            Sending::Within { queue, .. } => queue.send(message).await,
            Sending::Across(sender) => sender.send(message).await,
            Sending::Feedback(weak) => match weak.upgrade() {
                Some(sender) => sender.send(message).await,
                None => Err(Closed(message)),
            },
        }
    }

    /// Sends a message if there is space for it now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the message, when the link is full or the inbox at the other end is gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match &self.0 {
            Sending::Within { queue, .. } => queue.try_send(message),
            Sending::Across(sender) => sender.try_send(message),
            Sending::Feedback(weak) => match weak.upgrade() {
                Some(sender) => sender.try_send(message),
                None => Err(TrySendError::Closed(message)),
            },
        }
    }

    /// Sends a message from a [`blocking`](crate::blocking) component: blocks its thread while the link is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, when the inbox at the other end is gone.
    ///
    /// # Panics
    ///
    /// In a component that runs in a flow, which must not block: use [`send`](Self::send) there.
    pub fn send_blocking(&self, message: T) -> Result<(), Closed<T>> {
        match &self.0 {
            Sending::Within { .. } => {
                panic!("a component of a flow must not block: use `send(..).await`")
            }
            Sending::Across(sender) => sender.send_blocking(message),
            Sending::Feedback(weak) => match weak.upgrade() {
                Some(sender) => sender.send_blocking(message),
                None => Err(Closed(message)),
            },
        }
    }

    /// Waits until the inbox at the other end is gone: for a component that would otherwise learn of it too late,
    /// because it waits for the world and not for space.
    pub async fn closed(&self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Whether the inbox at the other end is gone.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Sending::Within { queue, .. } => queue.is_closed(),
            Sending::Across(sender) => sender.is_closed(),
            Sending::Feedback(weak) => weak.upgrade().is_none_or(|sender| sender.is_closed()),
        }
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Sending::Within { queue, .. } => queue.poll_closed(cx),
            Sending::Across(sender) => sender.poll_closed(cx),
            Sending::Feedback(weak) => match weak.upgrade() {
                Some(sender) => sender.poll_closed(cx),
                None => Poll::Ready(()),
            },
        }
    }
}

impl<T> From<Sender<T>> for Outbox<T> {
    fn from(sender: Sender<T>) -> Self {
        Self(Sending::Across(sender))
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        if let Sending::Within { queue, holds: true } = &self.0 {
            queue.release();
        }
    }
}
