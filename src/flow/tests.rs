//! A flow that always has something to do leaves their share to others of its worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Done, Graph, Outbox, Pipe, Placement, Ports, Scheduler, Sink, Source, map};

/// How many messages an eager flow may pass on before its neighbour has its turn: more than 200 microseconds are good for.
const MOST: u64 = 200_000;

/// Passes on numbers as fast as it can, and counts them.
fn eager(capacity: usize, passed: &Arc<AtomicU64>) -> Graph {
    let passed = passed.clone();
    let mut graph = Graph::new("eager");
    let source = graph.add("source", async |io: &mut Source<u64>| {
        for number in 0.. {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let sink = graph.add("sink", async move |io: &mut Sink<u64>| {
        while io.inbox.next().await.is_some() {
            passed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    graph.link(source.outbox, sink.inbox).capacity(capacity);
    graph
}

/// The same, as two graphs on one worker.
fn eager_across(capacity: usize, passed: &Arc<AtomicU64>) -> [Graph; 2] {
    let passed = passed.clone();
    let (sender, receiver) = crate::link(capacity);
    let mut upstream = Graph::new("upstream");
    let source = upstream.add("source", async |io: &mut Source<u64>| {
        for number in 0.. {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    upstream.take_into(source.outbox, sender);
    let mut downstream = Graph::new("downstream");
    let sink = downstream.add("sink", async move |io: &mut Sink<u64>| {
        while io.inbox.next().await.is_some() {
            passed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    downstream.feed_from(receiver, sink.inbox);
    [upstream, downstream]
}

/// The most messages between two turns of a neighbour that gives way each time.
fn largest_gap(scheduler: &Scheduler, passed: &Arc<AtomicU64>) -> u64 {
    let passed = passed.clone();
    let mut graph = Graph::new("neighbour");
    let look = graph.add("look", async move |io: &mut Source<u64>| {
        while passed.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let mut largest = 0;
        for _ in 0..50 {
            let before = passed.load(Ordering::Relaxed);
            tokio::task::yield_now().await;
            largest = largest.max(passed.load(Ordering::Relaxed) - before);
        }
        Ok(io.outbox.send(largest).await?)
    });
    let mut gaps = graph.take(look.outbox);
    let running = scheduler.workers().run(Placement::Any, graph).unwrap();
    let gap = gaps.next_blocking().unwrap();
    running.wait().unwrap();
    gap
}

#[test]
fn an_eager_flow_gives_way_at_any_capacity() {
    for capacity in [1, 16, 65, 1024, 16_384, 1_000_000] {
        let passed = Arc::default();
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(eager(capacity, &passed)).unwrap();
        let gap = largest_gap(&scheduler, &passed);
        assert!(gap <= MOST, "capacity {capacity}: {gap} messages");
    }
}

#[test]
fn an_eager_flow_gives_way_also_at_links_to_others() {
    for capacity in [1, 16, 1024, 16_384, 1_000_000] {
        let passed = Arc::default();
        let scheduler = Scheduler::with_workers(1);
        for graph in eager_across(capacity, &passed) {
            scheduler.run(graph).unwrap();
        }
        let gap = largest_gap(&scheduler, &passed);
        assert!(gap <= MOST, "capacity {capacity}: {gap} messages");
    }
}

#[test]
fn an_eager_flow_inside_of_a_component_gives_way() {
    let passed: Arc<AtomicU64> = Arc::default();
    let inner = passed.clone();
    let mut graph = Graph::new("outer");
    for name in ["one", "other"] {
        let passed = inner.clone();
        graph.add(name, async move |_: &mut NoPorts| {
            Ok(eager(16_384, &passed).start()?.await?)
        });
    }
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let gap = largest_gap(&scheduler, &passed);
    assert!(gap <= MOST, "{gap} messages");
}

#[derive(Ports)]
struct NoPorts {}

#[derive(Ports)]
struct Two {
    left: Outbox<u64>,
    right: Outbox<u64>,
}

/// Whatever comes before them in flow order, all components have their turns, and every message arrives in its order.
#[test]
fn nothing_is_lost_where_flows_give_way() {
    const COUNT: u64 = 50_000;
    let mut graph = Graph::new("diamond");
    let split = graph.add("split", async |io: &mut Two| {
        for number in 0..COUNT {
            io.left.send(number).await?;
            io.right.send(number).await?;
        }
        Ok(())
    });
    let both = graph.add("both", async |io: &mut Pipe<u64, u64>| -> Done {
        while let Some(number) = io.inbox.next().await {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let double = graph.add("double", map(|number: u64| 2 * number + 1));
    let sum = Arc::new(AtomicU64::new(0));
    let add = sum.clone();
    let sink = graph.add("sink", async move |io: &mut Sink<u64>| {
        while let Some(number) = io.inbox.next().await {
            add.fetch_add(number, Ordering::Relaxed);
        }
        Ok(())
    });
    graph.link(split.left, both.inbox).capacity(16_384);
    graph.link(split.right, double.inbox).capacity(1000);
    graph
        .merge([both.outbox, double.outbox], sink.inbox)
        .capacity(5000);
    Scheduler::with_workers(1)
        .run(graph)
        .unwrap()
        .wait()
        .unwrap();
    let expected = (0..COUNT).map(|number| 3 * number + 1).sum::<u64>();
    assert_eq!(sum.load(Ordering::Relaxed), expected);
}
