//! A graph in words: its links, a line each.

use std::fmt;

use super::{Feed, Graph, Link, Origin, Plan};
use crate::ports::PortKey;

/// The graph's name, then each link as `component.outbox ──▶ component.inbox`, in the order in which they were made; a feedback link
/// as `╌╌▶`. `(outside)` stands for an end that is not in the graph.
impl<Make> fmt::Display for Graph<Make> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        let lines: Vec<_> = self
            .links
            .iter()
            .flat_map(|link| self.lines(link))
            .collect();
        let width = lines.iter().map(|(from, ..)| from.chars().count()).max();
        for (from, arrow, to) in &lines {
            writeln!(f, "  {from:0$} {arrow} {to}", width.unwrap_or(0))?;
        }
        // A component without ports has no line of its own otherwise.
        for node in self.nodes.iter().filter(|node| node.ports.is_empty()) {
            writeln!(f, "  {}", node.name)?;
        }
        Ok(())
    }
}

impl<Make> Graph<Make> {
    fn lines(&self, link: &Link) -> Vec<(String, &'static str, String)> {
        let to = link.to.map_or(Plan::OUTSIDE.to_owned(), |to| self.port(to));
        if link.from.is_empty() {
            return vec![(Plan::OUTSIDE.to_owned(), "──▶", to)];
        }
        let line = |feed: &Feed| {
            let from = match feed.outbox {
                Origin::Port(key) if self.cloning(key).is_some() => {
                    format!("{} (dead letters)", self.port(key))
                }
                Origin::Port(key) => self.port(key),
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

    pub(super) fn port(&self, key: PortKey) -> String {
        let node = self.nodes.iter().find(|node| node.id == key.component);
        node.map_or(Plan::OUTSIDE.to_owned(), |node| {
            format!("{}.{}", node.name, node.ports[key.port].name)
        })
    }
}
