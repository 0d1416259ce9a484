//! A link: a bounded, typed connection from outboxes to an inbox.
//!
//! There are two kinds, and a component cannot tell which one it has: [`within`] a flow a link is a plain
//! queue on one thread, without atomics; [`across`] workers and threads it is a `flume` channel.

pub(crate) mod across;
#[cfg(test)]
mod tests;
pub(crate) mod within;

use std::any::Any;
use std::rc::Rc;

use crate::flow::ReadySet;
use crate::port::Message;

/// How many messages a link holds unless it is told otherwise.
pub const DEFAULT_CAPACITY: usize = 16;

/// Makes links of one message type; a graph keeps it for each of its links once the type is erased.
#[derive(Clone, Copy)]
pub(crate) struct LinkKind {
    pub(crate) within: fn(capacity: usize, holders: usize, ready: &Rc<ReadySet>) -> Rc<dyn Any>,
    pub(crate) across: fn(capacity: usize) -> Box<dyn across::AnyEnds>,
    pub(crate) message: fn() -> &'static str,
}

impl LinkKind {
    pub(crate) fn of<T: Message>() -> Self {
        Self {
            within: |capacity, holders, ready| {
                Rc::new(within::Queue::<T>::new(capacity, holders, ready.clone()))
            },
            across: |capacity| Box::new(across::Ends::<T>::new(capacity)),
            message: std::any::type_name::<T>,
        }
    }
}

impl std::fmt::Debug for LinkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkKind({})", (self.message)())
    }
}
