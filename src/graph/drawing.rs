//! A graph in words: its links, one on each line.

use std::collections::HashMap;
use std::fmt;

use super::{Feed, Graph, Link, Node, Origin, Plan};
use crate::ports::{ComponentId, PortKey};

pub(super) type Nodes<'a, Make> = HashMap<ComponentId, &'a Node<Make>>;

/// Returns the graph's name, then each link as `component.outbox ──▶ component.inbox`, in the order
/// in which they were made. A feedback link is `╌╌▶`. `(outside)` stands for an end that is not in
/// the graph.
impl<Make> fmt::Display for Graph<Make> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        let nodes = self.nodes_by_id();
        let lines: Vec<_> = self
            .links
            .iter()
            .flat_map(|link| self.lines(link, &nodes))
            .collect();
        let width = lines.iter().map(|(from, ..)| from.chars().count()).max();
        for (from, arrow, to) in &lines {
            writeln!(f, "  {from:0$} {arrow} {to}", width.unwrap_or(0))?;
        }
        // Without this, a component without ports would have no line of its own.
        for node in self.nodes.iter().filter(|node| node.ports.is_empty()) {
            writeln!(f, "  {}", node.name)?;
        }
        Ok(())
    }
}

impl<Make> Graph<Make> {
    fn lines(&self, link: &Link, nodes: &Nodes<'_, Make>) -> Vec<(String, &'static str, String)> {
        let port = |key| port_of(nodes, key);
        let to = link.to.map_or(Plan::OUTSIDE.to_owned(), port);
        if link.from.is_empty() {
            return vec![(Plan::OUTSIDE.to_owned(), "──▶", to)];
        }
        let line = |feed: &Feed| {
            let from = match feed.outbox {
                Origin::Port(key) if self.cloning(key).is_some() => {
                    format!("{} (dead letters)", port(key))
                }
                Origin::Port(key) => port(key),
                Origin::Faults => Plan::FAULTS.to_owned(),
            };
            (
                from,
                if feed.feedback {
                    "╌╌▶"
                } else {
                    "──▶"
                },
                to.clone(),
            )
        };
        link.from.iter().map(line).collect()
    }

    /// The components, indexed by what the handles of their ports know.
    pub(super) fn nodes_by_id(&self) -> Nodes<'_, Make> {
        self.nodes.iter().map(|node| (node.id, node)).collect()
    }
}

/// A port as `component.port`.
pub(super) fn port_of<Make>(nodes: &Nodes<'_, Make>, key: PortKey) -> String {
    nodes
        .get(&key.component)
        .map_or(Plan::OUTSIDE.to_owned(), |node| {
            format!("{}.{}", node.name, node.ports[key.port].name)
        })
}
