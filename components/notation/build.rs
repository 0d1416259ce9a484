//! Turns a draft into a graph.

use std::collections::BTreeMap;

use kamea::{AnyInbox, AnyOutbox, AnyPort, Composite, Direction, Graph};

use super::draft::{Draft, End};
use super::mistake::Mistake;
use super::parameter::LinePorts;

/// The handles of a component, each of which is taken once.
type Handles = Vec<Option<AnyPort>>;

impl Draft {
    /// Builds the graph, under a name.
    ///
    /// # Errors
    ///
    /// The error of a component that cannot be created, for example because its address is taken.
    pub fn into_graph(self, name: &str) -> Result<Graph, Mistake> {
        let mut graph = Graph::new(name);
        self.wire(&mut graph)?;
        Ok(graph)
    }

    /// Builds the graph as a component, with its ends open.
    pub(super) fn composite<P: LinePorts>(&self) -> Result<Composite<P>, Mistake> {
        let mut graph = Graph::new("line");
        let mut handles = self.wire(&mut graph)?;
        let last = self.nodes.len() - 1;
        let inbox = self.take_first(&mut handles, 0, Direction::Inbox);
        let outbox = self.take_first(&mut handles, last, Direction::Outbox);
        let inbox = match inbox {
            Some(AnyPort::Inbox(inbox)) => Some(inbox),
            _ => None,
        };
        let ports = P::handles_of(inbox, outbox.and_then(into_outbox));
        let ports = ports
            .ok()
            .flatten()
            .expect("the line was checked for these ends");
        Ok(graph.expose(ports))
    }

    /// Creates the components and links them; returns the handles that are left.
    fn wire(&self, graph: &mut Graph) -> Result<Vec<Handles>, Mistake> {
        let mut handles = Vec::new();
        for node in &self.nodes {
            let ports = (node.form().add)(graph, &node.name, &node.given)
                .map_err(|mistake| Mistake::new(&node.span, mistake.to_string()))?;
            handles.push(ports.into_iter().map(Some).collect());
        }
        // Several statements may feed one inbox, which is linked only once.
        let mut feeds: BTreeMap<(usize, usize), (Vec<AnyOutbox>, Option<usize>)> = BTreeMap::new();
        for link in &self.links {
            let port = self.port(&link.to, Direction::Inbox);
            let (outboxes, capacity) = feeds.entry((link.to.node, port)).or_default();
            *capacity = link.capacity.or(*capacity);
            for from in &link.from {
                let outbox = self.outbox(&mut handles, from);
                outboxes.push(if link.feedback {
                    outbox.feedback()
                } else {
                    outbox
                });
            }
        }
        for ((node, port), (outboxes, capacity)) in feeds {
            let inbox: AnyInbox = match handles[node][port].take() {
                Some(AnyPort::Inbox(inbox)) => inbox,
                _ => unreachable!("the port was found among the inboxes, and feeds are gathered"),
            };
            let link = graph.link_any(outboxes, inbox);
            let link = link.expect("the types were compared");
            if let Some(capacity) = capacity {
                let _ = link.capacity(capacity);
            }
        }
        Ok(handles)
    }

    fn outbox(&self, handles: &mut [Handles], end: &End) -> AnyOutbox {
        let port = self.port(end, Direction::Outbox);
        let handle = &mut handles[end.node][port];
        if let Some(AnyPort::Outboxes(outboxes)) = handle {
            return outboxes.branch();
        }
        let outbox = handle.take().and_then(into_outbox);
        outbox.expect("an outbox is linked once: that was checked")
    }

    fn port(&self, end: &End, direction: Direction) -> usize {
        let port = end.find(self.nodes[end.node].form(), direction);
        port.expect("the form was chosen for having this port")
    }

    fn take_first(
        &self,
        handles: &mut [Handles],
        node: usize,
        direction: Direction,
    ) -> Option<AnyPort> {
        let ports = self.nodes[node].form().ports;
        let first = ports.iter().position(|port| port.direction == direction)?;
        handles[node][first].take()
    }
}

fn into_outbox(port: AnyPort) -> Option<AnyOutbox> {
    match port {
        AnyPort::Outbox(outbox) => Some(outbox),
        AnyPort::Outboxes(mut outboxes) => Some(outboxes.branch()),
        AnyPort::Inbox(_) => None,
    }
}
