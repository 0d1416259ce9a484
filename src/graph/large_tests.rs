//! Graphs of ten thousand components: checked in a time that grows with their size alone, and run.

use std::time::{Duration, Instant};

use super::plan::{MOST_FUSED, Plan};
use super::{Graph, GraphError};
use crate::ports::{InboxHandle, OutboxHandle};
use crate::{Done, Pipe, Scheduler, Sink, map};

const COMPONENTS: usize = 10_000;

/// Ample for a debug build on a busy machine; anything quadratic takes longer.
const LIMIT: Duration = Duration::from_secs(2);

async fn copy(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

async fn swallow<T: crate::Message>(io: &mut Sink<T>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}

/// Adds a line of components that is open at both ends.
fn line(
    graph: &mut Graph,
    mut add: impl FnMut(&mut Graph, &str) -> crate::PipeHandles<u32, u32>,
) -> (InboxHandle<u32>, OutboxHandle<u32>) {
    let first = add(graph, "number 0");
    let mut last = first.outbox;
    for number in 1..COMPONENTS {
        let next = add(graph, &format!("number {number}"));
        graph.link(last, next.inbox);
        last = next.outbox;
    }
    (first.inbox, last)
}

fn add_copy(graph: &mut Graph, name: &str) -> crate::PipeHandles<u32, u32> {
    graph.add(name, copy)
}

fn add_plus_one(graph: &mut Graph, name: &str) -> crate::PipeHandles<u32, u32> {
    graph.add(name, map(|n: u32| n + 1))
}

/// Fails if it takes longer than the limit.
fn timed<T>(what: &str, then: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let outcome = then();
    let took = began.elapsed();
    assert!(took < LIMIT, "{what} took {took:?}");
    outcome
}

#[test]
fn a_line_of_functions_is_checked_in_one_pass_and_runs() {
    let mut graph = Graph::new("g");
    let (first, last) = line(&mut graph, add_plus_one);
    let (numbers, mut sums) = (graph.feed(first), graph.take(last));
    let (plan, _) = timed("the check", || Plan::new(&graph)).unwrap();
    // A chain has an end: what is fused is called, one function by the other, on one stack.
    assert_eq!(plan.components.len(), COMPONENTS.div_ceil(MOST_FUSED + 1));
    let takes = |link: &super::PlannedLink| {
        link.taker
            .is_none_or(|taker| taker.component < plan.components.len())
    };
    assert!(plan.links.iter().all(takes));

    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    numbers.send_blocking(5).unwrap();
    assert_eq!(sums.next_blocking(), Some(COMPONENTS as u32 + 5));
    drop(numbers);
    running.wait().unwrap();
}

#[test]
fn components_are_checked_in_a_time_that_grows_with_their_number() {
    type Wire = fn(&mut Graph);
    let rows: [(&str, Wire); 5] = [
        ("a line of components", |graph| {
            let (first, last) = line(graph, add_copy);
            drop((graph.feed(first), graph.take(last)));
        }),
        ("a line added against the flow", |graph| {
            let mut next = graph.add("sink", swallow::<u32>).inbox;
            for number in 0..COMPONENTS {
                let part = graph.add(&format!("number {number}"), copy);
                graph.link(part.outbox, next);
                next = part.inbox;
            }
            drop(graph.feed(next));
        }),
        (
            "a line that takes faults, linked against the flow",
            |graph| {
                let mut parts: Vec<_> = (0..COMPONENTS)
                    .map(|number| {
                        let copy = async |io: &mut Pipe<crate::Fault, crate::Fault>| {
                            while let Some(fault) = io.inbox.next().await {
                                io.outbox.send(fault).await?;
                            }
                            Ok(())
                        };
                        graph.add(&format!("number {number}"), copy)
                    })
                    .collect();
                let last = parts.pop().unwrap();
                let mut next = last.inbox;
                drop(graph.take(last.outbox));
                while let Some(part) = parts.pop() {
                    graph.link(part.outbox, next);
                    next = part.inbox;
                }
                graph.link(graph.faults(), next);
            },
        ),
        ("dead letters of all", |graph| {
            let mut letters = Vec::new();
            let (first, last) = line(graph, |graph, name| {
                let part = graph.add(name, copy);
                letters.push(graph.dead_letters(&part.inbox));
                part
            });
            let sink = graph.add("letters", swallow::<u32>);
            graph.merge(letters, sink.inbox);
            drop((graph.feed(first), graph.take(last)));
        }),
        ("many into one", |graph| {
            let sink = graph.add("sink", swallow::<u32>);
            let outboxes: Vec<_> = (0..COMPONENTS)
                .map(|number| {
                    let part = graph.add(&format!("number {number}"), map(|n: u32| n));
                    drop(graph.feed(part.inbox));
                    part.outbox
                })
                .collect();
            graph.merge(outboxes, sink.inbox);
        }),
    ];
    for (what, wire) in rows {
        let mut graph = Graph::new("g");
        wire(&mut graph);
        timed(&format!("the check of {what}"), || graph.check().map(drop)).unwrap();
    }
}

#[test]
fn a_circle_of_all_is_found_at_once() {
    let mut graph = Graph::new("g");
    let (first, last) = line(&mut graph, add_copy);
    graph.link(last, first);
    let error = timed("the check", || graph.check().map(drop)).unwrap_err();
    let GraphError::Circle { components, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(components.len(), COMPONENTS);
}

#[test]
fn names_drawings_and_interposed_components_take_no_longer() {
    let mut graph = Graph::new("g");
    let (first, last) = line(&mut graph, add_plus_one);
    drop((graph.feed(first), graph.take(last)));
    let drawing = timed("the drawing", || graph.to_string());
    assert_eq!(drawing.lines().count(), COMPONENTS + 2);
    let name = timed("a free name", || graph.free_name("number"));
    assert_eq!(name, "number");
    timed("interposing", || {
        let mut count = 0;
        graph.interpose(|graph, _| {
            count += 1;
            let part = graph.add(&format!("behind {count}"), map(|n: u32| n));
            (part.inbox, part.outbox)
        });
        assert_eq!(count, COMPONENTS - 1);
    });
}
