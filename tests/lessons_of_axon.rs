//! Faults of Axon, Kamaelia's kernel, that cannot happen here: a test for each one that no test of
//! a single part covers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kamea::{
    Composite, Done, Graph, GraphError, Pipe, PipeHandles, Running, Scheduler, Sink, Source,
    TrySendError,
};

async fn copy(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

async fn count(io: &mut Source<u32>) -> Done {
    for number in 0..1000 {
        io.outbox.send(number).await?;
    }
    Ok(())
}

/// Two stages as one component.
fn copy_twice() -> Composite<Pipe<u32, u32>> {
    let mut graph = Graph::new("twice");
    let (first, second) = (graph.add("first", copy), graph.add("second", copy));
    graph.link(first.outbox, second.inbox).capacity(1);
    graph.expose(PipeHandles {
        inbox: first.inbox,
        outbox: second.outbox,
    })
}

/// The graph ends by itself, and without a fault.
fn assert_ends(running: &Running) {
    let outcome = running.wait_until(Instant::now() + Duration::from_secs(60));
    outcome.expect("the graph ends").unwrap();
}

/// In Axon a component with an unlinked outbox continued, and its messages were lost.
#[test]
fn an_outbox_left_unlinked_inside_of_a_part_is_named() {
    let mut graph = Graph::new("outer");
    let twice = graph.add("twice", copy_twice());
    let source = graph.add("source", count);
    graph.link(source.outbox, twice.inbox);
    drop(twice.outbox);
    let Err(error) = Scheduler::with_workers(1).run(graph) else {
        panic!("a graph that lacks a link does not run");
    };
    assert!(matches!(error, GraphError::Unlinked { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("twice/second") && text.contains("outbox"),
        "{text}"
    );
}

/// In Axon the limit of a box was lost if the link continued into a pipeline: it applied only to
/// the outer box.
#[test]
fn a_bound_holds_through_a_part_made_of_parts() {
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = sent.clone();
    let mut graph = Graph::new("bounded");
    let source = graph.add("source", async move |io: &mut Source<u32>| {
        loop {
            match io.outbox.try_send(0) {
                Ok(()) => sending.fetch_add(1, Ordering::Relaxed),
                Err(TrySendError::Full(_)) => return Ok(io.outbox.send(1).await?),
                Err(TrySendError::Closed(_)) => return Ok(()),
            };
        }
    });
    let outer = graph.add("outer", copy_twice());
    graph.link(source.outbox, outer.inbox).capacity(3);
    let copies = graph.take(outer.outbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(copies.into_iter().last(), Some(1));
    // Nobody else runs until the source waits, so the messages sent at once are what the link
    // holds.
    assert_eq!(sent.load(Ordering::Relaxed), 3);
    assert_ends(&running);
}

/// In Axon each component had its own loop that looked for shutdown messages; a component that
/// forgot it ran for ever, and kept the processor busy.
#[test]
fn components_without_a_word_about_shutdown_end_from_either_end() {
    let scheduler = Scheduler::with_workers(1);
    let line = |graph: &mut Graph| {
        let (source, twice) = (graph.add("source", count), graph.add("twice", copy_twice()));
        graph.link(source.outbox, twice.inbox);
        twice.outbox
    };

    let mut graph = Graph::new("upstream ends");
    let outbox = line(&mut graph);
    let received = graph.take(outbox);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(received.into_iter().count(), 1000);
    assert_ends(&running);

    let mut graph = Graph::new("downstream ends");
    let outbox = line(&mut graph);
    let mut received = graph.take(outbox);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(received.next_blocking(), Some(0));
    drop(received);
    assert_ends(&running);
}

/// In Axon a service was looked up by name in a registry of the whole program, which failed if its
/// component had not been started yet.
#[test]
fn the_order_in_which_parts_are_added_and_started_does_not_matter() {
    let scheduler = Scheduler::with_workers(2);
    let mut consumer = Graph::new("consumer");
    let copy_second = consumer.add("second", copy);
    let copy_first = consumer.add("first", copy);
    consumer.link(copy_first.outbox, copy_second.inbox);
    let (numbers, copies) = (
        consumer.feed(copy_first.inbox),
        consumer.take(copy_second.outbox),
    );
    let consuming = scheduler.run(consumer).unwrap();

    let mut producer = Graph::new("producer");
    let deliver = producer.add("deliver", async move |io: &mut Sink<u32>| {
        while let Some(number) = io.inbox.next().await {
            numbers.send(number).await?;
        }
        Ok(())
    });
    let source = producer.add("source", count);
    producer.link(source.outbox, deliver.inbox);
    let producing = scheduler.run(producer).unwrap();

    assert!(copies.into_iter().eq(0..1000));
    assert_ends(&producing);
    assert_ends(&consuming);
}

/// In Axon a component that waited without pausing was polled in each round: one idle connection
/// took most of a core.
#[test]
fn who_waits_is_not_asked_again() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let mut graph = Graph::new("idle");
    let idle = graph.add("idle", async move |io: &mut Sink<u32>| {
        let mut next = pin!(io.inbox.next());
        poll_fn(|cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            next.as_mut().poll(cx)
        })
        .await;
        Ok(())
    });
    let silent = graph.feed(idle.inbox);
    let (source, busy) = (graph.add("source", count), graph.add("busy", copy));
    graph.link(source.outbox, busy.inbox).capacity(1);
    let copies = graph.take(busy.outbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(copies.into_iter().count(), 1000);
    assert_eq!(polls.load(Ordering::Relaxed), 1, "when it begins to wait");
    drop(silent);
    assert_ends(&running);
    assert_eq!(polls.load(Ordering::Relaxed), 2, "and when there is an end");
}
