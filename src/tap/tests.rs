//! Taps of running graphs.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::*;
use crate::{
    Done, End, Fault, Flows, Graph, Pipe, Policy, Ports, Scheduler, Sink, Source, Template,
    blocking,
};

const ALL: TapOptions = TapOptions {
    per_second: 1000,
    length: 100,
};

#[derive(Ports)]
struct NoPorts {}

async fn pass(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

/// Waits, without blocking its worker, until a condition holds.
fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never is so");
        std::thread::yield_now();
    }
}

/// Waits until every worker has handled its earlier jobs.
fn settle(scheduler: &Scheduler) {
    let census = scheduler.census_within(Duration::from_secs(20));
    assert!(census.workers.iter().all(|worker| worker.answers));
}

fn texts(tap: &mut Tap, count: usize) -> Vec<String> {
    let samples = std::iter::from_fn(|| tap.next_blocking()).take(count);
    samples.map(|sample| sample.text).collect()
}

#[test]
fn a_tap_shows_what_travels_in_each_kind_of_link_and_ends_with_the_scheduler() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("line");
    let (first, last) = (graph.add("first", pass), graph.add("last", pass));
    let thread = graph.add(
        "thread",
        blocking(|io: &mut Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next_blocking() {
                io.outbox.send_blocking(number)?;
            }
            Ok(())
        }),
    );
    graph.link(first.outbox, thread.inbox);
    graph.link(thread.outbox, last.inbox);
    let (numbers, passed) = (graph.feed(first.inbox), graph.take(last.outbox));
    scheduler.run(graph).unwrap();
    let ends = [
        ("(outside)", "first.inbox"),
        ("first.outbox", "thread.inbox"),
        ("thread.outbox", "last.inbox"),
        ("last.outbox", "(outside)"),
    ];
    let workers = scheduler.workers();
    let mut taps = ends.map(|(from, to)| workers.tap("line", from, to, ALL));
    let nowhere = [
        workers.tap("another", "first.outbox", "thread.inbox", ALL),
        workers.tap("line", "first.outbox", "last.inbox", ALL),
    ];
    settle(&scheduler);
    (1..=3).for_each(|number| numbers.send_blocking(number).unwrap());
    for tap in &mut taps {
        assert_eq!(texts(tap, 3), ["1", "2", "3"]);
        assert_eq!(tap.seen(), 3);
    }
    assert_eq!(passed.into_iter().take(3).collect::<Vec<_>>(), [1, 2, 3]);
    drop((numbers, scheduler));
    for mut tap in taps.into_iter().chain(nowhere) {
        assert_eq!(tap.next_blocking(), None);
    }
}

#[test]
fn of_a_link_that_graphs_share_each_message_of_theirs_is_shown_once() {
    let scheduler = Scheduler::with_workers(1);
    let (sender, mut receiver) = crate::link(1);
    let feeds = [(); 3].map(|()| {
        let mut graph = Graph::new("sharing");
        let pass = graph.add("pass", pass);
        graph.take_into(pass.outbox, sender.clone());
        let numbers = graph.feed(pass.inbox);
        scheduler.run(graph).unwrap();
        numbers
    });
    let mut tap = scheduler
        .workers()
        .tap("sharing", "pass.outbox", "(outside)", ALL);
    settle(&scheduler);
    for (number, numbers) in (0..).zip(&feeds) {
        numbers.send_blocking(number).unwrap();
        assert_eq!(receiver.next_blocking(), Some(number));
    }
    sender.send_blocking(9).unwrap();
    assert_eq!(receiver.next_blocking(), Some(9), "it is of no graph");
    assert_eq!(texts(&mut tap, 3), ["0", "1", "2"]);
    assert_eq!(tap.seen(), 3);
}

#[test]
fn of_a_merged_inbox_only_the_tapped_outbox_is_shown() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("merged");
    let (a, b, both) = (
        graph.add("a", pass),
        graph.add("b", pass),
        graph.add("both", pass),
    );
    graph.merge([a.outbox, b.outbox], both.inbox);
    let (to_a, to_b) = (graph.feed(a.inbox), graph.feed(b.inbox));
    let mut taken = graph.take(both.outbox);
    scheduler.run(graph).unwrap();
    let mut tap = scheduler
        .workers()
        .tap("merged", "b.outbox", "both.inbox", ALL);
    settle(&scheduler);
    for number in 0..4 {
        let end = if number % 2 == 0 { &to_a } else { &to_b };
        end.send_blocking(number).unwrap();
        assert_eq!(taken.next_blocking(), Some(number));
    }
    assert_eq!(texts(&mut tap, 2), ["1", "3"]);
    assert_eq!(tap.seen(), 2);
}

