//! A graph that has been checked: names resolved to numbers, components in flow order, each port told its link.

use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::sync::Arc;

use super::checks::{all_linked, all_linked_once, number_components};
use super::order::flow_order;
use super::{Feed, Graph, GraphError, Link, Node, Origin};
use crate::link::{LinkKind, Terms};
use crate::ports::{CloneMessage, ComponentId, LettersLink, PortInfo, PortKey, PortLink};
use crate::supervision::Supervisor;

/// What is needed to start a graph any number of times without looking anything up.
pub(crate) struct Plan {
    pub(crate) graph: Arc<str>,
    /// The same for graphs of the same name, components and links, in every run of a program.
    pub(crate) shape: u64,
    /// The functions that are fused into the inboxes that they feed, in flow order.
    pub(crate) functions: Box<[PlannedComponent]>,
    /// All others, in flow order.
    pub(crate) components: Box<[PlannedComponent]>,
    pub(crate) links: Box<[PlannedLink]>,
    /// The link that the graph's faults go to.
    pub(crate) faults: Option<PortLink>,
}

pub(crate) struct PlannedComponent {
    pub(crate) name: Arc<str>,
    /// The function that it is.
    pub(crate) kind: &'static str,
    /// Where it was added to its graph.
    pub(crate) location: &'static Location<'static>,
    pub(crate) own_thread: bool,
    pub(crate) port_infos: &'static [PortInfo],
    pub(crate) ports: Box<[Box<[PortLink]>]>,
    /// Where the messages in hand go if it fails.
    pub(crate) dead_letters: Vec<LettersLink>,
    /// Who decides about its faults; they stop the graph if nobody does.
    pub(crate) supervisor: Option<Supervisor>,
    /// Whether no inbox of it is linked: a graceful stop begins with it.
    pub(crate) is_source: bool,
    /// Whether it takes the graph's faults, or is downstream of one that does. When no others are left, nobody's faults
    /// are waited for.
    pub(crate) serves_faults: bool,
}

pub(crate) struct PlannedLink {
    pub(crate) kind: LinkKind,
    pub(crate) terms: Terms,
    pub(crate) from: Box<[PlannedFeed]>,
    pub(crate) to: Option<PlannedPort>,
    /// The inbox that takes from it: that of a component behind `to`, if that is a fused function.
    pub(crate) taker: Option<PlannedPort>,
    /// Whether its ends are on different threads.
    pub(crate) across: bool,
    /// Whether a function stands in its place.
    pub(crate) fused: bool,
}

/// What feeds a link.
#[derive(Hash)]
pub(crate) struct PlannedFeed {
    /// `None` for the graph itself, which reports its faults.
    pub(crate) outbox: Option<PlannedPort>,
    pub(crate) feedback: bool,
}

/// A port, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PlannedPort {
    /// Among the components of the plan, behind which the functions are counted.
    pub(crate) component: usize,
    /// In the order of the fields.
    pub(crate) port: usize,
    /// Among the outboxes of a port of several.
    pub(crate) branch: usize,
}

impl Plan {
    /// Checks a graph. Gives the plan, and the graph's components by their numbers in the graph: its functions in flow order, then
    /// its components in flow order.
    pub(crate) fn new<Make>(graph: &Graph<Make>) -> Result<(Self, Vec<usize>), GraphError> {
        let numbers = number_components(graph)?;
        all_linked_once(graph, &numbers)?;
        let order = flow_order(graph, &numbers)?;
        let mut components: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| PlannedComponent::new(node, graph))
            .collect();
        let mut branches = Branches::default();
        let mut faults = None;

        for (index, link) in graph.links.iter().enumerate() {
            if let Some(inbox) = link.to {
                let component = &mut components[numbers[&inbox.component]];
                component.ports[inbox.port] = Box::new([PortLink {
                    link: index,
                    holds: true,
                    feed: 0,
                }]);
                component.is_source = false;
            }
            for (number, feed) in link.from.iter().enumerate() {
                let at = PortLink {
                    link: index,
                    holds: link.is_held_by(feed),
                    feed: number,
                };
                match feed.outbox {
                    Origin::Port(outbox) => {
                        let component = numbers[&outbox.component];
                        match graph.cloning(outbox) {
                            None => branches.push(component, outbox, at),
                            Some(clone) => components[component].dead_letters.push(LettersLink {
                                port: outbox.port,
                                at,
                                clone,
                            }),
                        }
                    }
                    Origin::Faults => faults = Some(at),
                }
            }
        }
        branches.settle(&mut components);
        mark_serving_faults(graph, &numbers, &mut components);
        all_linked(graph, &components)?;

