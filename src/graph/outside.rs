//! Links between a graph and code outside of it.

use std::sync::Weak;

use super::{Feed, Graph, Link};
use crate::ask::Release;
use crate::link::across::{Ends, Receiver, Sender, link};
use crate::link::{DEFAULT_CAPACITY, LinkKind};
use crate::port::Message;
use crate::ports::{InboxHandle, OutboxHandle};

impl Graph {
    /// Links an inbox to code outside of graphs. Returns the sending end.
    pub fn feed<T: Message>(&mut self, inbox: InboxHandle<T>) -> Sender<T> {
        let (sender, receiver) = link(DEFAULT_CAPACITY);
        self.feed_from(receiver, inbox);
        sender
    }

    /// Feeds an inbox from an existing link, made by [`link`](crate::link).
    pub fn feed_from<T: Message>(&mut self, receiver: Receiver<T>, inbox: InboxHandle<T>) {
        let mut outer = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        outer.premade = Some(Box::new(Ends::receiving(receiver)));
        self.links.push(outer);
    }

    /// Marks the last link as one for askers.
    pub(crate) fn mark_asked(&mut self, askers: Weak<dyn Release>) {
        if let Some(link) = self.links.last_mut() {
            link.asked = Some(askers);
        }
    }

    /// Links an outbox to code outside of graphs. Returns the receiving end.
    pub fn take<T: Message>(&mut self, outbox: OutboxHandle<T>) -> Receiver<T> {
        let (sender, receiver) = link(DEFAULT_CAPACITY);
        self.take_into(outbox, sender);
        receiver
    }

    /// Links an outbox to an existing link, made by [`link`](crate::link). Several graphs may share
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Source, link};
    ///
    /// let scheduler = Scheduler::with_workers(2);
    /// let (sender, numbers) = link(4);
    /// for number in [1, 2, 3] {
    ///     let mut graph = Graph::new("one of three");
    ///     let one = graph.add("one", async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?));
    ///     graph.take_into(one.outbox, sender.clone());
    ///     scheduler.run(graph)?;
    /// }
    /// drop(sender);
    /// assert_eq!(numbers.into_iter().sum::<u32>(), 6);
    /// # Ok::<(), kamea::GraphError>(())
    /// ```
    pub fn take_into<T: Message>(&mut self, outbox: OutboxHandle<T>, sender: Sender<T>) {
        let mut outer = Link::new(LinkKind::of::<T>(), None);
        outer.from.push(Feed::port(outbox));
        outer.premade = Some(Box::new(Ends::sending(sender)));
        self.links.push(outer);
    }
}
