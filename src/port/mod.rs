//! Inboxes and outboxes: the typed ends that a component owns.

mod copying;
mod inbox;
mod outbox;
mod permit;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

pub(crate) use copying::CopyingInbox;
pub use copying::Letter;
pub use inbox::{Inbox, NextMessage};
pub(crate) use outbox::unless;
pub use outbox::{Outbox, SendMessage};
pub use permit::Permit;

/// What may travel over a link: any type that can be sent to another thread, borrows nothing and
/// implements `Debug`.
///
/// A tap on the link shows messages by their `Debug`. A type with secrets must leave them out
/// there.
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
    note = "a message is `Send` (a link may cross threads), `'static` (it borrows nothing) and `Debug` (a link may be tapped)"
)]
pub trait Message: Debug + Send + 'static {}

impl<T: Debug + Send + 'static> Message for T {}

/// The inbox at the other end is gone. The error returns the message.
///
/// With `?` it ends a component quietly: the end of the downstream component is not a fault.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = kamea::link(1);
/// drop(receiver);
/// assert_eq!(sender.send_blocking("hello"), Err(kamea::Closed("hello")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed<T>(
    /// The message that was not delivered.
    pub T,
);

/// The reason why a message was not accepted at once. The error returns the message.
///
/// # Examples
///
/// ```
/// use kamea::TrySendError;
///
/// let (sender, receiver) = kamea::link(1);
/// assert_eq!(sender.try_send(1), Ok(()));
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// drop(receiver);
/// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The link is full.
    Full(T),
    /// The inbox at the other end is gone.
    Closed(T),
}

/// A wait at a link across threads. It is boxed, so that waits inside a flow stay small.
pub(crate) type Across<'a, Output> = Pin<Box<dyn Future<Output = Output> + 'a>>;
