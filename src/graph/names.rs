//! The names in a plan, for observers from outside.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::plan::{Plan, PlannedComponent, PlannedFeed, PlannedLink, PlannedPort};
use crate::ports::Direction;

impl Plan {
    /// Stands for an end of a link that is not in the graph.
    pub(crate) const OUTSIDE: &str = "(outside)";

    /// Stands for the graph itself, which reports its faults.
    pub(crate) const FAULTS: &str = "(faults)";

    /// A component, or one of the fused functions, which are numbered after the components.
    pub(crate) fn component(&self, number: usize) -> &PlannedComponent {
        let behind = number.checked_sub(self.components.len());
        behind.map_or_else(|| &self.components[number], |at| &self.functions[at])
    }

    /// The name of a port, with the branch if the port has several.
    pub(crate) fn port_label(&self, at: PlannedPort) -> String {
        let component = self.component(at.component);
        let name = component.port_infos[at.port].name;
        if component.ports[at.port].len() > 1 {
            format!("{name}[{}]", at.branch)
        } else {
            name.to_owned()
        }
    }

    /// The name of what feeds a link: an outbox, or the dead letters of an inbox.
    pub(crate) fn outbox_name(&self, at: PlannedPort) -> String {
        let name = self.port_label(at);
        match self.component(at.component).port_infos[at.port].direction {
            Direction::Outbox => name,
            Direction::Inbox => format!("{name} (dead letters)"),
        }
    }

    /// What feeds a link, as `component.outbox`.
    pub(crate) fn outbox_label(&self, feed: &PlannedFeed) -> String {
        feed.outbox.map_or(Self::FAULTS.to_owned(), |outbox| {
            let component = self.component(outbox.component);
            format!("{}.{}", component.name, self.outbox_name(outbox))
        })
    }

    /// Where a link leads, as `component.inbox`.
    pub(crate) fn inbox_label(&self, link: &PlannedLink) -> String {
        link.to.map_or(Self::OUTSIDE.to_owned(), |to| {
            let component = self.component(to.component);
            format!("{}.{}", component.name, self.port_label(to))
        })
    }

    /// Finds the inbox that takes from each link: the one behind the functions that are fused into
    /// it.
    pub(super) fn find_takers(&mut self) {
        let first = self.components.len();
        // For each function: the inbox that it feeds, then the inbox behind all functions that
        // follow.
        let mut takers = vec![None; self.functions.len()];
        for link in self.links.iter().filter(|link| link.fused) {
            let outbox = link.from.first().and_then(|feed| feed.outbox);
            if let Some(function) = outbox.and_then(|outbox| outbox.component.checked_sub(first)) {
                takers[function] = link.to;
            }
        }
        let behind = |takers: &[Option<PlannedPort>], to: Option<PlannedPort>| {
            let function = to.and_then(|to| to.component.checked_sub(first));
            function.map_or(to, |function| takers[function])
        };
        // Against the flow, so that what follows a function is known before the function.
        for function in (0..takers.len()).rev() {
            takers[function] = behind(&takers, takers[function]);
        }
        for link in &mut self.links {
            link.taker = behind(&takers, link.to);
        }
    }

    /// A number that identifies the shape: graphs with the same name, components and links have the
    /// same number.
    pub(super) fn shape(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.graph.hash(&mut hasher);
        for component in self.components.iter().chain(&self.functions) {
            (&component.name, component.kind).hash(&mut hasher);
        }
        for link in &self.links {
            let capacity = link.settings.capacity;
            (&link.from, link.to, capacity, link.across).hash(&mut hasher);
            link.outside.hash(&mut hasher);
        }
        hasher.finish()
    }
}
