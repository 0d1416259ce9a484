//! Graphs that are linked to ports of a running graph, and unlinked.

use std::ops::Range;
use std::time::Duration;

use crate::testing::block_on;
use crate::{
    Done, Graph, Inbox, OpenInbox, OpenOutboxes, OutboxHandle, Outboxes, Placement, Ports,
    Receiver, Running, Scheduler, Simulation, Sink, Source, map, random, time, workers,
};

#[derive(Ports)]
struct SplitPorts {
    inbox: Inbox<u32>,
    outboxes: Outboxes<u32>,
}

async fn split(io: &mut SplitPorts) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outboxes.renew();
        for outbox in io.outboxes.iter() {
            let _ = outbox.send(number).await;
        }
    }
    Ok(())
}

fn count(range: Range<u32>) -> impl AsyncFnMut(&mut Source<u32>) -> Done + Send + 'static {
    async move |io: &mut Source<u32>| {
        for number in range.clone() {
            io.outbox.send(number).await?;
            time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// A source and a splitter with an open port, and the copy for the graph itself.
fn splitting(range: Range<u32>) -> (Graph, OpenOutboxes<u32>, Receiver<u32>) {
    let mut graph = Graph::new("main");
    let source = graph.add("source", count(range));
    let mut split = graph.add("split", split);
    graph.link(source.outbox, split.inbox);
    let own = graph.take(split.outboxes.branch());
    let open = graph.open_outboxes(split.outboxes);
    (graph, open, own)
}

/// A graph that passes on what it receives from an open port.
fn listener(open: &OpenOutboxes<u32>) -> (Graph, Receiver<u32>) {
    let mut graph = Graph::new("listener");
    let same = graph.add("same", map(|number: u32| number));
    graph.link_from(open, same.inbox);
    let heard = graph.take(same.outbox);
    (graph, heard)
}

async fn all(mut numbers: Receiver<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some(number) = numbers.next().await {
        all.push(number);
    }
    all
}

/// In every order: a listener that comes and goes hears all from when it comes to when it goes, in
/// their order, and one that stays hears the end.
#[test]
fn a_listener_that_comes_and_goes_hears_everything_meanwhile() {
    for seed in 0..100 {
        let (graph, open, own) = splitting(0..100);
        Simulation::seed(seed)
            .beside("own", async move || {
                assert_eq!(all(own).await, (0..100).collect::<Vec<_>>());
            })
            .beside("guests", async move || {
                let come = async |leaves: bool| {
                    time::sleep(random::duration(Duration::from_millis(80))).await;
                    let (graph, heard) = listener(&open);
                    let running = workers().run(Placement::Any, graph).unwrap();
                    let stay = async {
                        if leaves {
                            time::sleep(random::duration(Duration::from_millis(50))).await;
                            running.stop();
                        }
                        running.finished().await.unwrap();
                    };
                    let (heard, ()) = both(all(heard), stay).await;
                    let last = heard.last().copied();
                    let first = heard.first().copied().unwrap_or_default();
                    assert_eq!(
                        heard,
                        (first..first + heard.len() as u32).collect::<Vec<_>>()
                    );
                    if !leaves && let Some(last) = last {
                        assert_eq!(last, 99, "it hears the end");
                    }
                };
                come(true).await;
                come(false).await;
                come(true).await;
            })
            .run(graph)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Runs two futures to their ends.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none()
            && let std::task::Poll::Ready(output) = a.as_mut().poll(cx)
        {
            first = Some(output);
        }
        if second.is_none()
            && let std::task::Poll::Ready(output) = b.as_mut().poll(cx)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => std::task::Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                std::task::Poll::Pending
            }
        }
    })
    .await
}

fn feeding(open: &OpenInbox<u32>, range: Range<u32>) -> Graph {
    let mut graph = Graph::new("feeder");
    let source = graph.add("source", count(range));
    graph.link_to(source.outbox, open);
    graph
}

/// A graph whose inbox is open for others until a gate closes.
fn merging() -> (Graph, OpenInbox<u32>, crate::Sender<u32>, Receiver<u32>) {
    let mut graph = Graph::new("main");
    let same = |graph: &mut Graph, name: &str| graph.add(name, map(|number: u32| number));
    let (gate, merge) = (same(&mut graph, "gate"), same(&mut graph, "merge"));
    let held_open = graph.feed(gate.inbox);
    let outboxes: [OutboxHandle<u32>; 1] = [gate.outbox];
    let open = graph.open_inbox(outboxes, merge.inbox);
    let merged = graph.take(merge.outbox);
    (graph, open, held_open, merged)
}

