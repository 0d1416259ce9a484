//! Puts a component into each link with a given type of messages, after the graph has been wired.

use super::drawing::port_of;
use super::{Feed, Graph, Link, Origin};
use crate::link::LinkKind;
use crate::port::Message;
use crate::ports::{InboxHandle, MessageType, OutboxHandle, PortKey};

/// The two ends of a link, as text: `component.port`.
///
/// # Examples
///
/// See [`Graph::interpose`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnds {
    /// The outbox that feeds it, such as `parser.requests`.
    pub from: String,
    /// The inbox that it feeds, such as `router.requests`.
    pub to: String,
}

impl<Make> Graph<Make> {
    /// Puts a component into each link that carries messages of type `T` between two components of
    /// this graph, one for each outbox that feeds the link. `put` adds the component. It returns
    /// the inbox that replaces the old one, and the outbox that feeds the old one.
    ///
    /// Use it to watch, record or disturb a graph with components, without wiring it differently.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Pipe, Sink, Source, pipeline};
    ///
    /// let mut graph = Graph::new("adding");
    /// let count = async |io: &mut Source<u32>| Ok(io.outbox.send(1).await?);
    /// let check = async |io: &mut Sink<u32>| Ok(assert_eq!(io.inbox.next().await, Some(11)));
    /// pipeline!(graph, count => check);
    /// let mut ends = Vec::new();
    /// graph.interpose(|graph, link| {
    ///     let add_ten = async |io: &mut Pipe<u32, u32>| {
    ///         while let Some(number) = io.inbox.next().await {
    ///             io.outbox.send(number + 10).await?;
    ///         }
    ///         Ok(())
    ///     };
    ///     let part = graph.add(&format!("behind {}", link.from), add_ten);
    ///     ends.push(link);
    ///     (part.inbox, part.outbox)
    /// });
    /// assert_eq!((&ends[0].from[..], &ends[0].to[..]), ("count.outbox", "check.inbox"));
    /// # kamea::testing::block_on(graph.start()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn interpose<T: Message>(
        &mut self,
        mut put: impl FnMut(&mut Self, LinkEnds) -> (InboxHandle<T>, OutboxHandle<T>),
    ) {
        for (index, feed, ends) in self.links_of(MessageType::of::<T>()) {
            let (inbox, passed) = put(self, ends);
            let link = &mut self.links[index];
            let Feed { outbox, feedback } = link.from[feed];
            let mut before = Link::new(LinkKind::of::<T>(), Some(inbox.key));
            before.capacity = link.capacity;
            before.from.push(Feed {
                outbox,
                feedback: false,
            });
            link.from[feed] = Feed {
                feedback,
                ..Feed::port(passed)
            };
            self.links.push(before);
        }
    }

    /// The links that carry messages of this type between two components, by their numbers and the
    /// numbers of the outboxes that feed them.
    fn links_of(&self, message: MessageType) -> Vec<(usize, usize, LinkEnds)> {
        let nodes = self.nodes_by_id();
        let mut found = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            let takes = |to: &PortKey| {
                let node = nodes.get(&to.component);
                node.is_some_and(|node| node.ports[to.port].message == message)
            };
            let Some(to) = link.to.filter(takes) else {
                continue;
            };
            for (feed, fed) in link.from.iter().enumerate() {
                if let Origin::Port(from) = fed.outbox {
                    let [from, to] = [from, to].map(|key| port_of(&nodes, key));
                    found.push((index, feed, LinkEnds { from, to }));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::block_on;
    use crate::{Graph, Inbox, Outbox, Pipe, Ports};

    #[derive(Ports)]
    struct LoopPorts {
        numbers: Inbox<u32>,
        returned: Inbox<u32>,
        texts: Outbox<String>,
        sums: Outbox<u32>,
    }

    #[test]
    fn every_outbox_of_a_merged_link_and_of_a_circle_gets_its_own_and_other_types_get_none() {
        let mut graph = Graph::new("test");
        let add = async |io: &mut LoopPorts| {
            while let Some(number) = io.numbers.next().await {
                io.sums.send(number).await?;
                let back = io.returned.next().await;
                io.texts.send(format!("{back:?}")).await?;
            }
            Ok(())
        };
        let twice = async |io: &mut Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next().await {
                io.outbox.send(2 * number).await?;
            }
            Ok(())
        };
        let (add, twice) = (graph.add("add", add), graph.add("twice", twice));
        let numbers = graph.feed(add.numbers);
        let mut texts = graph.take(add.texts);
        graph.link(add.sums, twice.inbox);
        graph.feedback(twice.outbox, add.returned);
        let mut names = Vec::new();
        graph.interpose(|graph, link| {
            let name = format!("{} to {}", link.from, link.to);
            let part = graph.add(&name, async |io: &mut Pipe<u32, u32>| {
                while let Some(number) = io.inbox.next().await {
                    io.outbox.send(number + 1).await?;
                }
                Ok(())
            });
            names.push(name);
            (part.inbox, part.outbox)
        });
        assert_eq!(
            names,
            ["add.sums to twice.inbox", "twice.outbox to add.returned"]
        );
        numbers.try_send(10).unwrap();
        drop(numbers);
        block_on(graph.start().unwrap()).unwrap();
        assert_eq!(texts.try_next().as_deref(), Some("Some(23)"));
    }
}
