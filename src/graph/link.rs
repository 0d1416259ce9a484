//! The links of a graph that does not run yet, and what may be linked to what.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Graph;
use crate::link::across::AnyEnds;
use crate::link::{AnyMeasure, DEFAULT_CAPACITY, LinkKind, Measure};
use crate::port::Message;
use crate::ports::{AnyInbox, AnyOutbox, InboxHandle, OutboxHandle, PortKey, WrongMessage};
use crate::supervision::Fault;

impl<Make> Graph<Make> {
    /// Links an outbox to an inbox of the same message type.
    pub fn link<O, I>(&mut self, outbox: O, inbox: I) -> LinkOptions<'_, O::Message>
    where
        O: LinksTo<I>,
    {
        let link = outbox.into_link(inbox).0;
        self.push_link(link)
    }

    /// Links several outboxes to one inbox, which stays open until all of them are gone.
    pub fn merge<T: Message>(
        &mut self,
        outboxes: impl IntoIterator<Item = OutboxHandle<T>>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.extend(outboxes.into_iter().map(Feed::port));
        self.push_link(link)
    }

    /// Links an outbox to an inbox upstream of it: the link that closes a circle.
    ///
    /// Like any link, but no promise that more will come: see [`LinkOptions::feedback`].
    pub fn feedback<T: Message>(
        &mut self,
        outbox: OutboxHandle<T>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        self.push_link(link).feedback(outbox)
    }

    /// Links outboxes to an inbox, all of whose message types are only known now.
    ///
    /// # Errors
    ///
    /// [`WrongMessage`] if an outbox gives something else than the inbox takes; nothing is linked then.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{AnyPort, Done, Graph, Pipe, PipeHandles, Ports};
    ///
    /// async fn length(io: &mut Pipe<String, usize>) -> Done {
    ///     while let Some(text) = io.inbox.next().await {
    ///         io.outbox.send(text.len()).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// /// The ports of a component, as a program that reads its graph from a file would keep them.
    /// fn ports(handles: PipeHandles<String, usize>) -> [AnyPort; 2] {
    ///     Pipe::erase(handles).try_into().unwrap()
    /// }
    ///
    /// let mut graph = Graph::new("wrong");
    /// let [_, AnyPort::Outbox(lengths)] = ports(graph.add("first", length)) else { panic!() };
    /// let [AnyPort::Inbox(texts), _] = ports(graph.add("second", length)) else { panic!() };
    /// let wrong = graph.link_any([lengths], texts).unwrap_err();
    /// assert_eq!(wrong.to_string(), "an outbox gives `usize`, the inbox that it is linked to takes `alloc::string::String`");
    /// ```
    pub fn link_any(
        &mut self,
        outboxes: impl IntoIterator<Item = AnyOutbox>,
        inbox: AnyInbox,
    ) -> Result<LinkOptions<'_, AnyInbox>, WrongMessage> {
        let mut link = Link::new(inbox.kind, Some(inbox.key));
        for outbox in outboxes {
            inbox.message.expect(outbox.message)?;
            link.from.push(Feed {
                outbox: Origin::Port(outbox.key),
                feedback: outbox.feedback,
            });
        }
        Ok(self.push_link(link))
    }

    fn push_link<T>(&mut self, link: Link) -> LinkOptions<'_, T> {
        self.links.push(link);
        let link = self.links.last_mut().expect("just pushed");
        LinkOptions {
            link,
            message: PhantomData,
        }
    }
}

/// What else may be said of a link that has just been made.
#[derive(Debug)]
pub struct LinkOptions<'a, T> {
    link: &'a mut Link,
    message: PhantomData<fn(T)>,
}

impl<T> LinkOptions<'_, T> {
    /// How many messages the link holds before its senders wait; [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY) otherwise.
    ///
    /// # Panics
    ///
    /// If `messages` is 0: a link holds at least one message.
    pub fn capacity(self, messages: usize) -> Self {
        assert!(messages > 0, "a link holds at least one message");
        self.link.capacity = messages;
        self
    }
}

impl<T: Message> LinkOptions<'_, T> {
    /// Has the [census](crate::Census) count the bytes of the link's messages, each as long as `measure` says.
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

    /// Feeds the inbox from a further outbox, one that lies downstream of the inbox or cannot tell when it is done.
    ///
    /// Its messages are delivered like all others, but it does not keep the inbox open: the inbox closes when the
    /// outboxes linked otherwise are gone. So a circle of components drains like a line does.
    pub fn feedback(self, outbox: OutboxHandle<T>) -> Self {
        self.link.from.push(Feed {
            feedback: true,
            ..Feed::port(outbox)
        });
        self
    }
}

/// Stands for the faults of a graph while it is wired; made by [`Graph::faults`].
#[derive(Debug)]
pub struct FaultsHandle(pub(super) ());

/// What may be linked to what: an outbox to an inbox of the same message type.
#[diagnostic::on_unimplemented(
    message = "cannot link `{Self}` to `{I}`",
    label = "these two ends do not fit",
    note = "a link leads from an outbox to an inbox of the same message type, in this order: `graph.link(outbox, inbox)`"
)]
pub trait LinksTo<I> {
    /// What travels over the link.
    type Message: Message;

    #[doc(hidden)]
    fn into_link(self, inbox: I) -> NewLink;
}

/// A link that is about to enter its graph.
#[doc(hidden)]
#[derive(Debug)]
pub struct NewLink(Link);

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
