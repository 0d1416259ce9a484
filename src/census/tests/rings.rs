//! Components that wait for each other for ever, and those that only seem to.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::{Outboxes, Simulation, SimulationError, filter, map, time};

#[derive(Ports)]
struct SplitPorts {
    inbox: Inbox<u32>,
    outboxes: Outboxes<u32>,
}

async fn split(io: &mut SplitPorts) -> Done {
    while let Some(number) = io.inbox.next().await {
        for outbox in io.outboxes.iter() {
            outbox.send(number).await?;
        }
    }
    Ok(())
}

#[derive(Ports)]
struct ZipPorts {
    left: Inbox<u32>,
    right: Inbox<u32>,
    pairs: Outbox<u32>,
}

async fn zip(io: &mut ZipPorts) -> Done {
    while let Some(left) = io.left.next().await
        && io.right.next().await.is_some()
    {
        io.pairs.send(left).await?;
    }
    Ok(())
}

fn zip_blocking(io: &mut ZipPorts) -> Done {
    while let Some(left) = io.left.next_blocking()
        && io.right.next_blocking().is_some()
    {
        io.pairs.send_blocking(left)?;
    }
    Ok(())
}

/// Waits for the right side, but not for ever.
async fn zip_or_give_up(io: &mut ZipPorts) -> Done {
    while let Some(left) = io.left.next().await {
        let mut right = std::pin::pin!(io.right.next());
        let mut timer = std::pin::pin!(time::sleep(Duration::from_secs(60)));
        std::future::poll_fn(|cx| match right.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(cx),
        })
        .await;
        io.pairs.send(left).await?;
    }
    Ok(())
}

/// Takes a pair in half a minute.
async fn zip_slowly(io: &mut ZipPorts) -> Done {
    while let Some(left) = io.left.next().await
        && io.right.next().await.is_some()
    {
        time::sleep(Duration::from_secs(30)).await;
        io.pairs.send(left).await?;
    }
    Ok(())
}

/// The component on the way to the right side.
#[derive(Debug, Clone, Copy)]
enum Sieve {
    Component,
    Function,
}

/// A source, a splitter, and a zip, whose right side gets only every `nth` number. The left side
/// holds `capacity` of them.
fn diamond<P: crate::Part<ZipPorts, Kind>, Kind>(
    zip: P,
    sieve: Sieve,
    nth: u32,
    capacity: usize,
) -> (Graph, crate::Receiver<u32>) {
    let mut graph = Graph::new("diamond");
    let source = graph.add("source", count_to(200));
    let mut split = graph.add("splitter", split);
    let sieve = match sieve {
        Sieve::Component => graph.add("sieve", async move |io: &mut Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next().await {
                if number.is_multiple_of(nth) {
                    io.outbox.send(number).await?;
                }
            }
            Ok(())
        }),
        Sieve::Function => graph.add("sieve", filter(move |n: &u32| n.is_multiple_of(nth))),
    };
    let zip = graph.add("zip", zip);
    graph.link(source.outbox, split.inbox);
    graph
        .link(split.outboxes.branch(), zip.left)
        .capacity(capacity);
    graph.link(split.outboxes.branch(), sieve.inbox);
    graph.link(sieve.outbox, zip.right);
    let pairs = graph.take(zip.pairs);
    (graph, pairs)
}

fn simulate(
    seed: u64,
    (graph, mut pairs): (Graph, crate::Receiver<u32>),
) -> Result<crate::Report, SimulationError> {
    Simulation::seed(seed)
        .beside(
            "listener",
            async move || {
                while pairs.next().await.is_some() {}
            },
        )
        .run(graph)
}

fn found(scheduler: &Scheduler, name: &str) -> crate::RingCensus {
    let has_ring = |census: &Census| {
        let mut graphs = census.graphs.iter();
        graphs.any(|graph| &*graph.name == name && !graph.rings.is_empty())
    };
    let census = census_when(scheduler, has_ring);
    graph(&census, name).rings[0].clone()
}

