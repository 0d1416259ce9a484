//! Graphs from outside: which graphs are refused, in which order components run, and that nothing
//! is lost on the way.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{EndHandle, Graph, GraphError};
use crate::{
    Cause, Done, End, Fault, Inbox, Outbox, Outboxes, Pipe, Policy, Ports, Scheduler, Sink, Source,
    blocking, pipeline, testing, unblock,
};

async fn copy(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

fn count_to(last: u32) -> impl AsyncFnMut(&mut Source<u32>) -> Done + Send + Clone + 'static {
    async move |io: &mut Source<u32>| {
        for number in 0..last {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

async fn swallow(io: &mut Sink<u32>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}

#[test]
fn an_unlinked_port_is_named() {
    let mut graph = Graph::new("g");
    let source = graph.add("source", count_to(1));
    let copy = graph.add("copy", copy);
    graph.link(source.outbox, copy.inbox);
    let error = graph.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "graph `g`: the outbox `outbox` of component `copy` is not linked"
    );
}

#[test]
fn a_repeated_name_is_named() {
    let mut graph = Graph::new("g");
    let _ = (graph.add("copy", copy), graph.add("copy", copy));
    assert_eq!(
        graph.start().unwrap_err().to_string(),
        "graph `g`: two components have the name `copy`"
    );
}

#[test]
fn pipelines_find_names_that_are_free() {
    let copy_twice = || pipeline!(copy => copy);
    let mut graph = Graph::new("g");
    let (first, _) = pipeline!(graph, copy => copy_twice() => copy_twice() => swallow);
    let by_reference = &mut graph;
    let (second, _) = pipeline!(by_reference, copy => swallow);
    let (_, _) = (graph.feed(first), graph.feed(second));
    let names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "copy",
            "copy_twice/copy",
            "copy_twice/copy 2",
            "copy_twice 2/copy",
            "copy_twice 2/copy 2",
            "swallow",
            "copy 2",
            "swallow 2"
        ]
    );
    graph.start().unwrap();
}

#[test]
fn a_handle_of_another_graph_is_refused() {
    let (mut graph, mut other) = (Graph::new("g"), Graph::new("other"));
    let (source, sink) = (graph.add("source", count_to(1)), other.add("sink", swallow));
    graph.link(source.outbox, sink.inbox);
    assert!(matches!(
        graph.start(),
        Err(GraphError::ForeignHandle { .. })
    ));
}

#[test]
fn a_circle_needs_a_feedback_link() {
    let circle = |feedback| {
        let mut graph = Graph::new("g");
        let (source, sink) = (
            graph.add("source", count_to(100)),
            graph.add("sink", swallow),
        );
        let a = graph.add("a", copy);
        let b = graph.add("b", async |io: &mut Splitter| {
            while let Some(number) = io.inbox.next().await {
                io.outboxes[0].send(number).await?;
                if let Some(less) = number.checked_sub(1) {
                    // The circle may be full, and must not wait for itself.
                    let _ = io.outboxes[1].try_send(less);
                }
            }
            Ok(())
        });
        let (mut b_outboxes, back) = (b.outboxes, a.inbox);
        graph.link(a.outbox, b.inbox);
        graph.link(b_outboxes.branch(), sink.inbox);
        if feedback {
            graph
                .link(source.outbox, back)
                .feedback(b_outboxes.branch());
        } else {
            graph.merge([source.outbox, b_outboxes.branch()], back);
        }
        graph.start()
    };
    let error = circle(false).unwrap_err();
    assert!(
        matches!(&error, GraphError::Circle { components, .. } if components.len() == 2),
        "{error}"
    );
    // With one it drains once the source has ended and the circle is empty.
    testing::block_on(circle(true).unwrap()).unwrap();
}

#[derive(Ports)]
struct Splitter {
    inbox: Inbox<u32>,
    outboxes: Outboxes<u32>,
}

#[derive(Ports)]
struct Tolerant {
    wanted: Inbox<u32>,
    unwanted: Option<Inbox<u32>>,
    nowhere: Option<Outbox<u32>>,
}

