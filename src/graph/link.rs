//! The links of a graph that does not run yet, and the rules for linking.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use crate::ask::Release;
use crate::link::across::AnyEnds;
use crate::link::joined::Join;
use crate::link::{AnyMeasure, DEFAULT_CAPACITY, LinkKind, Measure, capacity_of};
use crate::port::Message;
use crate::ports::{InboxHandle, OutboxHandle, PortKey};
use crate::supervision::Fault;

/// Further options of a link that has just been made.
#[derive(Debug)]
pub struct LinkOptions<'a, T> {
    pub(super) link: &'a mut Link,
    pub(super) message: PhantomData<fn(T)>,
}

impl<T> LinkOptions<'_, T> {
    /// Sets the capacity: how many messages the link holds before its senders wait. The default is
    /// [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY).
    ///
    /// # Panics
    ///
    /// If `messages` is 0: a link holds at least one message.
    #[track_caller]
    pub fn capacity(self, messages: usize) -> Self {
        self.link.capacity = capacity_of(messages);
        self
    }
}

impl<T: Message> LinkOptions<'_, T> {
    /// Makes the [census](crate::Census) count the bytes of the link's messages. `measure` returns
    /// the length of each.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Sink, Source};
    ///
    /// let mut graph = Graph::new("measured");
    /// let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("kia ora").await?));
    /// let listen = graph.add("listen", async |io: &mut Sink<&'static str>| {
    ///     io.inbox.next().await;
    ///     Ok(())
    /// });
    /// graph.link(greet.outbox, listen.inbox).measure(|text| text.len());
    ///
    /// let scheduler = kamea::Scheduler::with_workers(1);
    /// scheduler.run(graph)?.wait()?;
    /// assert_eq!(scheduler.census().graphs[0].links[0].bytes, Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn measure(self, measure: fn(&T) -> usize) -> Self {
        self.link.measure = Some(Arc::new(measure as Measure<T>));
        self
    }

    /// Feeds the inbox from a further outbox: one that lies downstream of the inbox, or cannot tell
    /// when it is done.
    ///
    /// Its messages are delivered like all others. It does not keep the inbox open by itself: the
    /// inbox closes when its ordinary outboxes are gone and nothing is left in the circle. So a
    /// circle of components drains like a line does, and loses nothing.
    ///
    /// Nothing is left when the links of the circle are empty and each of its components waits for
    /// a message that only the others could send. A component that also waits for something else (a
    /// timer, a socket, an inbox fed from elsewhere, a graph inside it) keeps the circle open until
    /// that wait ends. A component that collects messages and waits only for the next one does not:
    /// what it sends after the end comes too late.
    ///
    /// # Examples
    ///
    /// Jobs that circulate until they are done:
    ///
    /// ```
    /// use kamea::{Done, Graph, Inbox, Outbox, Ports};
    ///
    /// #[derive(Ports)]
    /// struct HalvePorts {
    ///     numbers: Inbox<u32>,
    ///     again: Outbox<u32>,
    ///     odd: Outbox<u32>,
    /// }
    ///
    /// async fn halve(io: &mut HalvePorts) -> Done {
    ///     while let Some(number) = io.numbers.next().await {
    ///         match number % 2 {
    ///             0 => io.again.send(number / 2).await?,
    ///             _ => io.odd.send(number).await?,
    ///         }
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let mut graph = Graph::new("halving");
    /// let source = graph.add("source", async |io: &mut kamea::Source<u32>| {
    ///     for number in [12, 40, 7] {
    ///         io.outbox.send(number).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let halve = graph.add("halve", halve);
    /// graph.link(source.outbox, halve.numbers).feedback(halve.again);
    /// let odd = graph.take(halve.odd);
    /// kamea::testing::block_on(graph.start()?)?;
    /// assert_eq!(odd.into_iter().sum::<u32>(), 3 + 5 + 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn feedback(self, outbox: OutboxHandle<T>) -> Self {
        self.link.from.push(Feed {
            feedback: true,
            ..Feed::port(outbox)
        });
        self
    }
}

/// Stands for the faults of a graph while it is wired. Made by
/// [`Graph::faults`](crate::Graph::faults).
#[derive(Debug)]
pub struct FaultsHandle(pub(super) ());

/// A source of a link: an outbox can be linked to an inbox of the same message type.
#[diagnostic::on_unimplemented(
    message = "cannot link `{Self}` to `{I}`",
    label = "these two ends do not fit",
    note = "a link leads from an outbox to an inbox of the same message type, in this order: `graph.link(outbox, inbox)`"
)]
pub trait LinksTo<I> {
    /// The type of the messages on the link.
    type Message: Message;

    #[doc(hidden)]
    fn into_link(self, inbox: I) -> NewLink;
}

/// A link that is about to enter its graph.
#[doc(hidden)]
#[derive(Debug)]
pub struct NewLink(pub(super) Link);

impl<T: Message> LinksTo<InboxHandle<T>> for OutboxHandle<T> {
    type Message = T;

    fn into_link(self, inbox: InboxHandle<T>) -> NewLink {
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.push(Feed::port(self));
        NewLink(link)
    }
}

impl LinksTo<InboxHandle<Fault>> for FaultsHandle {
    type Message = Fault;

    fn into_link(self, inbox: InboxHandle<Fault>) -> NewLink {
        let mut link = Link::new(LinkKind::of::<Fault>(), Some(inbox.key));
        link.from.push(Feed {
            outbox: Origin::Faults,
            feedback: false,
        });
        NewLink(link)
    }
}

/// A link of a graph that does not run yet.
pub(super) struct Link {
    pub(super) kind: LinkKind,
    pub(super) capacity: usize,
    pub(super) measure: Option<AnyMeasure>,
    pub(super) from: Vec<Feed>,
    pub(super) to: Option<PortKey>,
    /// The ends of a link that leads out of the graph.
    pub(super) premade: Option<Box<dyn AnyEnds>>,
    /// The askers of the component that takes from it, if it answers questions.
    pub(super) asked: Option<Weak<dyn Release>>,
    /// The open port of another graph that it leads from.
    pub(super) join: Option<Box<dyn Join>>,
    /// The name of the end that is not in the graph, if it is in another one.
    pub(super) outside: Option<Arc<str>>,
}

/// What feeds a link.
#[derive(Clone, Copy)]
pub(super) struct Feed {
    pub(super) outbox: Origin,
    pub(super) feedback: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    Port(PortKey),
    /// The graph itself, which reports its faults.
    Faults,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("kind", &self.kind)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(kind: LinkKind, to: Option<PortKey>) -> Self {
        Self {
            kind,
            capacity: DEFAULT_CAPACITY,
            measure: None,
            from: Vec::new(),
            to,
            premade: None,
            asked: None,
            join: None,
            outside: None,
        }
    }
}

impl Feed {
    pub(super) fn port<T>(outbox: OutboxHandle<T>) -> Self {
        Self {
            outbox: Origin::Port(outbox.key),
            feedback: false,
        }
    }
}
