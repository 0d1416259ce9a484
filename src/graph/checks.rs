//! The checks before a graph can run.

use std::collections::{HashMap, HashSet};

use super::plan::PlannedComponent;
use super::{Graph, GraphError, Origin};
use crate::ports::{ComponentId, PortKey};

/// The number of each component in its graph.
pub(super) type Numbers = HashMap<ComponentId, usize>;

pub(super) fn number_components<Make>(graph: &Graph<Make>) -> Result<Numbers, GraphError> {
    let mut names = HashSet::new();
    for node in &graph.nodes {
        if !names.insert(node.name.as_str()) {
            let component = node.name.as_str().into();
            return Err(GraphError::DuplicateName {
                graph: graph.name.clone(),
                component,
            });
        }
    }
    let numbers: HashMap<_, _> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.id, index))
        .collect();
    let foreign = |key: &PortKey| !numbers.contains_key(&key.component);
    for link in &graph.links {
        let outboxes = link.from.iter().filter_map(|feed| match &feed.outbox {
            Origin::Port(key) => Some(key),
            Origin::Faults => None,
        });
        if outboxes.chain(&link.to).any(foreign) {
            return Err(GraphError::ForeignHandle {
                graph: graph.name.clone(),
            });
        }
    }
    Ok(numbers)
}

/// The largest message that may be sent by value, in bytes. Each link moves it several times, over
/// the stack.
const LARGEST_MESSAGE: usize = 64 << 10;

pub(super) fn all_small<Make>(graph: &Graph<Make>) -> Result<(), GraphError> {
    let mut links = graph.links.iter();
    match links.find(|link| link.kind.size > LARGEST_MESSAGE) {
        None => Ok(()),
        Some(link) => Err(GraphError::LargeMessage {
            graph: graph.name.clone(),
            message: (link.kind.message)(),
            size: link.kind.size,
            most: LARGEST_MESSAGE,
        }),
    }
}

/// Faults and dead letters have no handle that linking would consume.
pub(super) fn all_linked_once<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
) -> Result<(), GraphError> {
    let mut known = HashSet::new();
    for feed in graph.links.iter().flat_map(|link| &link.from) {
        let what = match feed.outbox {
            Origin::Faults => "its faults".to_owned(),
            Origin::Port(key) if graph.cloning(key).is_some() => {
                let node = &graph.nodes[numbers[&key.component]];
                let port = node.ports[key.port].name;
                format!("the dead letters of `{}.{port}`", node.name)
            }
            Origin::Port(_) => continue,
        };
        if let Some(what) = known.replace(what) {
            let graph = graph.name.clone();
            return Err(GraphError::LinkedTwice { graph, what });
        }
    }
    Ok(())
}

pub(super) fn all_linked<Make>(
    graph: &Graph<Make>,
    components: &[PlannedComponent],
) -> Result<(), GraphError> {
    for (node, component) in graph.nodes.iter().zip(components) {
        for (info, links) in node.ports.iter().zip(&component.ports) {
            if links.is_empty() && !info.optional {
                return Err(GraphError::Unlinked {
                    graph: graph.name.clone(),
                    component: component.name.clone(),
                    port: info.name,
                    direction: info.direction,
                });
            }
        }
    }
    Ok(())
}