#[test]
fn the_faults_of_a_graph_can_be_tapped() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("faulty");
    let fail = graph.add("fail", async |io: &mut Sink<u32>| {
        io.inbox.next().await;
        Err(End::fault("out of luck"))
    });
    let report = graph.add("report", async |io: &mut Sink<Fault>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(graph.faults(), report.inbox);
    graph.supervise(|_| Policy::CarryOn);
    let numbers = graph.feed(fail.inbox);
    scheduler.run(graph).unwrap();
    let mut tap = scheduler
        .workers()
        .tap("faulty", "(faults)", "report.inbox", ALL);
    settle(&scheduler);
    numbers.send_blocking(1).unwrap();
    let text = texts(&mut tap, 1).remove(0);
    assert!(text.contains("out of luck"), "{text}");
}

/// Makes a number when the gate moves, and ends with the gate.
fn template(gate: &watch::Receiver<u32>) -> Template<u32> {
    let gate = gate.clone();
    let mut graph = Graph::template("instance");
    let make = graph.add_seeded("make", move |number: &mut u32| {
        let (mut gate, number) = (gate.clone(), *number);
        async move |io: &mut Source<u32>| {
            while gate.changed().await.is_ok() {
                io.outbox.send(number).await?;
            }
            Ok(())
        }
    });
    let pass = graph.add("pass", pass);
    let take = graph.add("take", async |io: &mut Sink<u32>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(make.outbox, pass.inbox);
    graph.link(pass.outbox, take.inbox);
    graph.into_template().unwrap()
}

#[test]
fn all_instances_are_tapped_those_to_come_as_well_until_the_tap_is_dropped() {
    const COUNT: u32 = 100;
    let scheduler = Scheduler::with_workers(2);
    let (gate, moved) = watch::channel(0);
    let run = |range: std::ops::Range<u32>| {
        let template = template(&moved);
        let mut graph = Graph::new("spawner");
        graph.add("spawn", async move |_: &mut NoPorts| {
            let flows = Flows::new();
            range
                .clone()
                .for_each(|number| flows.spawn(template.start(number)));
            flows.finished().await;
            Ok(())
        });
        scheduler.run(graph).unwrap()
    };
    let running = |count: u64| {
        let census = scheduler.census();
        let mut graphs = census.graphs.iter();
        let known = graphs.find(|graph| &*graph.name == "instance");
        // All wait at the gate.
        let waits = |graph: &&crate::GraphCensus| {
            let states = &graph.components[0].states;
            states.len() == 1 && states[0].state == crate::State::WaitingForWorld
        };
        known
            .filter(waits)
            .is_some_and(|graph| graph.running == count)
    };
    let before = run(0..COUNT);
    wait_until(|| running(COUNT.into()));
    let tap = scheduler
        .workers()
        .tap("instance", "make.outbox", "pass.inbox", ALL);
    settle(&scheduler);
    let after = run(COUNT..2 * COUNT);
    wait_until(|| running(2 * u64::from(COUNT)));
    gate.send(1).unwrap();
    wait_until(|| tap.seen() == 2 * u64::from(COUNT));
    let mut numbers: Vec<u32> = (0..2 * COUNT)
        .map(|_| tap.samples.recv().unwrap().text.parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..2 * COUNT), "each has sent one");

    let (seen, point) = (tap.seen.clone(), tap.point.clone());
    drop(tap);
    wait_until(|| point.strong_count() == 0);
    gate.send(2).unwrap();
    drop(gate);
    before.wait().unwrap();
    after.wait().unwrap();
    assert_eq!(
        seen.load(Ordering::Relaxed),
        2 * u64::from(COUNT),
        "nobody looks any more"
    );
}

#[test]
fn a_tap_that_is_not_read_holds_nothing_up_and_counts_all() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("fast");
    let pass = graph.add("pass", pass);
    let (numbers, passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    scheduler.run(graph).unwrap();
    let options = TapOptions {
        per_second: 2,
        length: 100,
    };
    let mut tap = scheduler
        .workers()
        .tap("fast", "(outside)", "pass.inbox", options);
    settle(&scheduler);
    let reader = std::thread::spawn(move || passed.into_iter().count());
    (0..10_000).for_each(|number| numbers.send_blocking(number).unwrap());
    drop(numbers);
    assert_eq!(reader.join().unwrap(), 10_000);
    wait_until(|| tap.seen() == 10_000);
    let samples: Vec<_> = std::iter::from_fn(|| tap.try_next()).collect();
    assert_eq!(
        samples.len(),
        2,
        "as many as a second allows, or a reader leaves"
    );
    assert_eq!((samples[0].number, samples[1].number), (1, 2));
    assert_eq!(
        (samples[0].worker, &*samples[1].text),
        (None, "1"),
        "it was sent by this thread"
    );
}
