//! A graph that has been checked: names are resolved to numbers, components are in flow order, and
//! each port knows its link.

use std::collections::HashSet;
use std::panic::Location;
use std::sync::Arc;

use super::checks::{Numbers, all_linked, all_linked_once, all_small, number_components};
use super::circles::PlannedCircle;
use super::order::flow_order;
use super::{Feed, Graph, GraphError, Link, Node, Origin};
use crate::link::{LinkKind, LinkSettings};
use crate::ports::{CloneMessage, LettersLink, PortInfo, PortKey, PortLink};
use crate::supervision::Supervisor;

/// The largest number of functions in a row that are fused into one inbox.
pub(super) const MOST_FUSED: usize = 64;

/// All that is needed to start a graph any number of times without any look-ups.
pub(crate) struct Plan {
    pub(crate) graph: Arc<str>,
    /// The same for graphs with the same name, components and links, in every run of a program.
    pub(crate) shape: u64,
    /// The functions that are fused into the inboxes that they feed, in flow order.
    pub(crate) functions: Box<[PlannedComponent]>,
    /// All other components, in flow order.
    pub(crate) components: Box<[PlannedComponent]>,
    pub(crate) links: Box<[PlannedLink]>,
    /// The link that the graph's faults go to.
    pub(crate) faults: Option<PortLink>,
    pub(crate) circles: Box<[PlannedCircle]>,
    /// The components that are made when their first message comes, a bit for each: see
    /// [`Plan::find_late`].
    pub(crate) late: u64,
    /// Whether a component has a thread of its own.
    pub(crate) has_threads: bool,
}

pub(crate) struct PlannedComponent {
    pub(crate) name: Arc<str>,
    /// The path of its function.
    pub(crate) kind: &'static str,
    /// Where it was added to its graph.
    pub(crate) location: &'static Location<'static>,
    pub(crate) own_thread: bool,
    pub(crate) port_infos: &'static [PortInfo],
    pub(crate) ports: Box<[Box<[PortLink]>]>,
    /// Where the messages in hand go if it fails.
    pub(crate) dead_letters: Vec<LettersLink>,
    /// The policy for its faults. Without one, they stop the graph.
    pub(crate) supervisor: Option<Supervisor>,
    /// Whether none of its inboxes is linked. A graceful stop begins with such components.
    pub(crate) is_source: bool,
    /// Whether it ends by itself when the graph is stopped.
    pub(crate) heeds_stop: bool,
    /// Whether it does nothing before its first message.
    pub(crate) needs_message: bool,
    /// Whether it takes the graph's faults, or is downstream of a component that does. When only
    /// such components are left, no more faults are expected.
    pub(crate) serves_faults: bool,
    /// Whether it answers questions, or is downstream of a component that does. A graceful stop
    /// ends it last.
    pub(crate) answers: bool,
}

pub(crate) struct PlannedLink {
    pub(crate) kind: LinkKind,
    pub(crate) settings: LinkSettings,
    pub(crate) from: Box<[PlannedFeed]>,
    pub(crate) to: Option<PlannedPort>,
    /// The inbox that takes from it. If `to` is a fused function, this is the inbox of a component
    /// behind it.
    pub(crate) taker: Option<PlannedPort>,
    /// Whether its ends are on different threads.
    pub(crate) across: bool,
    /// Whether a fused function replaces it.
    pub(crate) fused: bool,
    /// The name of the end that is not in the graph, if it is in another one.
    pub(crate) outside: Option<Arc<str>>,
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
    /// The number of the component in the plan. Functions are numbered after the components.
    pub(crate) component: usize,
    /// The number of the port, in the order of the fields.
    pub(crate) port: usize,
    /// The number of the outbox in a port of several.
    pub(crate) branch: usize,
}

impl Plan {
    /// Checks a graph. Returns the plan, and the graph's components by their numbers in the graph:
    /// its functions in flow order, then its components in flow order.
    pub(crate) fn new<Make>(graph: &Graph<Make>) -> Result<(Self, Vec<usize>), GraphError> {
        let numbers = number_components(graph)?;
        all_linked_once(graph, &numbers)?;
        all_small(graph)?;
        let order = flow_order(graph, &numbers)?;
        let mut components: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| PlannedComponent::new(node, graph))
            .collect();
        let faults = link_ports(graph, &numbers, &mut components);
        mark_serving_faults(graph, &numbers, &order, &mut components);
        all_linked(graph, &components)?;

        let mut links = plan_links(graph, &numbers);
        limit_fusing(graph, &numbers, &order, &mut links);
        let (functions, others) = part_functions(graph, &numbers, order, &links);
        let order = [others.as_slice(), &functions].concat();
        number_ports(graph, &numbers, &order, &mut links);
        let mut components: Vec<_> = components.into_iter().map(Some).collect();
        let mut take = |order: &[usize]| -> Box<[_]> {
            order
                .iter()
                .filter_map(|&index| components[index].take())
                .collect()
        };
        let mut plan = Self {
            graph: graph.name.clone(),
            shape: 0,
            functions: take(&functions),
            components: take(&others),
            links,
            faults,
            circles: Box::default(),
            late: 0,
            has_threads: graph.nodes.iter().any(|node| node.own_thread),
        };
        plan.find_takers();
        plan.find_circles();
        plan.shape = plan.shape();
        Ok((plan, [functions, others].concat()))
    }
}

