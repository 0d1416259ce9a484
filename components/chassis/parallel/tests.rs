//! Copies on several workers: nothing is lost, little is under way, and a panic ends it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use kamea::{Handle, Policy, Restart, Scheduler, Source, pipeline};

use super::*;

fn run(part: Parallel<u32, u32, impl FnMut(u32) -> u32 + Clone + Send + 'static>) -> Vec<u32> {
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let count = async |io: &mut Source<u32>| {
        for number in 0..500 {
            io.outbox.send(number).await?;
        }
        Ok(())
    };
    let (_, results) = pipeline!(graph, count => part);
    let results = graph.take(results);
    scheduler.run(graph).unwrap();
    results.into_iter().collect()
}

/// Takes longer for some numbers than for others.
fn uneven(number: u32) -> u32 {
    (0..number * 7919 % 31).for_each(|_| std::thread::yield_now());
    number
}

#[test]
fn every_message_has_its_result_in_order_if_that_is_asked_for() {
    for copies in [1, 2, 5] {
        assert!(
            run(parallel(copies, uneven).ordered())
                .into_iter()
                .eq(0..500)
        );
        let mut results = run(parallel(copies, uneven));
        results.sort_unstable();
        assert!(results.into_iter().eq(0..500), "{copies}");
    }
}

#[test]
fn copies_work_at_the_same_time() {
    // Each waits until the other works too.
    let both = Arc::new(Barrier::new(2));
    let scheduler = Scheduler::with_workers(3);
    let meet = move |number: u32| {
        both.wait();
        number
    };
    let mut handle = Handle::run(&scheduler, parallel(2, meet)).unwrap();
    [1, 2]
        .into_iter()
        .for_each(|number| handle.send_blocking(number).unwrap());
    let both = [handle.next_blocking(), handle.next_blocking()];
    assert_eq!(both.iter().flatten().sum::<u32>(), 3);
    handle.wait().unwrap();
}

#[test]
fn no_more_than_three_for_each_copy_are_under_way() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let parts = parallel(2, move |number: u32| {
        count.fetch_add(1, Ordering::SeqCst);
        number
    });
    let scheduler = Scheduler::with_workers(2);
    let handle = Handle::run(&scheduler, parts.ordered()).unwrap();
    let mut sent = 0;
    // The results are not taken: when nothing more can be sent, all links are full.
    while send_within(&handle, sent, Duration::from_secs(1)) {
        sent += 1;
    }
    let full = 2 * kamea::DEFAULT_CAPACITY + 2 * DEPTH;
    assert!(sent as usize <= full + 1, "{sent}");
    assert!(begun.load(Ordering::SeqCst) <= kamea::DEFAULT_CAPACITY + 2 * DEPTH + 1);
    handle.wait().unwrap();
    assert_eq!(
        begun.load(Ordering::SeqCst),
        sent as usize,
        "all of them in the end"
    );
}

fn send_within(handle: &Handle<u32, u32>, number: u32, patience: Duration) -> bool {
    let start = std::time::Instant::now();
    while start.elapsed() < patience {
        if handle.try_send(number).is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_panic_in_a_copy_is_a_fault() {
    let scheduler = Scheduler::with_workers(2);
    let mut handle = Handle::run(&scheduler, parallel(2, |n: u32| 60 / n)).unwrap();
    [1, 2, 0, 3]
        .into_iter()
        .for_each(|number| handle.send_blocking(number).unwrap());
    while handle.next_blocking().is_some() {}
    let fault = handle.wait().unwrap_err().to_string();
    assert!(
        fault.contains("component `component` of graph `handle` failed: component `copy "),
        "{fault}"
    );
    assert!(
        fault.ends_with("of graph `parallel` panicked: attempt to divide by zero"),
        "{fault}"
    );
}

#[test]
fn when_nobody_listens_the_copies_are_dropped() {
    let scheduler = Scheduler::with_workers(2);
    let handle = Handle::run(&scheduler, parallel(2, |n: u32| n)).unwrap();
    let (_inbox, outbox, running) = handle.split();
    drop(outbox);
    running.wait().unwrap();
    assert!(
        scheduler.stop(Duration::from_secs(20)).is_ok(),
        "nothing runs any more"
    );
}

/// A number of which no copy can be made if it ends in 7.
#[derive(Debug)]
struct Unique(u32);

impl Clone for Unique {
    fn clone(&self) -> Self {
        assert!(self.0 % 10 != 7, "there is only one");
        Self(self.0)
    }
}

/// Returns the results and the dead letters of 200 numbers; the function panics if `fails` is true.
fn with_letters(copies: usize, is_ordered: bool, fails: fn(u32) -> bool) -> [Vec<u32>; 2] {
    let work = move |Unique(number): Unique| {
        assert!(!fails(number), "bad luck");
        uneven(number)
    };
    let mut part = parallel(copies, work);
    part.ordered = is_ordered;
    let mut graph = Graph::new("g");
    let ports = graph.add("parallel", part);
    let often = Duration::from_secs(600);
    let at_once = Restart::new(200, often).pause(Duration::ZERO, Duration::ZERO);
    graph.supervise(move |_| Policy::Restart(at_once));
    let letters = graph.dead_letters(&ports.inbox);
    let (numbers, letters) = (graph.feed(ports.inbox), graph.take(letters));
    let results = graph.take(ports.outbox);
    let scheduler = Scheduler::with_workers(2);
    let running = scheduler.run(graph).unwrap();
    let letters = std::thread::spawn(move || letters.into_iter().map(|letter| letter.0).collect());
    let sends = move || (0..200).for_each(|number| numbers.send_blocking(Unique(number)).unwrap());
    let sends = std::thread::spawn(sends);
    let results = results.into_iter().collect();
    sends.join().unwrap();
    running.wait().unwrap();
    [results, letters.join().unwrap()]
}

#[test]
fn what_fails_is_a_dead_letter_and_nothing_else_is_lost() {
    let rows: [fn(u32) -> bool; 3] = [
        |_| false,
        |number| number % 10 == 3,
        // Several in a row, one of which cannot be copied.
        |number| (24..29).contains(&(number % 40)),
    ];
    for fails in rows {
        for (copies, is_ordered) in [(1, false), (2, false), (5, false), (2, true), (5, true)] {
            let (mut bad, good): (Vec<_>, Vec<_>) =
                (0..200).partition(|number| fails(*number) || number % 10 == 7);
            let [mut results, mut letters] = with_letters(copies, is_ordered, fails);
            if !is_ordered {
                results.sort_unstable();
            }
            assert_eq!(results, good, "{copies} {is_ordered}");
            letters.sort_unstable();
            bad.sort_unstable();
            assert_eq!(letters, bad, "{copies} {is_ordered}");
        }
    }
}
