//! Handles: they stand for the ports of a component while its graph is wired.

use std::marker::PhantomData;

/// Identifies a component of a graph that is being wired. Unique in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ComponentId(pub(crate) u64);

/// Identifies a port of a component. `branch` counts the outboxes of an [`Outboxes`] port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PortKey {
    pub(crate) component: ComponentId,
    pub(crate) port: usize,
    pub(crate) branch: usize,
}

/// Stands for an [`Inbox`](crate::Inbox) while a graph is wired. Linking consumes it: a port is
/// linked once.
#[derive(Debug)]
#[must_use = "an inbox that is not linked is an error of the graph"]
pub struct InboxHandle<T> {
    pub(crate) key: PortKey,
    message: PhantomData<fn(T)>,
}

/// Stands for an [`Outbox`](crate::Outbox) while a graph is wired. Linking consumes it: a port is
/// linked once.
#[derive(Debug)]
#[must_use = "an outbox that is not linked is an error of the graph"]
pub struct OutboxHandle<T> {
    pub(crate) key: PortKey,
    message: PhantomData<fn() -> T>,
}

impl<T> InboxHandle<T> {
    pub(crate) fn new(key: PortKey) -> Self {
        Self {
            key,
            message: PhantomData,
        }
    }
}

impl<T> OutboxHandle<T> {
    pub(crate) fn new(key: PortKey) -> Self {
        Self {
            key,
            message: PhantomData,
        }
    }
}

/// Stands for an [`Outboxes`](crate::Outboxes) port while a graph is wired. It returns a handle for
/// each outbox.
#[derive(Debug)]
pub struct OutboxesHandle<T> {
    pub(crate) next: PortKey,
    pub(super) message: PhantomData<fn() -> T>,
}

impl<T> OutboxesHandle<T> {
    /// Adds an outbox. The component finds its outboxes in the order of these calls.
    pub fn branch(&mut self) -> OutboxHandle<T> {
        let key = self.next;
        self.next.branch += 1;
        OutboxHandle::new(key)
    }
}
