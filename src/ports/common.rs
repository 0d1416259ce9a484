//! The structs of ports that most components have.

use super::Ports;
use crate::port::{Inbox, Message, Outbox};

/// The ports of a component that takes messages and gives messages: a stage in the middle of a pipeline.
#[derive(Debug, Ports)]
pub struct Pipe<A: Message, B: Message> {
    /// What comes in.
    pub inbox: Inbox<A>,
    /// What goes out.
    pub outbox: Outbox<B>,
}

/// The ports of a component that only gives messages: the start of a pipeline.
#[derive(Debug, Ports)]
pub struct Source<T: Message> {
    /// What goes out.
    pub outbox: Outbox<T>,
}

/// The ports of a component that only takes messages: the end of a pipeline.
#[derive(Debug, Ports)]
pub struct Sink<T: Message> {
    /// What comes in.
    pub inbox: Inbox<T>,
}