/// Each is polled once, when all that it waits for is there. No other component has a turn
/// meanwhile.
#[test]
fn one_wake_up_takes_a_message_through_a_line_whatever_the_order_in_which_it_was_added() {
    let mut graph = Graph::new("line");
    let sink = graph.add("sink", swallow);
    let second = graph.add("second", copy);
    let first = graph.add("first", copy);
    let source = graph.add("source", count_to(3));
    graph.link(second.outbox, sink.inbox);
    graph.link(source.outbox, first.inbox);
    graph.link(first.outbox, second.inbox);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap().wait().unwrap();
    let census = scheduler.census_within(Duration::from_secs(20));
    let components = census.graphs[0].components.iter();
    let polls: Vec<_> = components
        .map(|known| (&*known.name, known.polls))
        .collect();
    let order = ["source", "first", "second", "sink"];
    assert_eq!(polls, order.map(|name| (name, 1)));
    assert_eq!(census.workers[0].turns, 1);
}

#[test]
fn an_optional_port_may_stay_unlinked() {
    let mut graph = Graph::new("g");
    let source = graph.add("source", count_to(3));
    let tolerant = graph.add("tolerant", async |io: &mut Tolerant| {
        assert!(io.unwanted.is_none() && io.nowhere.is_none());
        assert_eq!(io.wanted.next().await, Some(0));
        Ok(())
    });
    graph.link(source.outbox, tolerant.wanted);
    testing::block_on(graph.start().unwrap()).unwrap();
}

#[test]
fn a_fault_stops_the_graph_unless_it_may_carry_on() {
    let graph = |policy: Policy, panics: bool| {
        let mut graph = Graph::new("g");
        let bad = graph.add("bad", async move |_: &mut Source<u32>| {
            assert!(!panics, "on purpose");
            Err(End::fault("on purpose"))
        });
        let good = graph.add("good", count_to(3));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let copy_of_heard = heard.clone();
        let supervisor = graph.add("supervisor", async move |io: &mut Sink<Fault>| {
            while let Some(fault) = io.inbox.next().await {
                heard.lock().unwrap().push(fault);
            }
            Ok(())
        });
        graph.link(graph.faults(), supervisor.inbox);
        let sink = graph.add("sink", swallow);
        graph.merge([bad.outbox, good.outbox], sink.inbox);
        graph.supervise(move |_| policy);
        (testing::block_on(graph.start().unwrap()), copy_of_heard)
    };
    for panics in [false, true] {
        let (outcome, heard) = graph(Policy::Stop, panics);
        let fault = outcome.unwrap_err();
        assert_eq!((fault.graph(), fault.component()), ("g", "bad"));
        assert_eq!(matches!(fault.cause(), Cause::Panic(_)), panics);
        assert!(heard.lock().unwrap().is_empty());

        let (outcome, heard) = graph(Policy::CarryOn, panics);
        assert!(outcome.is_ok());
        assert_eq!(heard.lock().unwrap().len(), 1);
        assert!(heard.lock().unwrap()[0].to_string().contains("on purpose"));
    }
}

/// The last component of a line fails. The component that takes its fault still reaches the one
/// that both of them feed.
#[test]
fn a_component_that_takes_faults_answers_in_its_place() {
    let mut graph = Graph::new("g");
    let bad = graph.add("bad", async |_: &mut Source<u32>| {
        Err(End::fault("on purpose"))
    });
    let guard = graph.add("guard", async |io: &mut Pipe<Fault, u32>| {
        while io.inbox.next().await.is_some() {
            io.outbox.send(500).await?;
        }
        Ok(())
    });
    graph.link(graph.faults(), guard.inbox);
    let last = graph.add("last", copy);
    graph.merge([bad.outbox, guard.outbox], last.inbox);
    let received = graph.take(last.outbox);
    graph.supervise(|_| Policy::CarryOn);
    testing::block_on(graph.start().unwrap()).unwrap();
    assert_eq!(received.into_iter().collect::<Vec<_>>(), [500]);
}

#[test]
fn a_panic_takes_no_worker_down() {
    let scheduler = Scheduler::with_workers(1);
    for _ in 0..3 {
        let mut graph = Graph::new("g");
        let bad = graph.add("bad", async |_: &mut Source<u32>| panic!("on purpose"));
        let sink = graph.add("sink", swallow);
        graph.link(bad.outbox, sink.inbox);
        assert!(scheduler.run(graph).unwrap().wait().is_err());
    }
    assert_eq!(testing::block_on(unblock(|| 7)), 7);
}

