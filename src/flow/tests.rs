//! A flow that always has work leaves the other flows of its worker their share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Done, Graph, Outbox, Pipe, Placement, Ports, Scheduler, Sink, Source, WorkerOptions, map,
};

/// How many messages an eager flow may pass on before its neighbour has its turn: more than fit
/// into 200 microseconds.
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

/// The most messages between two turns of a neighbour that yields each time.
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

/// With any components before them in flow order, all components have their turns, and all messages
/// arrive in order.
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

/// A graph in a component of a graph, and so on.
fn nested(depth: usize) -> Graph {
    let mut graph = Graph::new("nested");
    graph.add("inside", async move |_: &mut NoPorts| {
        if depth > 0 {
            nested(depth - 1).start()?.await?;
        }
        Ok(())
    });
    graph
}

#[test]
fn flows_that_are_too_deep_for_the_stack_fail_and_say_what_to_do() {
    let small = WorkerOptions::new().count(1).stack_size(1 << 20);
    let scheduler = Scheduler::with_options(&small);
    let error = scheduler.run(nested(100_000)).unwrap().wait().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1048576 bytes"), "{text}");
    assert!(text.contains("`WorkerOptions::stack_size`"), "{text}");
    // It leaves nothing behind that would harm later work.
    scheduler.run(nested(5)).unwrap().wait().unwrap();
}

#[test]
fn flows_inside_of_flows_three_thousand_deep_run_with_a_stack_for_them() {
    // In a debug build; the stack of a worker is enough for a thousand.
    let usual = Scheduler::with_workers(1);
    usual.run(nested(1000)).unwrap().wait().unwrap();
    let large = WorkerOptions::new().count(1).stack_size(256 << 20);
    let scheduler = Scheduler::with_options(&large);
    scheduler.run(nested(3000)).unwrap().wait().unwrap();
}

/// A large message, by value.
#[derive(Clone)]
struct LargeOf<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> std::fmt::Debug for LargeOf<SIZE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Large")
    }
}

#[test]
fn the_largest_messages_by_value_travel_within_flows_and_between_threads() {
    type Large = LargeOf<{ 64 << 10 }>;
    let mut graph = Graph::new("large");
    let source = graph.add("source", async |io: &mut Source<Large>| {
        for number in 0..20 {
            io.outbox.send(LargeOf([number; 64 << 10])).await?;
        }
        Ok(())
    });
    let copy = graph.add("copy", async |io: &mut Pipe<Large, Large>| {
        while let Some(large) = io.inbox.next().await {
            io.outbox.send(large).await?;
        }
        Ok(())
    });
    let map = graph.add("map", map(|large: Large| large));
    graph.link(source.outbox, copy.inbox);
    graph.link(copy.outbox, map.inbox).capacity(2);
    let (sender, receiver) = crate::link(2);
    graph.take_into(map.outbox, sender);
    let mut other = Graph::new("other");
    let check = other.add("check", async |io: &mut Sink<Large>| {
        for number in 0..20 {
            let large = io.inbox.next().await;
            assert!(large.is_some_and(|large| large.0.iter().all(|&byte| byte == number)));
        }
        assert!(io.inbox.next().await.is_none());
        Ok(())
    });
    other.feed_from(receiver, check.inbox);
    let scheduler = Scheduler::with_workers(2);
    let running = [graph, other].map(|graph| scheduler.run(graph).unwrap());
    for running in running {
        running.wait().unwrap();
    }
}

#[test]
fn a_message_that_is_too_large_to_be_moved_about_is_refused_before_anything_runs() {
    let mut graph = Graph::new("huge");
    let source = graph.add("source", async |io: &mut Source<LargeOf<{ 256 << 10 }>>| {
        Ok(io.outbox.send(LargeOf([0; 256 << 10])).await?)
    });
    let _messages = graph.take(source.outbox);
    let text = graph.start().unwrap_err().to_string();
    assert!(
        text.contains(
            "takes 262144 bytes by value, and at most 65536 may be sent: put it into a `Box`"
        ),
        "{text}"
    );
}
