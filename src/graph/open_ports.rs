//! Ports of a running graph that other graphs can be linked to, and unlinked from.
//!
//! ```text
//!   running graph:  ──▶ splitter ──▶ ...                ...  ──▶ ┌───────┐
//!                          ╎ open outboxes         open inbox ╌╌▶ │ merge │ ──▶
//!   added graph:           └╌╌▶ component ──▶ component ╌╌╌╌╌╌╌╌╌┘└───────┘
//! ```

use std::fmt;
use std::sync::Arc;

use super::{Feed, Graph, Link};
use crate::link::across::{Ends, WeakSender};
use crate::link::joined::{JoinLink, Joined};
use crate::link::{DEFAULT_CAPACITY, LinkKind, across};
use crate::port::Message;
use crate::ports::{InboxHandle, OutboxHandle, OutboxesHandle};

/// An [`Outboxes`](crate::Outboxes) port that gains and loses outboxes while its graph runs. Made
/// by
/// [`Graph::open_outboxes`]; a clone stands for the same port.
pub struct OpenOutboxes<T>(Arc<Joined<T>>);

impl<T> Clone for OpenOutboxes<T> {
    fn clone(&self) -> Self {
        self.0.keep_open();
        Self(self.0.clone())
    }
}

impl<T> Drop for OpenOutboxes<T> {
    fn drop(&mut self) {
        self.0.let_close();
    }
}

impl<T> fmt::Debug for OpenOutboxes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenOutboxes").field(&self.0.name()).finish()
    }
}

/// An inbox that gains and loses feeding outboxes while its graph runs. Made by
/// [`Graph::open_inbox`]; a clone stands for the same inbox.
pub struct OpenInbox<T> {
    sender: WeakSender<T>,
    name: Arc<str>,
}

impl<T> Clone for OpenInbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            name: self.name.clone(),
        }
    }
}

impl<T> fmt::Debug for OpenInbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenInbox").field(&self.name).finish()
    }
}