#[test]
fn a_graceful_stop_drains_what_was_accepted() {
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let endless = graph.add("endless", async |io: &mut Source<u32>| {
        for number in 0.. {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let copy = graph.add("copy", copy);
    graph.link(endless.outbox, copy.inbox).capacity(1);
    let mut received = graph.take(copy.outbox);
    let running = scheduler.run(graph).unwrap();
    let first: Vec<_> = (0..100).filter_map(|_| received.next_blocking()).collect();
    running.stop();
    let all: Vec<_> = first.into_iter().chain(received).collect();
    assert!(
        all.iter().copied().eq(0..all.len() as u32),
        "in order, without a gap"
    );
    running.wait().unwrap();
    scheduler.stop(std::time::Duration::from_secs(10)).unwrap();
}

/// A stage of a random graph: how it handles its input.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Copy,
    Thread,
    Split,
}

/// A layer of a random graph: its components, and the capacity of the links that lead to it.
fn layers() -> impl Strategy<Value = Vec<(Vec<Kind>, usize)>> {
    let kind = prop_oneof![3 => Just(Kind::Copy), 1 => Just(Kind::Thread), 2 => Just(Kind::Split)];
    vec((vec(kind, 1..4), 1..6_usize), 1..5)
}

type Tagged = (usize, u32);

#[derive(Ports)]
struct Stage {
    inbox: Inbox<Tagged>,
    outboxes: Outboxes<Tagged>,
}

async fn spread(io: &mut Stage) -> Done {
    let mut turn = 0;
    while let Some(message) = io.inbox.next().await {
        io.outboxes[turn % io.outboxes.len()].send(message).await?;
        turn += 1;
    }
    Ok(())
}

fn spread_blocking(io: &mut Stage) -> Done {
    let mut turn = 0;
    while let Some(message) = io.inbox.next_blocking() {
        io.outboxes[turn % io.outboxes.len()].send_blocking(message)?;
        turn += 1;
    }
    Ok(())
}

/// Sources, layers of stages each linked to every stage or to one of the next layer, and one exit.
fn random_graph(
    sources: &[u32],
    layers: &[(Vec<Kind>, usize)],
) -> (Graph, crate::Receiver<Tagged>) {
    let mut graph = Graph::new("random");
    let mut open: Vec<_> = sources
        .iter()
        .enumerate()
        .map(|(source, count)| {
            let count = *count;
            let source_ports = graph.add(
                &format!("source {source}"),
                async move |io: &mut Source<Tagged>| {
                    for number in 0..count {
                        io.outbox.send((source, number)).await?;
                    }
                    Ok(())
                },
            );
            source_ports.outbox
        })
        .collect();
    for (depth, (kinds, capacity)) in layers.iter().enumerate() {
        let mut next = Vec::new();
        let mut shares: Vec<Vec<_>> = kinds.iter().map(|_| Vec::new()).collect();
        for (index, outbox) in open.into_iter().enumerate() {
            shares[index % kinds.len()].push(outbox);
        }
        for (index, (kind, share)) in kinds.iter().zip(shares).enumerate() {
            if share.is_empty() {
                continue;
            }
            let name = format!("stage {depth} {index}");
            let mut stage = match kind {
                Kind::Thread => graph.add(&name, blocking(spread_blocking)),
                Kind::Copy | Kind::Split => graph.add(&name, spread),
            };
            graph.merge(share, stage.inbox).capacity(*capacity);
            let branches = if matches!(kind, Kind::Split) { 2 } else { 1 };
            next.extend((0..branches).map(|_| stage.outboxes.branch()));
        }
        open = next;
    }
    let exit = graph.add("exit", async |io: &mut Pipe<Tagged, Tagged>| {
        while let Some(message) = io.inbox.next().await {
            io.outbox.send(message).await?;
        }
        Ok(())
    });
    graph.merge(open, exit.inbox).capacity(1);
    let received = graph.take(exit.outbox);
    (graph, received)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_once_and_the_graph_drains(
        sources in vec(0..60_u32, 1..4),
        layers in layers(),
        workers in 1..3_usize,
    ) {
        let scheduler = Scheduler::with_workers(workers);
        let (graph, received) = random_graph(&sources, &layers);
        let running = scheduler.run(graph).unwrap();
        let mut by_source: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (source, number) in received {
            by_source.entry(source).or_default().push(number);
        }
        running.wait().unwrap();
        let has_split = layers.iter().any(|(kinds, _)| kinds.iter().any(|kind| matches!(kind, Kind::Split)));
        for (source, count) in sources.iter().enumerate() {
            let mut numbers = by_source.remove(&source).unwrap_or_default();
            if has_split {
                // Only a link keeps order. A message may overtake another on a different path.
                numbers.sort_unstable();
            }
            prop_assert_eq!(numbers, (0..*count).collect::<Vec<_>>());
        }
        prop_assert!(by_source.is_empty());
    }
}

/// The ports of a component that ends a line, and whose end another component may follow.
#[derive(Ports)]
struct Ending {
    inbox: Inbox<u32>,
    end: Outbox<Infallible>,
}

impl super::Stage<u32> for Ending {
    type Tail = EndHandle;

    fn ends(handles: EndingHandles) -> (crate::InboxHandle<u32>, EndHandle) {
        (handles.inbox, EndHandle(handles.end))
    }
}

#[test]
fn a_component_knows_its_function_and_the_line_that_added_it() {
    fn stage() -> impl crate::Component<Pipe<u32, u32>> + Clone + Send + Sync {
        async |_: &mut Pipe<u32, u32>| Ok(())
    }
    let mut graph = Graph::new("located");
    let (head, tail) = crate::pipeline!(graph, copy => stage());
    let line = line!() - 1;
    let last = graph.add("last", crate::blocking(|_: &mut Sink<u32>| Ok(())));
    graph.link(tail, last.inbox);
    let _head = graph.feed(head);
    let plan = graph.check().unwrap().plan;
    let known: Vec<_> = plan
        .components
        .iter()
        .map(|c| (&*c.name, c.kind, c.location.file(), c.location.line()))
        .collect();
    let here = "kamea::graph::tests";
    let kinds = [
        "copy",
        "a_component_knows_its_function_and_the_line_that_added_it::stage",
        "a_component_knows_its_function_and_the_line_that_added_it",
    ];
    let lines = [line, line, line + 2];
    for ((known, kind), line) in known.iter().zip(kinds).zip(lines) {
        assert_eq!(known.1, format!("{here}::{kind}"));
        assert_eq!((known.2, known.3), (file!(), line));
    }

    let mut graph = Graph::new("behind an end");
    let end = async |_: &mut Ending| Ok(());
    let ((), ()) = pipeline!(graph, count_to(1) => end => async |_: &mut Sink<Infallible>| Ok(()));
    let line = line!() - 1;
    let locations: Vec<_> = graph.nodes.iter().map(|node| node.location).collect();
    assert!(
        locations
            .iter()
            .all(|at| (at.file(), at.line()) == (file!(), line)),
        "{locations:?}"
    );

    let mut graph = Graph::template("seeded");
    let add = |graph: &mut Graph<crate::PerSeed<u32>>| graph.add("copy", copy);
    let line = line!() - 1;
    let _ = add(&mut graph);
    assert_eq!(graph.nodes[0].location.line(), line);
}

#[test]
fn a_line_without_a_graph_is_what_its_open_ends_make_it() {
    let source: crate::Composite<Source<u32>> = pipeline!(count_to(3) => copy);
    let pipe: crate::Composite<Pipe<u32, u32>> = pipeline!(copy => copy);
    let sink: crate::Composite<Sink<u32>> = pipeline!(copy => swallow);
    let whole: Graph = pipeline!(source => pipe => sink);
    assert_eq!(
        whole.to_string(),
        "pipeline\n  \
         source/count_to.outbox ──▶ source/copy.inbox\n  \
         pipe/copy.outbox       ──▶ pipe/copy 2.inbox\n  \
         source/copy.outbox     ──▶ pipe/copy.inbox\n  \
         sink/copy.outbox       ──▶ sink/swallow.inbox\n  \
         pipe/copy 2.outbox     ──▶ sink/copy.inbox\n"
    );
    testing::block_on(whole.start().unwrap()).unwrap();
}