#[test]
fn a_diamond_of_which_one_branch_drops_more_than_a_link_holds_is_found() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, _pairs) = diamond(zip, Sieve::Function, 10, 4);
    let _running = scheduler.run(graph).unwrap();
    let ring = found(&scheduler, "diamond");
    assert_eq!(ring.components, ["splitter".into(), "zip".into()]);
    assert_eq!(ring.count, 1);
    let census = scheduler.census();
    let full = &self::graph(&census, "diamond").links[ring.full[0]];
    assert_eq!((full.queued, full.capacity), (4, 4));
    assert_eq!(
        ring.text,
        "components wait for each other for ever: `splitter` waits for space at `outboxes[0]`, \
         because the link to `zip.left` is full (capacity 4); `zip` waits for a message at \
         `zip.right`, from `splitter`. Give a full link a larger capacity, or take from both sides \
         in turns"
    );
    let json: serde_json::Value = serde_json::from_str(&census.to_json()).unwrap();
    assert_eq!(json["graphs"][0]["rings"][0]["components"][1], "zip");
}

#[test]
fn a_ring_with_a_thread_in_it_is_found() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, _pairs) = diamond(blocking(zip_blocking), Sieve::Component, 100, 4);
    let _running = scheduler.run(graph).unwrap();
    let ring = found(&scheduler, "diamond");
    let names: Vec<_> = ring.components.iter().map(|name| &**name).collect();
    assert_eq!(names, ["splitter", "zip", "sieve"]);
}

/// A thread that waits for space has been woken, because the other one has taken everything; but it
/// does not run yet, as on a machine with much to do.
#[test]
fn a_thread_that_has_been_woken_and_does_not_run_yet_is_in_no_ring() {
    let scheduler = Scheduler::with_workers(1);
    let (waits, has_waited) = std::sync::mpsc::channel();
    let (run, may_run) = std::sync::mpsc::channel::<()>();
    let mut threads = Graph::new("threads");
    let send = threads.add(
        "send",
        blocking(move |io: &mut Source<u32>| {
            io.outbox.send_blocking(0)?;
            let mut next = pin!(io.outbox.send(1));
            let mut context = Context::from_waker(Waker::noop());
            assert!(next.as_mut().poll(&mut context).is_pending());
            waits.send(())?;
            let _ = may_run.recv();
            Ok(())
        }),
    );
    let take = threads.add(
        "take",
        blocking(move |io: &mut Sink<u32>| {
            has_waited.recv()?;
            while io.inbox.next_blocking().is_some() {}
            Ok(())
        }),
    );
    threads.link(send.outbox, take.inbox).capacity(1);
    let running = scheduler.run(threads).unwrap();
    // A ring that is found shows that the worker has looked.
    let (real, _pairs) = diamond(zip, Sieve::Component, 100, 4);
    let _real = scheduler.run(real).unwrap();
    found(&scheduler, "diamond");
    let census = scheduler.census();
    assert!(graph(&census, "threads").rings.is_empty(), "{census:?}");
    run.send(()).unwrap();
    running.wait().unwrap();
}

#[test]
fn instances_with_the_same_ring_are_counted_wherever_they_run() {
    let scheduler = Scheduler::with_workers(2);
    let running: Vec<_> = (0..6)
        .map(|_| {
            let (graph, pairs) = diamond(zip, Sieve::Component, 100, 4);
            (scheduler.run(graph).unwrap(), pairs)
        })
        .collect();
    let all = |census: &Census| {
        let rings = census.graphs.iter().flat_map(|graph| &graph.rings);
        rings.map(|ring| ring.count).sum::<u64>() == 6
    };
    let census = census_when(&scheduler, all);
    assert_eq!(graph(&census, "diamond").rings.len(), 1);
    drop(running);
}