impl Graph {
    /// Opens a port of many outboxes, so that other graphs can be linked to it while this one runs:
    /// [`link_from`](Self::link_from) in the other graph. The component must take in new outboxes:
    /// see [`Outboxes::renew`](crate::Outboxes::renew).
    ///
    /// # Examples
    ///
    /// A graph that listens for a while:
    ///
    /// ```
    /// use kamea::{Done, Graph, Inbox, Outboxes, Ports, Scheduler, Sink};
    ///
    /// #[derive(Ports)]
    /// struct CopyPorts {
    ///     numbers: Inbox<u32>,
    ///     copies: Outboxes<u32>,
    /// }
    ///
    /// async fn copy(io: &mut CopyPorts) -> Done {
    ///     while let Some(number) = io.numbers.next().await {
    ///         io.copies.renew();
    ///         for copy in io.copies.iter() {
    ///             let _ = copy.send(number).await; // an outbox that is gone is left out
    ///         }
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let scheduler = Scheduler::with_workers(1);
    /// let mut graph = Graph::new("main");
    /// let part = graph.add("copy", copy);
    /// let copies = graph.open_outboxes(part.copies);
    /// let numbers = graph.feed(part.numbers);
    /// let running = scheduler.run(graph)?;
    ///
    /// let mut listener = Graph::new("listener");
    /// let (tell, mut heard) = kamea::link(16);
    /// let listen = listener.add("listen", async move |io: &mut Sink<u32>| {
    ///     while let Some(number) = io.inbox.next().await {
    ///         tell.send(number).await?;
    ///     }
    ///     Ok(())
    /// });
    /// listener.link_from(&copies, listen.inbox);
    /// let listening = scheduler.run(listener)?;
    /// numbers.send_blocking(1).unwrap();
    /// assert_eq!(heard.next_blocking(), Some(1));
    /// listening.stop(); // takes what has been sent to it, and ends
    /// listening.wait()?;
    /// numbers.send_blocking(2).unwrap(); // nobody hears this
    /// drop((numbers, copies));
    /// running.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_outboxes<T: Message>(&mut self, outboxes: OutboxesHandle<T>) -> OpenOutboxes<T> {
        let key = outboxes.next;
        let joined = Arc::new(Joined::new(self.name_of(key)));
        let mut link = Link::new(LinkKind::of::<T>(), None);
        link.from.push(Feed::port(OutboxHandle::<T>::new(key)));
        link.premade = Some(Box::new(Ends::joined(joined.clone())));
        link.outside = Some("(added graphs)".into());
        self.links.push(link);
        OpenOutboxes(joined)
    }

    /// Links an inbox of this graph to a running graph: it receives what that component sends to
    /// all its outboxes from the moment when this graph is run. The running graph waits for it like
    /// for any other component (backpressure).
    ///
    /// [`Running::stop`](crate::Running::stop) of this graph unlinks it. It then drains: it
    /// receives what has been sent to it, and then the end. If the running graph ends, it receives
    /// the end too.
    pub fn link_from<T: Message>(&mut self, outboxes: &OpenOutboxes<T>, inbox: InboxHandle<T>) {
        let (sender, receiver) = across::link(DEFAULT_CAPACITY);
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.premade = Some(Box::new(Ends::receiving(receiver)));
        link.outside = Some(outboxes.0.name().clone());
        link.join = Some(Box::new(JoinLink::new(&outboxes.0, sender)));
        self.links.push(link);
    }

    /// Links outboxes to an inbox, like [`merge`](Self::merge), and lets other graphs feed it while
    /// this one runs: [`link_to`](Self::link_to) in the other graph.
    ///
    /// The inbox stays open until all outboxes that feed it are gone, those of other graphs
    /// included. The returned value does not hold it open. If an inbox has no outbox in its own
    /// graph, use [`feed`](Self::feed) instead, and give clones of the sender to
    /// [`take_into`](Self::take_into).
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Source};
    ///
    /// let scheduler = Scheduler::with_workers(1);
    /// let mut graph = Graph::new("main");
    /// let (gate, mut pass_gate) = kamea::link::<u32>(1);
    /// let first = graph.add("first", async move |io: &mut Source<u32>| {
    ///     pass_gate.next().await; // keeps the inbox open
    ///     Ok(io.outbox.send(1).await?)
    /// });
    /// let all = graph.add("all", kamea::map(|number: u32| 10 * number));
    /// let open = graph.open_inbox([first.outbox], all.inbox);
    /// let mut numbers = graph.take(all.outbox);
    /// scheduler.run(graph)?;
    ///
    /// let mut added = Graph::new("added");
    /// let second = added.add("second", async |io: &mut Source<u32>| Ok(io.outbox.send(2).await?));
    /// added.link_to(second.outbox, &open);
    /// scheduler.run(added)?.wait()?;
    /// assert_eq!(numbers.next_blocking(), Some(20));
    /// drop(gate);
    /// assert_eq!(numbers.next_blocking(), Some(10));
    /// assert_eq!(numbers.next_blocking(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_inbox<T: Message>(
        &mut self,
        outboxes: impl IntoIterator<Item = OutboxHandle<T>>,
        inbox: InboxHandle<T>,
    ) -> OpenInbox<T> {
        let name = self.name_of(inbox.key);
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.extend(outboxes.into_iter().map(Feed::port));
        let (sender, ends) = Ends::open(DEFAULT_CAPACITY, link.from.len());
        link.premade = Some(Box::new(ends));
        self.links.push(link);
        OpenInbox { sender, name }
    }

    /// Feeds an inbox of a running graph from an outbox of this graph. When this graph ends, it
    /// feeds it no longer. If that inbox is gone, sends return [`Closed`](crate::Closed).
    pub fn link_to<T: Message>(&mut self, outbox: OutboxHandle<T>, inbox: &OpenInbox<T>) {
        let sender = inbox.sender.upgrade().unwrap_or_else(|| {
            // The receiving end is dropped at once.
            across::link(DEFAULT_CAPACITY).0
        });
        self.take_into(outbox, sender);
        if let Some(link) = self.links.last_mut() {
            link.outside = Some(inbox.name.clone());
        }
    }
}
