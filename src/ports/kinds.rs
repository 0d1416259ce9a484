//! The types that a field of a struct of ports may have.

use std::marker::PhantomData;

use super::handles::{ComponentId, InboxHandle, OutboxHandle, OutboxesHandle, PortKey};
use super::{AnyPort, Direction, Port, Wiring};
use crate::port::{Inbox, Letter, Message, Outbox};

impl<T: Message> Port for Inbox<T> {
    type Message = T;
    type Handle = InboxHandle<T>;
    const DIRECTION: Direction = Direction::Inbox;
    const OPTIONAL: bool = false;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        InboxHandle::new(PortKey {
            component,
            port,
            branch: 0,
        })
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Inbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        let link = wiring
            .next_port()
            .first()
            .expect("the graph was checked: an inbox is linked");
        wiring.inbox(*link)
    }

    fn dead_letter(&self) -> Option<Letter<'_>> {
        self.dead_letter()
    }
}

impl<T: Message> Port for Outbox<T> {
    type Message = T;
    type Handle = OutboxHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = false;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        OutboxHandle::new(PortKey {
            component,
            port,
            branch: 0,
        })
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        let link = wiring
            .next_port()
            .first()
            .expect("the graph was checked: an outbox is linked");
        wiring.outbox(*link)
    }
}

impl<T: Message> Port for Option<Inbox<T>> {
    type Message = T;
    type Handle = InboxHandle<T>;
    const DIRECTION: Direction = Direction::Inbox;
    const OPTIONAL: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        Inbox::<T>::handle(component, port)
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Inbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        wiring.next_port().first().map(|link| wiring.inbox(*link))
    }

    fn dead_letter(&self) -> Option<Letter<'_>> {
        self.as_ref()?.dead_letter()
    }
}

impl<T: Message> Port for Option<Outbox<T>> {
    type Message = T;
    type Handle = OutboxHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        Outbox::<T>::handle(component, port)
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        wiring.next_port().first().map(|link| wiring.outbox(*link))
    }
}

/// A port with as many outboxes as the graph links, possibly zero. A router chooses among them.
///
/// It is a slice of [`Outbox`]es, in the order in which the graph asked for them with
/// [`OutboxesHandle::branch`].
#[derive(Debug)]
pub struct Outboxes<T>(Box<[Outbox<T>]>);

impl<T> std::ops::Deref for Outboxes<T> {
    type Target = [Outbox<T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Message> Port for Outboxes<T> {
    type Message = T;
    type Handle = OutboxesHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = true;
    const MANY: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        OutboxesHandle {
            next: PortKey {
                component,
                port,
                branch: 0,
            },
            message: PhantomData,
        }
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outboxes(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        Self(
            wiring
                .next_port()
                .iter()
                .map(|link| wiring.outbox(*link))
                .collect(),
        )
    }
}