#[test]
fn a_component_that_feeds_itself_more_than_it_takes_is_a_ring_of_one() {
    #[derive(Ports)]
    struct Twice {
        jobs: Inbox<u32>,
        again: Outbox<u32>,
        done: Outbox<u32>,
    }
    let mut graph = Graph::new("twice");
    let source = graph.add("source", count_to(1));
    let twice = graph.add("twice", async |io: &mut Twice| {
        while let Some(job) = io.jobs.next().await {
            io.again.send(job).await?;
            io.again.send(job).await?;
        }
        Ok(io.done.send(0).await?)
    });
    graph
        .link(source.outbox, twice.jobs)
        .feedback(twice.again)
        .capacity(2);
    let done = graph.take(twice.done);
    let Err(SimulationError::Stalled { rings, .. }) = simulate(1, (graph, done)) else {
        panic!("it cannot end");
    };
    assert_eq!(rings.len(), 1);
    assert!(
        rings[0].contains("`twice` waits for space at `again`"),
        "{rings:?}"
    );
}

/// In every order, a simulation that stalls names a ring, and one that ends has none.
#[test]
fn a_simulation_that_stalls_because_of_a_ring_names_it_and_no_other_does() {
    for seed in 0..150 {
        for sieve in [Sieve::Component, Sieve::Function] {
            let (nth, capacity) = (1 + seed as u32 % 25, 1 + seed as usize % 7);
            let outcome = simulate(seed, diamond(zip, sieve, nth, capacity));
            match outcome {
                Ok(report) => assert_eq!(report.rings(), [""; 0], "seed {seed}"),
                Err(SimulationError::Stalled { rings, waiting }) => {
                    assert_eq!(rings.len(), 1, "seed {seed}: {waiting:?}");
                    assert!(rings[0].contains("`splitter` waits for space"), "{rings:?}");
                    assert!(rings[0].contains("`zip` waits for a message"), "{rings:?}");
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
    // Both happen.
    assert!(simulate(0, diamond(zip, Sieve::Component, 1, 1)).is_ok());
    assert!(simulate(0, diamond(zip, Sieve::Component, 50, 1)).is_err());
}

/// A component that also waits for a timer, or only for a timer, frees itself.
#[test]
fn a_component_that_waits_for_a_timer_too_is_in_no_ring() {
    for seed in 0..40 {
        for sieve in [Sieve::Component, Sieve::Function] {
            let report = simulate(seed, diamond(zip_or_give_up, sieve, 50, 2)).unwrap();
            assert_eq!(report.rings(), [""; 0], "seed {seed}");
            let report = simulate(seed, diamond(zip_slowly, sieve, 1, 2));
            let rings = report.map(|report| report.rings().len());
            assert_eq!(rings.unwrap(), 0, "seed {seed}");
        }
    }
}

/// What a component waits for while its inbox is full.
async fn wait_for(what: usize) {
    match what {
        0 => time::sleep(Duration::from_secs(30)).await,
        1 => crate::unblock(|| ()).await,
        2 => crate::compute(|| ()).await,
        _ => {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            crate::unblock(move || sender.send(()).is_ok()).await;
            let _ = receiver.await;
        }
    }
}

#[test]
fn a_jam_behind_a_slow_component_is_no_ring() {
    for seed in 0..20 {
        for what in 0..4 {
            let mut graph = Graph::new("slow");
            let source = graph.add("source", count_to(30));
            let double = graph.add("double", map(|n: u32| 2 * n));
            let pass = graph.add("pass", pass);
            let slow = graph.add("slow", async move |io: &mut Sink<u32>| {
                while io.inbox.next().await.is_some() {
                    wait_for(what).await;
                }
                Ok(())
            });
            graph.link(source.outbox, double.inbox).capacity(2);
            graph.link(double.outbox, pass.inbox).capacity(2);
            graph.link(pass.outbox, slow.inbox).capacity(2);
            let report = Simulation::seed(seed).run(graph).unwrap();
            assert_eq!(report.rings(), [""; 0], "seed {seed}, {what}");
        }
    }
}

/// Only code outside of the graph could end this jam. The kernel cannot know that it does not.
#[test]
fn a_jam_that_only_code_outside_can_end_is_no_ring() {
    let (graph, _untaken) = diamond(zip, Sieve::Component, 1, 2);
    let Err(SimulationError::Stalled { rings, .. }) = Simulation::seed(1).run(graph) else {
        panic!("nobody takes the pairs");
    };
    assert_eq!(rings, [""; 0]);
}
