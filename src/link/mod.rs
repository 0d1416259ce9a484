//! A link: a bounded, typed connection from outboxes to an inbox.
//!
//! There are two kinds, and a component cannot tell them apart. [`within`] a flow a link is a plain
//! queue on one thread, without atomics. [`across`] workers and threads it is a [`channel`].

pub(crate) mod across;
mod channel;
pub(crate) mod circle;
mod count;
mod gone;
pub(crate) mod joined;
pub(crate) mod line;
mod outward;
mod shared;
mod taps;
#[cfg(test)]
mod tests;
mod watch;
pub(crate) mod within;

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use channel::later::LateWakes;
pub(crate) use count::{Counted, LinkCounts};
pub(crate) use watch::{Tapping, Watch};

use crate::flow::ReadySet;
use crate::port::Message;

/// The default capacity of a link, in messages.
pub const DEFAULT_CAPACITY: usize = 16;

/// The largest capacity of a link: more messages than fit into any memory, and small enough that
/// additions to a capacity do not overflow.
const MOST: usize = usize::MAX >> 2;

/// The capacity of a link for this many messages.
///
/// # Panics
///
/// If `messages` is 0.
#[track_caller]
pub(crate) fn capacity_of(messages: usize) -> usize {
    assert!(messages > 0, "a link holds at least one message");
    messages.min(MOST)
}

/// Makes links of one message type. A graph keeps one for each of its links after the type is
/// erased.
#[derive(Clone, Copy)]
pub(crate) struct LinkKind {
    pub(crate) within: fn(&LinkSettings, &Rc<ReadySet>) -> Rc<dyn within::AnyQueue>,
    pub(crate) across: fn(&LinkSettings) -> Box<dyn across::AnyEnds>,
    pub(crate) message: fn() -> &'static str,
    /// The size of a message, in bytes.
    pub(crate) size: usize,
}

/// The parameters of a link of a graph.
pub(crate) struct LinkSettings {
    /// The capacity, in messages.
    pub(crate) capacity: usize,
    /// How many outboxes hold it open.
    pub(crate) holders: usize,
    /// How many outboxes feed it.
    pub(crate) feeds: usize,
    pub(crate) measure: Option<AnyMeasure>,
}

/// Returns the size of a message in bytes.
pub(crate) type Measure<T> = fn(&T) -> usize;

/// A [`Measure`] of the link's message type.
pub(crate) type AnyMeasure = Arc<dyn Any + Send + Sync>;

impl LinkSettings {
    fn measure<T: Message>(&self) -> Option<Measure<T>> {
        self.measure.as_ref()?.downcast_ref().copied()
    }
}

impl LinkKind {
    pub(crate) fn of<T: Message>() -> Self {
        Self {
            within: |settings, ready| Rc::new(within::Queue::<T>::of(settings, ready.clone())),
            across: |settings| Box::new(across::Ends::<T>::of(settings)),
            size: size_of::<T>(),
            message: std::any::type_name::<T>,
        }
    }
}

impl std::fmt::Debug for LinkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkKind({})", (self.message)())
    }
}
