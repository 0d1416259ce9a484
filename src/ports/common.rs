//! The structs of ports that most components use.

use super::Ports;
use crate::port::{Inbox, Message, Outbox};

/// The ports of a component that takes and sends messages: a stage in the middle of a pipeline.
#[derive(Debug, Ports)]
pub struct Pipe<A: Message, B: Message> {
    /// The incoming messages.
    pub inbox: Inbox<A>,
    /// The outgoing messages.
    pub outbox: Outbox<B>,
}

/// The ports of a component that only sends messages: the start of a pipeline.
#[derive(Debug, Ports)]
pub struct Source<T: Message> {
    /// The outgoing messages.
    pub outbox: Outbox<T>,
}

/// The ports of a component that only takes messages: the end of a pipeline.
#[derive(Debug, Ports)]
pub struct Sink<T: Message> {
    /// The incoming messages.
    pub inbox: Inbox<T>,
}
