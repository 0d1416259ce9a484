//! The guarantees of the kernel for links, timers and flows, in one graph.
//!
//! ```text
//!   source 0 ─┐
//!   source 1 ─┼─▶ relay ──▶ sink       watcher ──▶ (outside)
//!   source 2 ─┘
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_lite::future::{or, yield_now};
use kamea::time::{Timer, now, sleep};
use kamea::{
    Component, Done, Flows, Graph, Inbox, Outbox, Pipe, Ports, Simulation, Sink, Source, random,
};

/// How many messages each source sends.
const EACH: u64 = 8;

#[derive(Ports)]
struct NoPorts {}

/// Sends messages with the times at which they were to be sent, visible to all sources; some sends
/// are cancelled. Adds the others to `sent`.
fn count(order: Arc<AtomicU64>, sent: Arc<AtomicU64>) -> impl Component<Source<u64>> + Send {
    async move |io: &mut Source<u64>| {
        for _ in 0..EACH {
            rest().await;
            let patience = match random::chance(0.2) {
                true => random::usize(..4),
                false => usize::MAX,
            };
            let send = async {
                io.outbox
                    .send(order.fetch_add(1, Ordering::Relaxed))
                    .await?;
                sent.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            let give_up = async {
                for _ in 0..patience {
                    yield_now().await;
                }
                Done::Ok(())
            };
            if patience == usize::MAX {
                send.await?;
            } else {
                or(give_up, send).await?;
            }
        }
        rest().await;
        Ok(())
    }
}

/// Does nothing for a while, or not even that.
async fn rest() {
    if random::chance(0.2) {
        sleep(random::duration(Duration::from_millis(2))).await;
    }
}

/// The ports of a relay.
#[derive(Ports)]
struct RelayPorts {
    numbers: Inbox<u64>,
    passed: Outbox<u64>,
}

/// Passes on its input in the order in which it was sent, at most `capacity` messages at once.
fn relay(capacity: usize) -> impl Component<RelayPorts> + Send {
    async move |io: &mut RelayPorts| {
        let mut last = None;
        loop {
            let count = io.numbers.len();
            assert!(count <= capacity, "{count} messages wait");
            let Some(number) = io.numbers.next().await else {
                break;
            };
            assert!(
                last < Some(number),
                "{number} comes after {last:?}: who waits longest sends first"
            );
            last = Some(number);
            if random::chance(0.2) {
                put_off().await;
            }
            io.passed.send(number).await?;
        }
        rest().await;
        Ok(())
    }
}

/// Waits for a deadline that is moved.
async fn put_off() {
    let mut timer = Timer::new();
    timer.set(now() + random::duration(Duration::from_millis(5)));
    or(timer.expired(), sleep(Duration::from_micros(1))).await;
    let deadline = now() + random::duration(Duration::from_millis(10));
    timer.set(deadline);
    timer.expired().await;
    assert!(now() >= deadline, "it went off too early");
}

/// Runs a graph for each message, and waits for all of them.
fn run_each(sent: Arc<AtomicU64>) -> impl Component<Sink<u64>> + Send {
    async move |io: &mut Sink<u64>| {
        let flows = Flows::new();
        let mut count = 0;
        while io.inbox.next().await.is_some() {
            count += 1;
            flows.spawn(rest_in_a_line().start()?);
        }
        flows.finished().await;
        assert_eq!(
            count,
            sent.load(Ordering::Relaxed),
            "what was sent has come"
        );
        Ok(())
    }
}

/// A graph whose end travels through a line.
fn rest_in_a_line() -> Graph {
    let mut inner = Graph::new("inner");
    let first = inner.add("first", async |io: &mut Source<u64>| {
        Ok(io.outbox.send(1).await?)
    });
    let second = inner.add("second", async |io: &mut Pipe<u64, u64>| {
        while let Some(number) = io.inbox.next().await {
            rest().await;
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let third = inner.add("third", async |io: &mut Sink<u64>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    inner.link(first.outbox, second.inbox);
    inner.link(second.outbox, third.inbox);
    inner
}

pub(crate) fn relay_and_check(simulation: Simulation) -> Result<(), Box<dyn Error>> {
    let capacity = 1 + random::usize(..3);
    let mut graph = Graph::new("relaying");
    let (order, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sources = (0..3).map(|index| {
        graph
            .add(
                &format!("source {index}"),
                count(order.clone(), sent.clone()),
            )
            .outbox
    });
    let sources: Vec<_> = sources.collect();
    let relay = graph.add("relay", relay(capacity));
    let sink = graph.add("sink", run_each(sent));
    graph.merge(sources, relay.numbers).capacity(capacity);
    graph.link(relay.passed, sink.inbox).capacity(1);
    let watcher = graph.add("watcher", async |io: &mut Source<u64>| {
        io.outbox.closed().await;
        Ok(())
    });
    let unwatched = graph.take(watcher.outbox);
    graph.add("idler", async |_: &mut NoPorts| {
        sleep(random::duration(Duration::from_secs(1))).await;
        Ok(())
    });
    let simulation = simulation.beside("outside", async move || {
        sleep(random::duration(Duration::from_millis(3))).await;
        drop(unwatched);
    });
    simulation.run(graph)?;
    Ok(())
}

#[test]
fn links_timers_and_flows_keep_their_promises() {
    Simulation::seeds(0..1_000).check(relay_and_check);
}
