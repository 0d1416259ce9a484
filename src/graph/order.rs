//! The order in which messages flow.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::checks::Numbers;
use super::{Graph, GraphError, Origin};

/// Returns the components in the order in which messages flow: each comes after those that feed it.
/// Components that do not feed each other keep the order in which they were added.
pub(super) fn flow_order<Make>(
    graph: &Graph<Make>,
    numbers: &Numbers,
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
    let is_next = |&index: &usize| upstream_left[index] == 0;
    let mut ready: BinaryHeap<_> = (0..count).filter(is_next).map(Reverse).collect();
    while let Some(Reverse(index)) = ready.pop() {
        for &next in &downstream[index] {
            upstream_left[next] -= 1;
            if upstream_left[next] == 0 {
                ready.push(Reverse(next));
            }
        }
        order.push(index);
    }
    if order.len() == count {
        return Ok(order);
    }
    let circle = circle_among(&upstream_left, &downstream);
    let components = circle
        .into_iter()
        .map(|index| graph.nodes[index].name.clone())
        .collect();
    Err(GraphError::Circle {
        graph: graph.name.clone(),
        components,
    })
}

/// Returns one circle among the components that still wait for others: another of them feeds each.
fn circle_among(upstream_left: &[usize], downstream: &[Vec<usize>]) -> Vec<usize> {
    let is_pending = |index: usize| upstream_left[index] > 0;
    let pending = || (0..upstream_left.len()).filter(|&index| is_pending(index));
    // For each component, the first of those that feed it.
    let mut feeder = HashMap::new();
    for index in pending() {
        for &next in &downstream[index] {
            feeder.entry(next).or_insert(index);
        }
    }
    let mut path: Vec<_> = pending().take(1).collect();
    let mut places = HashMap::new();
    while let Some(&last) = path.last() {
        if let Some(start) = places.insert(last, path.len() - 1) {
            path.pop();
            path.drain(..start);
            break;
        }
        path.extend(feeder.get(&last));
    }
    path.reverse();
    path
}
