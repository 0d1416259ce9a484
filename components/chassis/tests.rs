//! Chassis in simulated orders: in any order of execution, no message is lost, doubled or out of
//! order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kamea::{Component, Graph, Pipe, Simulation, Sink, Source, pipeline, random, time};

use super::*;

const SEEDS: std::ops::Range<u64> = 0..40;

async fn dawdle() {
    if random::chance(0.5) {
        time::sleep(random::duration(Duration::from_secs(5))).await;
    }
}

/// Counts from a number on, at random times.
fn count(numbers: std::ops::Range<u32>) -> impl Component<Source<u32>> + Send {
    async move |io: &mut Source<u32>| {
        for number in numbers.clone() {
            dawdle().await;
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

/// Expects exactly these numbers, in this order or in any order.
fn expect(numbers: std::ops::Range<u32>, in_order: bool) -> impl Component<Sink<u32>> + Send {
    async move |io: &mut Sink<u32>| {
        let mut got = Vec::new();
        while let Some(number) = io.inbox.next().await {
            dawdle().await;
            got.push(number);
        }
        if !in_order {
            got.sort_unstable();
        }
        assert!(got.iter().copied().eq(numbers.clone()), "{got:?}");
        Ok(())
    }
}

#[test]
fn a_backplane_gives_everything_to_everybody() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let plane = Backplane::new().capacity(3);
        let mut graph = Graph::new("plane");
        for subscriber in 0..3 {
            let numbers = graph.add(
                &format!("subscribe {subscriber}"),
                subscribe_to(&plane, "n"),
            );
            let all = graph.add(&format!("expect {subscriber}"), expect(0..60, false));
            graph.link(numbers.outbox, all.inbox).capacity(1);
        }
        let plane_here = plane.clone();
        let publish =
            move |from: u32| pipeline!(count(from..from + 20) => publish_to(&plane_here, "n"));
        pipeline!(graph, count(0..3) => kamea::map(|n| 20 * n) => run_each(publish).spread());
        drop(plane);
        simulation.run(graph)
    });
}

#[test]
fn a_slow_subscriber_misses_what_it_is_told_of_and_has_the_rest_in_order() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let plane = Backplane::<u32>::new().capacity(3);
        let mut slow = plane.slow(Slow::DropOldest).subscribe("n");
        let check = async move || {
            let (mut next, mut missed) = (0, 0);
            while let Some(number) = slow.next().await {
                missed += u64::from(number.checked_sub(next).unwrap());
                next = number + 1;
                dawdle().await;
            }
            assert_eq!(
                (next, missed),
                (60, slow.lost()),
                "the last is never missed"
            );
        };
        let graph = pipeline!(count(0..60) => publish_to(&plane, "n"));
        drop(plane);
        simulation.beside("slow", check).run(graph)
    });
}

#[test]
fn each_runs_every_part_once_and_no_more_than_may() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let running = Arc::new(AtomicUsize::new(0));
        let part = move |number: u32| {
            let running = running.clone();
            async move |io: &mut Source<u32>| {
                assert!(
                    running.fetch_add(1, SeqCst) < 3,
                    "no more than three at once"
                );
                dawdle().await;
                io.outbox.send(number).await?;
                dawdle().await;
                running.fetch_sub(1, SeqCst);
                Ok(())
            }
        };
        let parts = each(part).at_most(3);
        let parts = if random::chance(0.5) {
            parts.spread()
        } else {
            parts
        };
        simulation.run(pipeline!(count(0..20) => parts => expect(0..20, false)))
    });
}

#[test]
fn parallel_keeps_the_order_if_it_is_asked_to() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let is_ordered = random::chance(0.5);
        let copies = parallel(1 + random::usize(0..4), |number: u32| number);
        let copies = if is_ordered { copies.ordered() } else { copies };
        simulation.run(pipeline!(count(0..40) => copies => expect(0..40, is_ordered)))
    });
}

/// Passes on a few messages, and ends; or passes on the whole input.
fn some(most: usize) -> impl Component<Pipe<u32, u32>> + Send {
    async move |io: &mut Pipe<u32, u32>| {
        for _ in 0..most {
            let Some(number) = io.inbox.next().await else {
                break;
            };
            dawdle().await;
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

#[test]
fn a_carousel_loses_nothing_between_its_parts() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let mut graph = Graph::new("carousel");
        let sizes = graph.add("sizes", forward_chooser((0..).map(|n| n % 4)));
        let parts = graph.add("parts", carousel(some));
        graph.link(sizes.outbox, parts.next);
        graph.feedback(parts.requests, sizes.inbox);
        let numbers = graph.add("numbers", count(0..40));
        graph.link(numbers.outbox, parts.inbox);
        let all = graph.add("all", expect(0..40, true));
        graph.link(parts.outbox, all.inbox);
        simulation.run(graph)
    });
}

#[test]
fn a_sequence_loses_nothing_between_its_parts() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let parts = sequence(some(random::usize(0..9))).then(some(random::usize(0..9)));
        let parts = parts.then(some(usize::MAX));
        simulation.run(pipeline!(count(0..30) => parts => expect(0..30, true)))
    });
}

#[test]
fn a_graceful_stop_loses_nothing_that_went_in() {
    Simulation::seeds(SEEDS).check(|simulation| {
        let went_in = Arc::new(AtomicUsize::new(0));
        let came_out = Arc::new(AtomicUsize::new(0));
        let (note_in, note_out) = (went_in.clone(), came_out.clone());
        let endless = async move |io: &mut Source<u32>| {
            loop {
                io.outbox.send(1).await?;
                note_in.fetch_add(1, SeqCst);
                dawdle().await;
            }
        };
        let say = |number: u32| {
            async move |io: &mut Source<u32>| {
                dawdle().await;
                Ok(io.outbox.send(number).await?)
            }
        };
        let sink = async move |io: &mut Sink<u32>| {
            while io.inbox.next().await.is_some() {
                note_out.fetch_add(1, SeqCst);
            }
            Ok(())
        };
        let line =
            pipeline!(endless => each(say).at_most(3).spread() => parallel(2, |n: u32| n) => sink);
        let report = simulation.stop_after(Duration::from_secs(60)).run(line);
        // One more if the source was stopped after it had sent a message and before it could count
        // that.
        let (went_in, came_out) = (went_in.load(SeqCst), came_out.load(SeqCst));
        assert!(
            came_out == went_in || came_out == went_in + 1,
            "{went_in} {came_out}"
        );
        report
    });
}
