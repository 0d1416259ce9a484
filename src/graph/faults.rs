//! What a graph wants to be done about its faults, and with the messages that failing components have in hand.

use std::sync::Arc;

use super::Graph;
use super::link::FaultsHandle;
use crate::port::Message;
use crate::ports::{Cloning, InboxHandle, OutboxHandle};
use crate::supervision::{Fault, Policy};

impl<Make> Graph<Make> {
    /// The faults of this graph's components, as messages, for a component that wants to know of them. They come when the policy
    /// is to [carry on](Policy::CarryOn) or to [restart](Policy::Restart), and end when only those are left that take them, or are
    /// downstream of one that does.
    ///
    /// Faults do not wait: while the link is full they are only counted, and the count comes as a fault of its own
    /// ([`Cause::Unheard`](crate::Cause::Unheard)) as soon as there is space. How many wait at the most is the link's
    /// [`capacity`](crate::LinkOptions::capacity).
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

    /// The messages that the component of this inbox has in hand when it fails: the last that it has taken, unless it has asked for the
    /// next since. To be linked to whoever sees to them; that one has to have space for such a message before the fault goes on.
    ///
    /// Only an inbox that is asked for them copies its messages.
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

    /// Decides, by the fault, what becomes of the component and of the graph. Without it a graph [stops](Policy::Stop) at its
    /// first fault. If the function panics, the graph stops.
    ///
    /// A graph that is a component of another one keeps its policy, which may still stop them both; if it has none, that of the
    /// outer graph decides.
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
