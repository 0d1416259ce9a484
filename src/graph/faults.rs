//! What a graph does about its faults, and with the messages that failing components have in hand.

use std::sync::Arc;

use super::Graph;
use super::link::FaultsHandle;
use crate::port::Message;
use crate::ports::{Cloning, InboxHandle, OutboxHandle};
use crate::supervision::{Fault, Policy};

impl<Make> Graph<Make> {
    /// Returns the faults of this graph's components, as messages for a component. They arrive when
    /// the policy is [`CarryOn`](Policy::CarryOn) or [`Restart`](Policy::Restart). They end when
    /// the only components left are those that take them, and those downstream of these.
    ///
    /// Faults do not wait. While the link is full they are only counted, and the count is sent as a
    /// fault of its own ([`Cause::Unheard`](crate::Cause::Unheard)) as soon as there is space. The
    /// link's [`capacity`](crate::LinkOptions::capacity) limits how many wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Fault, Graph, Pipe, Policy};
    ///
    /// let mut graph = Graph::new("risky");
    /// let note = graph.add("note", async |io: &mut Pipe<Fault, String>| {
    ///     while let Some(fault) = io.inbox.next().await {
    ///         io.outbox.send(fault.to_string()).await?;
    ///     }
    ///     Ok(())
    /// });
    /// graph.supervise(|_| Policy::CarryOn);
    /// graph.link(graph.faults(), note.inbox).capacity(100);
    /// # let _notes = graph.take(note.outbox);
    /// # kamea::testing::block_on(graph.start()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn faults(&self) -> FaultsHandle {
        FaultsHandle(())
    }

    /// Returns the dead letters of an inbox: the message that its component has in hand when it
    /// fails. This is the last message that it took, unless it has asked for the next one since.
    /// Link them to the component that handles them. That component must have space for the message
    /// before the fault is handled further.
    ///
    /// Only inboxes with linked dead letters copy their messages.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Pipe, Policy};
    ///
    /// let mut graph = Graph::new("numbers");
    /// let parse = graph.add("parse", async |io: &mut Pipe<String, u32>| {
    ///     while let Some(text) = io.inbox.next().await {
    ///         io.outbox.send(text.parse()?).await?;
    ///     }
    ///     Ok(())
    /// });
    /// graph.supervise(|_| Policy::CarryOn);
    /// let letters = graph.dead_letters(&parse.inbox);
    /// let (texts, letters, numbers) = (graph.feed(parse.inbox), graph.take(letters), graph.take(parse.outbox));
    /// for text in ["1", "two", "3"] {
    ///     texts.try_send(text.to_owned()).unwrap();
    /// }
    /// kamea::testing::block_on(graph.start()?)?;
    /// assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [1]);
    /// assert_eq!(letters.into_iter().collect::<Vec<_>>(), ["two"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letters<T: Message + Clone>(&mut self, inbox: &InboxHandle<T>) -> OutboxHandle<T> {
        self.dead_letters.insert(inbox.key, Cloning::<T>::FUNCTION);
        OutboxHandle::new(inbox.key)
    }

    /// Sets the policy: a function that decides, for each fault, how the component and the graph
    /// continue. Without a policy a graph [stops](Policy::Stop) at its first fault. If the function
    /// panics, the graph stops.
    ///
    /// A graph that is a component of another graph keeps its policy, which may still stop them
    /// both. If it has no policy, the policy of the outer graph applies.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Policy};
    ///
    /// let mut graph = Graph::new("tolerant");
    /// graph.supervise(|fault| match fault.component() {
    ///     "writer" => Policy::Stop,
    ///     _ => Policy::CarryOn,
    /// });
    /// ```
    pub fn supervise(&mut self, policy: impl Fn(&Fault) -> Policy + Send + Sync + 'static) {
        self.supervise = Some(Arc::new(policy));
    }
}
