//! Handles whose message type is known only at run time, for example for a graph that is read from
//! a text.
//!
//! A component, its ports and its links stay typed. Only the wiring is erased: it compares the
//! types when it makes a link.

use std::any::{TypeId, type_name};
use std::fmt;

use super::{InboxHandle, OutboxHandle, OutboxesHandle, PortKey};
use crate::link::LinkKind;
use crate::port::Message;

/// The type of the messages of a port.
///
/// # Examples
///
/// ```
/// use kamea::{MessageType, Pipe, Ports};
///
/// let [inbox, outbox] = Pipe::<String, u32>::PORTS else { panic!() };
/// assert_eq!(inbox.message, MessageType::of::<String>());
/// assert_eq!(outbox.message.short_name(), "u32");
/// ```
#[derive(Clone, Copy)]
pub struct MessageType {
    id: TypeId,
    name: fn() -> &'static str,
}

impl MessageType {
    /// Returns the type `T`.
    #[must_use]
    pub const fn of<T: Message>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>,
        }
    }

    /// Returns its name, with the path of its module.
    #[must_use]
    pub fn name(self) -> &'static str {
        (self.name)()
    }

    /// Returns its short name, without the paths of modules: `Vec<String>` instead of
    /// `alloc::vec::Vec<alloc::string::String>`.
    #[must_use]
    pub fn short_name(self) -> String {
        let mut short = String::new();
        for part in self
            .name()
            .split_inclusive(['<', '>', ',', ' ', '(', ')', '[', ']', '&'])
        {
            short.push_str(part.rsplit("::").next().unwrap_or(part));
        }
        short
    }

    /// Checks that a message type `found` is this type.
    pub(crate) fn expect(self, found: Self) -> Result<(), WrongMessage> {
        if self == found {
            return Ok(());
        }
        Err(WrongMessage {
            given: found,
            taken: self,
        })
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for MessageType {}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An outbox and an inbox with different message types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an outbox gives `{}`, the inbox that it is linked to takes `{}`", given.name(), taken.name())]
#[non_exhaustive]
pub struct WrongMessage {
    /// The message type of the outbox.
    pub given: MessageType,
    /// The message type of the inbox.
    pub taken: MessageType,
}

/// The handle of a port with its message type erased. Made by
/// [`Ports::erase`](super::Ports::erase).
#[derive(Debug)]
pub enum AnyPort {
    /// Of an inbox.
    Inbox(AnyInbox),
    /// Of an outbox.
    Outbox(AnyOutbox),
    /// Of any number of outboxes.
    Outboxes(AnyOutboxes),
}

/// An [`InboxHandle`] whose message type is erased.
#[derive(Debug)]
#[must_use = "an inbox that is not linked is an error of the graph"]
pub struct AnyInbox {
    pub(crate) key: PortKey,
    pub(crate) message: MessageType,
    pub(crate) kind: LinkKind,
}

impl AnyInbox {
    /// Returns its message type.
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// Returns the original handle.
    ///
    /// # Errors
    ///
    /// [`WrongMessage`] if it has another type.
    pub fn typed<T: Message>(self) -> Result<InboxHandle<T>, WrongMessage> {
        self.message.expect(MessageType::of::<T>())?;
        Ok(InboxHandle::new(self.key))
    }
}

impl<T: Message> From<InboxHandle<T>> for AnyInbox {
    fn from(handle: InboxHandle<T>) -> Self {
        Self {
            key: handle.key,
            message: MessageType::of::<T>(),
            kind: LinkKind::of::<T>(),
        }
    }
}

/// An [`OutboxHandle`] whose message type is erased.
#[derive(Debug)]
#[must_use = "an outbox that is not linked is an error of the graph"]
pub struct AnyOutbox {
    pub(crate) key: PortKey,
    pub(crate) message: MessageType,
    pub(crate) feedback: bool,
}

impl AnyOutbox {
    /// Returns its message type.
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// Returns the same handle, for a link that closes a circle: see
    /// [`LinkOptions::feedback`](crate::LinkOptions::feedback).
    pub fn feedback(self) -> Self {
        Self {
            feedback: true,
            ..self
        }
    }

    /// Returns the original handle.
    ///
    /// # Errors
    ///
    /// [`WrongMessage`] if it has another type.
    pub fn typed<T: Message>(self) -> Result<OutboxHandle<T>, WrongMessage> {
        MessageType::of::<T>().expect(self.message)?;
        Ok(OutboxHandle::new(self.key))
    }
}

impl<T: Message> From<OutboxHandle<T>> for AnyOutbox {
    fn from(handle: OutboxHandle<T>) -> Self {
        Self {
            key: handle.key,
            message: MessageType::of::<T>(),
            feedback: false,
        }
    }
}

/// An [`OutboxesHandle`] whose message type is erased.
#[derive(Debug)]
pub struct AnyOutboxes {
    next: PortKey,
    message: MessageType,
}

impl AnyOutboxes {
    /// Adds an outbox. The component finds its outboxes in the order of these calls.
    pub fn branch(&mut self) -> AnyOutbox {
        let key = self.next;
        self.next.branch += 1;
        AnyOutbox {
            key,
            message: self.message,
            feedback: false,
        }
    }
}

impl<T: Message> From<OutboxesHandle<T>> for AnyOutboxes {
    fn from(handle: OutboxesHandle<T>) -> Self {
        Self {
            next: handle.next,
            message: MessageType::of::<T>(),
        }
    }
}
