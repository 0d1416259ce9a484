//! Parts for messages: how many run at once, on which workers, and how they end.

use std::collections::BTreeSet;
use std::time::Duration;

use kamea::{Scheduler, Source, pipeline, stopping, workers};

use super::*;

fn say(number: u32) -> impl Component<Source<u32>> + Send {
    async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?)
}

#[test]
fn one_at_a_time_is_in_order() {
    let three_times = |number: u32| {
        async move |io: &mut Source<u32>| {
            for () in [(); 3] {
                io.outbox.send(number).await?;
                futures_lite::future::yield_now().await;
            }
            Ok(())
        }
    };
    let mut graph = Graph::new("g");
    let (numbers, results) = pipeline!(graph, each(three_times).at_most(1));
    let (numbers, results) = (graph.feed(numbers), graph.take(results));
    (0..5).for_each(|number| numbers.try_send(number).unwrap());
    drop(numbers);
    kamea::testing::block_on(graph.start().unwrap()).unwrap();
    assert_eq!(
        results.into_iter().collect::<Vec<_>>(),
        [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    );
}

#[test]
fn no_more_run_at_once_than_may_and_the_next_message_waits() {
    let (tell, told) = std::sync::mpsc::channel();
    let wait = move |gate: kamea::Receiver<()>| {
        let tell = tell.clone();
        let mut gate = Some(gate);
        async move |io: &mut Source<u32>| {
            let _ = tell.send(());
            if let Some(mut gate) = gate.take() {
                gate.next().await;
            }
            Ok(io.outbox.send(1).await?)
        }
    };
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let (gates, results) = pipeline!(graph, each(wait).at_most(2).spread());
    let (gates, mut results) = (graph.feed(gates), graph.take(results));
    let running = scheduler.run(graph).unwrap();
    let open: Vec<_> = (0..3)
        .map(|_| {
            let (open, gate) = link(1);
            gates.send_blocking(gate).unwrap();
            open
        })
        .collect();
    drop(gates);
    let patience = Duration::from_secs(20);
    assert!(
        (0..2).all(|_| told.recv_timeout(patience).is_ok()),
        "two begin"
    );
    assert_eq!(results.try_next(), None);
    assert!(told.try_recv().is_err(), "the third waits for its place");
    drop(open);
    assert!(told.recv_timeout(patience).is_ok());
    assert_eq!(results.into_iter().sum::<u32>(), 3);
    running.wait().unwrap();
}

#[test]
fn they_run_here_or_spread_over_the_workers() {
    let name = |_: u32| {
        async |io: &mut Source<Option<String>>| {
            assert_eq!(workers().count(), 3);
            let name = std::thread::current().name().map(str::to_owned);
            Ok(io.outbox.send(name).await?)
        }
    };
    let scheduler = Scheduler::with_workers(3);
    for (spread, expected) in [(false, 1), (true, 3)] {
        let mut graph = Graph::new("g");
        let parts = if spread {
            each(name).spread()
        } else {
            each(name)
        };
        let (numbers, names) = pipeline!(graph, parts);
        let (numbers, names) = (graph.feed(numbers), graph.take(names));
        let running = scheduler.run(graph).unwrap();
        (0..12).for_each(|number| numbers.send_blocking(number).unwrap());
        drop(numbers);
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), expected);
        running.wait().unwrap();
    }
}

fn divide(by: u32) -> impl Component<Source<u32>> + Send {
    async move |io: &mut Source<u32>| Ok(io.outbox.send(60 / by).await?)
}