/// Assigns the links to the ports. Returns the link that the graph's faults go to.
fn link_ports<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
    components: &mut [PlannedComponent],
) -> Option<PortLink> {
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
            let Origin::Port(outbox) = feed.outbox else {
                faults = Some(at);
                continue;
            };
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
    }
    branches.settle(components);
    faults
}

fn plan_links<Make>(graph: &Graph<Make>, numbers: &Numbers) -> Box<[PlannedLink]> {
    let node = |key: PortKey| &graph.nodes[numbers[&key.component]];
    let letters = graph.dead_letters.keys();
    let have_letters: HashSet<_> = letters.map(|inbox| inbox.component).collect();
    let is_function =
        |key: PortKey| node(key).is_function && !have_letters.contains(&key.component);
    let plan = |link| PlannedLink::new(link, |key| node(key).own_thread, is_function);
    graph.links.iter().map(plan).collect()
}

/// Ends each chain of fused functions at [`MOST_FUSED`]. The functions call each other, so a chain
/// without a limit would need a stack without a limit.
fn limit_fusing<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
    order: &[usize],
    links: &mut [PlannedLink],
) {
    // For each component: the link that it feeds as a function, and how many functions are before
    // it.
    let mut fused_into = vec![None; graph.nodes.len()];
    let mut before = vec![0; graph.nodes.len()];
    for (index, link) in graph.links.iter().enumerate() {
        if let Some(outbox) = link.only_outbox().filter(|_| links[index].fused) {
            fused_into[numbers[&outbox.component]] = Some(index);
        }
    }
    for &component in order {
        let Some(link) = fused_into[component] else {
            continue;
        };
        let chain = before[component] + 1;
        links[link].fused = chain <= MOST_FUSED;
        if let Some(to) = graph.links[link].to.filter(|_| links[link].fused) {
            before[numbers[&to.component]] = chain;
        }
    }
}

/// Returns the functions that are fused, and all other components, each in flow order.
fn part_functions<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
    order: Vec<usize>,
    links: &[PlannedLink],
) -> (Vec<usize>, Vec<usize>) {
    let links = graph.links.iter().zip(links);
    let fused = links.filter(|(_, planned)| planned.fused);
    let fused: HashSet<_> = fused
        .filter_map(|(link, _)| link.only_outbox())
        .map(|outbox| numbers[&outbox.component])
        .collect();
    order.into_iter().partition(|index| fused.contains(index))
}

/// Numbers the ports of all links by the order of the plan.
fn number_ports<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
    order: &[usize],
    links: &mut [PlannedLink],
) {
    let mut positions = vec![0; graph.nodes.len()];
    for (position, &index) in order.iter().enumerate() {
        positions[index] = position;
    }
    let port = |key: PortKey| PlannedPort {
        component: positions[numbers[&key.component]],
        port: key.port,
        branch: key.branch,
    };
    for (planned, link) in links.iter_mut().zip(&graph.links) {
        planned.from = link.from.iter().map(|feed| feed.planned(port)).collect();
        planned.to = link.to.map(port);
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
            is_source: !node.heeds_stop,
            heeds_stop: node.heeds_stop,
            needs_message: node.needs_message,
            serves_faults: false,
            answers: false,
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
            settings: LinkSettings {
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
            outside: link.outside.clone(),
        }
    }
}

impl Link {
    /// Returns what feeds the inbox, if that is a single outbox upstream of it.
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

    /// The outboxes of a feedback link hold it open only if nothing else feeds the inbox.
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

/// The links of outbox ports while they are collected. A port of many outboxes has them in the
/// order of their branches.
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
    /// Returns how to clone the messages of an outbox, if they are the dead letters of an inbox.
    pub(super) fn cloning(&self, outbox: PortKey) -> Option<CloneMessage> {
        self.dead_letters.get(&outbox).copied()
    }
}

/// Marks the components that take the graph's faults, and all that are downstream of them. The
/// order of the flow makes one pass sufficient.
fn mark_serving_faults<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
    order: &[usize],
    components: &mut [PlannedComponent],
) {
    let mut downstream = vec![Vec::new(); components.len()];
    for link in &graph.links {
        let Some(to) = link.to.map(|to| numbers[&to.component]) else {
            continue;
        };
        components[to].answers |= link.asked.is_some();
        for feed in link.from.iter().filter(|feed| !feed.feedback) {
            match feed.outbox {
                Origin::Faults => components[to].serves_faults = true,
                Origin::Port(from) => downstream[numbers[&from.component]].push(to),
            }
        }
    }
    for &component in order {
        let (serves, answers) = (
            components[component].serves_faults,
            components[component].answers,
        );
        for &next in &downstream[component] {
            components[next].serves_faults |= serves;
            components[next].answers |= answers;
        }
    }
}