#[test]
fn feeders_come_and_go_and_nothing_is_lost() {
    for seed in 0..100 {
        let (graph, open, gate, merged) = merging();
        Simulation::seed(seed)
            .beside("feeders", async move || {
                let first = workers()
                    .run(Placement::Any, feeding(&open, 0..30))
                    .unwrap();
                time::sleep(random::duration(Duration::from_millis(20))).await;
                let second = workers()
                    .run(Placement::Any, feeding(&open, 30..60))
                    .unwrap();
                gate.send(1000).await.unwrap();
                first.finished().await.unwrap();
                drop(gate);
                second.finished().await.unwrap();
            })
            .beside("reader", async move || {
                let mut merged = all(merged).await;
                merged.sort_unstable();
                assert_eq!(merged, (0..60).chain([1000]).collect::<Vec<_>>());
            })
            .run(graph)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn an_inbox_that_is_gone_ends_those_that_want_to_feed_it() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, open, gate, merged) = merging();
    let running = scheduler.run(graph).unwrap();
    drop((gate, merged));
    running.wait().unwrap();
    scheduler
        .run(feeding(&open, 0..10))
        .unwrap()
        .wait()
        .unwrap();
}

#[test]
fn a_component_that_is_gone_sends_the_end_to_whoever_comes() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, open, own) = splitting(0..3);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(block_on(all(own)), [0, 1, 2]);
    running.wait().unwrap();
    let (graph, heard) = listener(&open);
    scheduler.run(graph).unwrap().wait().unwrap();
    assert_eq!(block_on(all(heard)), [0; 0]);
}

/// A graph that is never run, or that cannot be run, does not delay the running one.
#[test]
fn a_listener_that_never_runs_holds_up_nothing() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, open, own) = splitting(0..200);
    let running = scheduler.run(graph).unwrap();
    let (idle, _heard) = listener(&open);
    let (mut wrong, _heard) = listener(&open);
    let _ = wrong.add("unlinked", async |_: &mut Sink<u32>| Ok(()));
    scheduler.run(wrong).unwrap_err();
    assert_eq!(block_on(all(own)).len(), 200);
    running.wait().unwrap();
    drop(idle);
}

/// Everything is stopped at once: what was sent to the listener arrives.
#[test]
fn when_all_is_stopped_listeners_drain_behind_the_graph_that_feeds_them() {
    for seed in 0..50 {
        let (graph, open, own) = splitting(0..u32::MAX);
        let (told, hear) = (crate::link(1 << 16), crate::link(1 << 16));
        let (tell_own, tell_heard) = (told.0, hear.0);
        Simulation::seed(seed)
            .stop_after(Duration::from_millis(40))
            .beside("own", async move || {
                for number in all(own).await {
                    tell_own.try_send(number).unwrap();
                }
            })
            .beside("guest", async move || {
                let (graph, heard) = listener(&open);
                let running = workers().run(Placement::Any, graph).unwrap();
                for number in all(heard).await {
                    tell_heard.try_send(number).unwrap();
                }
                running.finished().await.unwrap();
            })
            .run(graph)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let (own, heard) = (block_on(all(told.1)), block_on(all(hear.1)));
        assert!(!heard.is_empty(), "seed {seed}");
        assert_eq!(
            own.last(),
            heard.last(),
            "seed {seed}: both hear the last number"
        );
    }
}

#[test]
fn the_census_shows_both_ends_of_an_added_link() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, open, mut own) = splitting(0..u32::MAX);
    let running = scheduler.run(graph).unwrap();
    let (graph, mut heard) = listener(&open);
    let listening: Running = scheduler.run(graph).unwrap();
    block_on(async { while heard.next().await < Some(20) && own.next().await < Some(40) {} });
    let census = scheduler.census();
    let graph = |name: &str| {
        census
            .graphs
            .iter()
            .find(|graph| &*graph.name == name)
            .unwrap()
    };
    let link = &graph("listener").links[0];
    assert_eq!(link.from_label(), "main: split.outboxes");
    assert!(link.messages >= 20, "{link:?}");
    let added = &graph("main").links[2];
    assert_eq!(added.to_label(), "(added graphs)");
    assert!(
        added.messages >= 20 && added.from[0].messages >= 20,
        "{added:?}"
    );
    listening.stop();
    listening.wait().unwrap();
    running.stop();
    drop((own, heard));
    running.wait().unwrap();
}
