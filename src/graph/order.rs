//! The order in which messages flow.

use std::collections::HashMap;

use super::{Graph, GraphError, Origin};
use crate::ports::ComponentId;

/// The components in the order in which messages flow: each after those that feed it. Among components that
/// do not feed each other the order is the one in which they were added.
pub(super) fn flow_order<Make>(
    graph: &Graph<Make>,
    numbers: &HashMap<ComponentId, usize>,
) -> Result<Vec<usize>, GraphError> {
    let count = graph.nodes.len();
    let mut downstream = vec![Vec::new(); count];
    let mut upstream_left = vec![0_usize; count];
    for link in &graph.links {
        let Some(to) = link.to else { continue };
        for feed in link.from.iter().filter(|feed| !feed.feedback) {
            if let Origin::Port(from) = feed.outbox {
                downstream[numbers[&from.component]].push(numbers[&to.component]);
                upstream_left[numbers[&to.component]] += 1;
            }
        }
    }
    let mut order = Vec::with_capacity(count);
    let mut pending: Vec<usize> = (0..count).collect();
    while let Some(position) = pending.iter().position(|&index| upstream_left[index] == 0) {
        let index = pending.remove(position);
        downstream[index]
            .iter()
            .for_each(|&next| upstream_left[next] -= 1);
        order.push(index);
    }
    if pending.is_empty() {
        return Ok(order);
    }
    let circle = circle_among(&pending, &downstream);
    let components = circle
        .into_iter()
        .map(|index| graph.nodes[index].name.clone())
        .collect();
    Err(GraphError::Circle {
        graph: graph.name.clone(),
        components,
    })
}

/// One circle among components each of which is fed by another of them.
fn circle_among(pending: &[usize], downstream: &[Vec<usize>]) -> Vec<usize> {
    let feeder = |of: usize| {
        pending
            .iter()
            .copied()
            .find(|&index| downstream[index].contains(&of))
    };
    let mut path = vec![pending[0]];
    while let Some(next) = feeder(path[path.len() - 1]) {
        if let Some(start) = path.iter().position(|&index| index == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    path.reverse();
    path
}
