//! Space for one message.

use std::fmt;
use std::sync::Arc;

use super::Closed;
use crate::link::across::Space;
use crate::link::circle::CircleLink;
use crate::link::within;

/// Space for one message in the inbox at the other end. Made by
/// [`Outbox::reserve`](crate::Outbox::reserve) and [`Sender::reserve`](crate::Sender::reserve).
///
/// Dropping it gives the space to the next send that waits. It holds the link open.
///
/// # Examples
///
/// See [`Outbox::reserve`](crate::Outbox::reserve).
#[must_use = "the space is taken as long as the permit lives"]
pub struct Permit<'a, T>(Kind<'a, T>);

enum Kind<'a, T> {
    Within(within::Permit<'a, T>),
    Across(Box<Space<T>>),
}

impl<'a, T> Permit<'a, T> {
    pub(crate) fn within(permit: within::Permit<'a, T>) -> Self {
        Self(Kind::Within(permit))
    }

    pub(crate) fn across(space: Space<T>) -> Self {
        Self(Kind::Across(Box::new(space)))
    }

    /// The same in a circle, whose messages are counted.
    pub(crate) fn in_circle(mut self, link: Arc<CircleLink>) -> Self {
        if let Kind::Across(space) = &mut self.0 {
            space.enter_circle(link);
        }
        self
    }

    /// Sends a message. It does not wait.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the inbox at the other end has gone meanwhile.
    pub fn send(self, message: T) -> Result<(), Closed<T>> {
        match self.0 {
            Kind::Within(permit) => permit.send(message),
            Kind::Across(space) => space.send(message),
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
