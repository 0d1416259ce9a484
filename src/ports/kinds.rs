//! The types that a field of a struct of ports may have.

use std::marker::PhantomData;

use super::handles::{ComponentId, InboxHandle, OutboxHandle, OutboxesHandle, PortKey};
use super::{AnyPort, Direction, Port, Wiring};
use crate::link::joined::JoinedPort;
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
/// [`OutboxesHandle::branch`]. Those that were added while the graph runs come after them: see
/// [`renew`](Self::renew).
#[derive(Debug)]
pub struct Outboxes<T> {
    outboxes: Vec<Outbox<T>>,
    added: Option<Box<Added<T>>>,
}

/// The outboxes of a port that were added while its graph runs.
struct Added<T> {
    port: JoinedPort<T>,
    /// How many outboxes come before them.
    after: usize,
}

impl<T> std::fmt::Debug for Added<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Added(after {})", self.after)
    }
}

impl<T: 'static> Outboxes<T> {
    /// Takes in the outboxes that were [added](crate::Graph::open_outboxes) since the last call,
    /// and drops those that were removed. Costs one look at a counter if there is nothing new.
    /// Returns whether more may be added.
    ///
    /// # Examples
    ///
    /// A component that ends when nobody can listen any more:
    ///
    /// ```
    /// use kamea::{Done, Inbox, Outboxes, Ports};
    ///
    /// #[derive(Ports)]
    /// struct TellPorts {
    ///     news: Inbox<String>,
    ///     listeners: Outboxes<String>,
    /// }
    ///
    /// async fn tell(io: &mut TellPorts) -> Done {
    ///     while let Some(news) = io.news.next().await {
    ///         let more_may_come = io.listeners.renew();
    ///         if !more_may_come && io.listeners.iter().all(|listener| listener.is_closed()) {
    ///             break;
    ///         }
    ///         for listener in io.listeners.iter() {
    ///             let _ = listener.send(news.clone()).await;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let mut graph = kamea::Graph::new("test");
    /// # let part = graph.add("tell", tell);
    /// # let news = graph.feed(part.news);
    /// # let _ = part.listeners;
    /// # news.try_send(String::new()).unwrap();
    /// # kamea::testing::block_on(graph.start().unwrap()).unwrap();
    /// ```
    pub fn renew(&mut self) -> bool {
        let Some(added) = &mut self.added else {
            return false;
        };
        // First, because a link may come before the last handle goes.
        let is_open = added.port.is_open();
        if let Some(outboxes) = added.port.changed() {
            self.outboxes.truncate(added.after);
            self.outboxes.extend(outboxes);
        }
        is_open
    }
}

impl<T> std::ops::Deref for Outboxes<T> {
    type Target = [Outbox<T>];

    fn deref(&self) -> &Self::Target {
        &self.outboxes
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
        let (mut outboxes, mut joined) = (Vec::new(), None);
        for link in wiring.next_port() {
            match wiring.open_port(*link) {
                None => outboxes.push(wiring.outbox(*link)),
                open => joined = open,
            }
        }
        let after = outboxes.len();
        let added = joined.map(|joined| {
            Box::new(Added {
                port: JoinedPort::new(joined),
                after,
            })
        });
        Self { outboxes, added }
    }
}