        let node = |key: PortKey| numbers[&key.component];
        let on_own_thread = |key: PortKey| graph.nodes[node(key)].own_thread;
        let has_letters = |component| {
            let mut letters = graph.dead_letters.iter();
            letters.any(|letters| letters.inbox.component == component)
        };
        let is_function =
            |key: PortKey| graph.nodes[node(key)].is_function && !has_letters(key.component);
        let mut links: Box<[_]> = graph
            .links
            .iter()
            .map(|link| PlannedLink::new(link, on_own_thread, is_function))
            .collect();
        let fused = graph
            .links
            .iter()
            .zip(&links)
            .filter(|(_, link)| link.fused);
        let fused: HashSet<_> = fused
            .filter_map(|(link, _)| link.only_outbox())
            .map(node)
            .collect();
        let (functions, others) = order
            .into_iter()
            .partition::<Vec<_>, _>(|index| fused.contains(index));
        let mut components: Vec<_> = components.into_iter().map(Some).collect();
        let mut take = |order: &[usize]| -> Box<[_]> {
            order
                .iter()
                .filter_map(|&index| components[index].take())
                .collect()
        };
        let mut positions = vec![0; graph.nodes.len()];
        for (position, &index) in others.iter().chain(&functions).enumerate() {
            positions[index] = position;
        }
        let port = |key: PortKey| PlannedPort {
            component: positions[node(key)],
            port: key.port,
            branch: key.branch,
        };
        for (planned, link) in links.iter_mut().zip(&graph.links) {
            planned.from = link.from.iter().map(|feed| feed.planned(port)).collect();
            planned.to = link.to.map(port);
        }
        let mut plan = Self {
            graph: graph.name.clone(),
            shape: 0,
            functions: take(&functions),
            components: take(&others),
            links,
            faults,
        };
        plan.find_takers();
        plan.shape = plan.shape();
        Ok((plan, [functions, others].concat()))
    }
}

impl PlannedComponent {
    fn new<Make>(node: &Node<Make>, graph: &Graph<Make>) -> Self {
        let ports = node.ports.iter().map(|_| Box::default()).collect();
        let own = node.supervisor.clone();
        Self {
            name: node.name.as_str().into(),
            kind: node.kind,
            location: node.location,
            own_thread: node.own_thread,
            port_infos: node.ports,
            ports,
            dead_letters: Vec::new(),
            supervisor: own.or_else(|| Supervisor::of(graph.supervise.as_ref())),
            is_source: true,
            serves_faults: false,
        }
    }
}

impl PlannedLink {
    fn new(
        link: &Link,
        on_own_thread: impl Fn(PortKey) -> bool,
        is_function: impl Fn(PortKey) -> bool,
    ) -> Self {
        let from_thread = link.from.iter().any(|feed| match feed.outbox {
            Origin::Port(outbox) => on_own_thread(outbox),
            Origin::Faults => false,
        });
        let across = link.premade.is_some() || from_thread || link.to.is_some_and(on_own_thread);
        Self {
            kind: link.kind,
            terms: Terms {
                capacity: link.capacity,
                holders: link
                    .from
                    .iter()
                    .filter(|feed| link.is_held_by(feed))
                    .count(),
                feeds: link.from.len(),
                measure: link.measure.clone(),
            },
            from: Box::default(),
            to: None,
            taker: None,
            across,
            fused: !across && link.only_outbox().is_some_and(is_function),
        }
    }
}

impl Link {
    /// What feeds the inbox, if that is a single outbox upstream of it.
    fn only_outbox(&self) -> Option<PortKey> {
        match &self.from[..] {
            [
                Feed {
                    outbox: Origin::Port(outbox),
                    feedback: false,
                },
            ] => Some(*outbox),
            _ => None,
        }
    }

    /// A feedback link is held open by its outboxes only where nothing else feeds the inbox.
    fn is_held_by(&self, feed: &Feed) -> bool {
        !feed.feedback || self.from.iter().all(|feed| feed.feedback)
    }
}

impl Feed {
    fn planned(&self, port: impl Fn(PortKey) -> PlannedPort) -> PlannedFeed {
        PlannedFeed {
            outbox: match self.outbox {
                Origin::Port(outbox) => Some(port(outbox)),
                Origin::Faults => None,
            },
            feedback: self.feedback,
        }
    }
}

/// The links of outbox ports while they are collected: a port of many outboxes has them in the order of their branches.
#[derive(Default)]
struct Branches(Vec<(usize, PortKey, PortLink)>);

impl Branches {
    fn push(&mut self, component: usize, outbox: PortKey, at: PortLink) {
        self.0.push((component, outbox, at));
    }

    fn settle(mut self, components: &mut [PlannedComponent]) {
        self.0
            .sort_by_key(|(component, outbox, _)| (*component, outbox.port, outbox.branch));
        for same_port in self.0.chunk_by(|a, b| (a.0, a.1.port) == (b.0, b.1.port)) {
            let (component, outbox, _) = same_port[0];
            components[component].ports[outbox.port] =
                same_port.iter().map(|(_, _, at)| *at).collect();
        }
    }
}

impl<Make> Graph<Make> {
    /// How the messages of an outbox are cloned, if they are the dead letters of an inbox.
    pub(super) fn cloning(&self, outbox: PortKey) -> Option<CloneMessage> {
        let mut letters = self.dead_letters.iter();
        let letters = letters.find(|letters| letters.inbox == outbox)?;
        Some(letters.clone)
    }
}

/// Marks what takes the graph's faults, and all that is downstream of it.
fn mark_serving_faults<Make>(
    graph: &Graph<Make>,
    numbers: &HashMap<ComponentId, usize>,
    components: &mut [PlannedComponent],
) {
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for link in &graph.links {
            let Some(to) = link.to.map(|to| numbers[&to.component]) else {
                continue;
            };
            let mut feeds = link.from.iter().filter(|feed| !feed.feedback);
            let serves = feeds.any(|feed| match feed.outbox {
                Origin::Faults => true,
                Origin::Port(from) => components[numbers[&from.component]].serves_faults,
            });
            if serves && !components[to].serves_faults {
                components[to].serves_faults = true;
                has_changed = true;
            }
        }
    }
}