#[test]
fn a_fault_of_one_harms_no_other_if_somebody_wants_to_know() {
    let mut graph = Graph::new("g");
    let parts = graph.add("parts", each(divide).at_most(1));
    let numbers = graph.feed(parts.inbox);
    let (results, faults) = (graph.take(parts.outbox), graph.take(parts.faults));
    [2, 0, 3]
        .into_iter()
        .for_each(|number| numbers.try_send(number).unwrap());
    drop(numbers);
    kamea::testing::block_on(graph.start().unwrap()).unwrap();
    assert_eq!(results.into_iter().collect::<Vec<_>>(), [30, 20]);
    let faults: Vec<_> = faults.into_iter().map(|fault| fault.to_string()).collect();
    let expected = "component `part` of graph `each` panicked: attempt to divide by zero";
    assert_eq!(faults, [expected]);

    let mut graph = Graph::new("g");
    let (numbers, results) = pipeline!(graph, each(divide));
    graph.feed(numbers).try_send(0).unwrap();
    let _results = graph.take(results);
    let fault = kamea::testing::block_on(graph.start().unwrap()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!("component `each` of graph `g` failed: {expected}")
    );
}

#[test]
fn when_nobody_listens_the_parts_are_dropped() {
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let never = |_: u32| async |_: &mut Source<u32>| std::future::pending().await;
    let (numbers, results) = pipeline!(graph, each(never).spread());
    let (numbers, results) = (graph.feed(numbers), graph.take(results));
    let running = scheduler.run(graph).unwrap();
    numbers.send_blocking(1).unwrap();
    drop(results);
    running.wait().unwrap();
    assert!(
        scheduler.stop(Duration::from_secs(20)).is_ok(),
        "nothing runs any more"
    );
}

#[test]
fn a_graceful_stop_lets_those_that_run_finish_and_they_hear_of_it() {
    let (tell, told) = std::sync::mpsc::channel();
    let wait = move |number: u32| {
        let tell = tell.clone();
        async move |io: &mut Source<u32>| {
            let _ = tell.send(());
            stopping().await;
            Ok(io.outbox.send(number).await?)
        }
    };
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let count = async |io: &mut Source<u32>| {
        io.outbox.send(1).await?;
        io.outbox.send(2).await?;
        std::future::pending().await
    };
    let (_, results) = pipeline!(graph, count => each(wait).spread());
    let results = graph.take(results);
    scheduler.run(graph).unwrap();
    let patience = Duration::from_secs(20);
    assert!((0..2).all(|_| told.recv_timeout(patience).is_ok()));
    assert!(scheduler.stop(patience).is_ok(), "it drains");
    assert_eq!(results.into_iter().sum::<u32>(), 3);
}

#[test]
fn what_was_accepted_before_a_graceful_stop_is_run_though_the_workers_take_nothing_more() {
    let (tell, told) = std::sync::mpsc::channel();
    let wait = move |number: u32| {
        let tell = tell.clone();
        async move |io: &mut Source<u32>| {
            let _ = tell.send(());
            stopping().await;
            Ok(io.outbox.send(number).await?)
        }
    };
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("g");
    let (numbers, results) = pipeline!(graph, each(wait).at_most(1).spread());
    let (numbers, results) = (graph.feed(numbers), graph.take(results));
    scheduler.run(graph).unwrap();
    (0..10).for_each(|number| numbers.send_blocking(number).unwrap());
    drop(numbers);
    let patience = Duration::from_secs(20);
    assert!(told.recv_timeout(patience).is_ok(), "one runs, nine wait");
    assert!(scheduler.stop(patience).is_ok(), "it drains");
    assert!(results.into_iter().eq(0..10));
}

#[test]
fn many_more_than_may_run_at_once_all_run() {
    let mut graph = Graph::new("g");
    let (numbers, results) = pipeline!(graph, each(say).at_most(7));
    let (numbers, results) = (graph.feed(numbers), graph.take(results));
    let scheduler = Scheduler::with_workers(2);
    scheduler.run(graph).unwrap();
    let feed = std::thread::spawn(move || (0..1000).all(|n| numbers.send_blocking(n).is_ok()));
    assert_eq!(results.into_iter().sum::<u32>(), 499_500);
    assert!(feed.join().unwrap());
}
