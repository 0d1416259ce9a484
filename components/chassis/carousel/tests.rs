//! Tests of a carousel and its requests.

use std::time::Duration;

use futures_lite::future::try_zip;
use kamea::testing::block_on;
use kamea::{Graph, Pipe, Receiver, Scheduler, Sender, Source, pipeline};

use super::*;
use crate::chassis::{chooser, forward_chooser};

/// Marks the messages that it passes on; sends a marker at the end.
fn mark(with: u32) -> impl Component<Pipe<u32, u32>> + Send {
    async move |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next().await {
            io.outbox.send(with + number).await?;
        }
        Ok(io.outbox.send(with + 99).await?)
    }
}

struct Ends {
    next: Sender<u32>,
    inbox: Sender<u32>,
    outbox: Receiver<u32>,
    requests: Receiver<Choice>,
}

fn marking(graph: &mut Graph) -> Ends {
    let ports = graph.add("carousel", carousel(mark));
    Ends {
        next: graph.feed(ports.next),
        inbox: graph.feed(ports.inbox),
        outbox: graph.take(ports.outbox),
        requests: graph.take(ports.requests),
    }
}

#[test]
fn a_configuration_replaces_the_part_which_ends_by_closing() {
    let mut graph = Graph::new("g");
    let Ends {
        next,
        inbox,
        mut outbox,
        mut requests,
    } = marking(&mut graph);
    block_on(async {
        let talk = async {
            next.send(100).await.unwrap();
            inbox.send(1).await.unwrap();
            assert_eq!(outbox.next().await, Some(101));
            next.send(200).await.unwrap();
            assert_eq!(
                outbox.next().await,
                Some(199),
                "the old one has the last word"
            );
            inbox.send(2).await.unwrap();
            assert_eq!(outbox.next().await, Some(202));
            assert_eq!(
                requests.try_next(),
                None,
                "nobody is asked for what has come"
            );
            drop(inbox);
            assert_eq!(outbox.next().await, Some(299));
            assert_eq!(
                outbox.next().await,
                None,
                "nothing can come in for a further part"
            );
            Ok(())
        };
        try_zip(graph.start().unwrap(), talk).await.unwrap();
    });
    drop(next);
}

#[test]
fn the_end_of_configurations_leaves_the_last_part_to_its_work() {
    let mut graph = Graph::new("g");
    let Ends {
        next,
        inbox,
        mut outbox,
        ..
    } = marking(&mut graph);
    block_on(async {
        let talk = async {
            next.send(100).await.unwrap();
            drop(next);
            for number in 1..50 {
                inbox.send(number).await.unwrap();
                assert_eq!(outbox.next().await, Some(100 + number));
            }
            drop(inbox);
            assert_eq!(outbox.next().await, Some(199));
            assert_eq!(outbox.next().await, None);
            Ok(())
        };
        try_zip(graph.start().unwrap(), talk).await.unwrap();
    });
}

/// Takes two messages and ends.
fn two(with: u32) -> impl Component<Pipe<u32, u32>> + Send {
    async move |io: &mut Pipe<u32, u32>| {
        for () in [(); 2] {
            let Some(number) = io.inbox.next().await else {
                break;
            };
            io.outbox.send(with + number).await?;
        }
        Ok(())
    }
}

#[test]
fn a_part_that_ends_is_asked_to_be_replaced_and_leaves_what_it_did_not_read() {
    let mut graph = Graph::new("g");
    let tens = graph.add("tens", forward_chooser((0..).map(|n| 10 * n)));
    let twos = graph.add("twos", carousel(two));
    graph.link(tens.outbox, twos.next);
    graph.feedback(twos.requests, tens.inbox);
    let (inbox, outbox) = (graph.feed(twos.inbox), graph.take(twos.outbox));
    (1..=7).for_each(|number| inbox.try_send(number).unwrap());
    drop(inbox);
    block_on(graph.start().unwrap()).unwrap();
    let marked: Vec<_> = outbox.into_iter().collect();
    assert_eq!(marked, [1, 2, 13, 14, 25, 26, 37]);
}

#[test]
fn it_may_ask_first_and_ends_with_who_is_asked() {
    let mut graph = Graph::new("g");
    // Unlike a chooser, it waits for a request.
    let names = graph.add("names", async |io: &mut Pipe<Choice, u32>| {
        for number in 1..=3 {
            assert_eq!(io.inbox.next().await, Some(Choice::Next));
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let say = |number| async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?);
    let says = graph.add("says", carousel(say).request_first());
    graph.link(names.outbox, says.next);
    graph.feedback(says.requests, names.inbox);
    let said = graph.take(says.outbox);
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(said.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
}

fn divide(by: u32) -> impl Component<Source<u32>> + Send {
    async move |io: &mut Source<u32>| Ok(io.outbox.send(60 / by).await?)
}

#[test]
fn the_faults_of_parts_go_to_who_wants_them() {
    let mut graph = Graph::new("g");
    let numbers = graph.add("numbers", forward_chooser([2, 0, 3]));
    let parts = graph.add("parts", carousel(divide));
    graph.link(numbers.outbox, parts.next);
    graph.feedback(parts.requests, numbers.inbox);
    let (results, faults) = (graph.take(parts.outbox), graph.take(parts.faults));
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(results.into_iter().collect::<Vec<_>>(), [30, 20]);
    let faults: Vec<_> = faults.into_iter().map(|fault| fault.to_string()).collect();
    let expected = "component `part` of graph `child` panicked: attempt to divide by zero";
    assert_eq!(faults, [expected]);

    let mut graph = Graph::new("g");
    let (numbers, results) = pipeline!(graph, carousel(divide));
    graph.feed(numbers).try_send(0).unwrap();
    let _results = graph.take(results);
    let fault = block_on(graph.start().unwrap()).unwrap_err().to_string();
    assert_eq!(
        fault,
        format!("component `carousel` of graph `g` failed: {expected}")
    );
}

/// Counts without end.
fn endless(from: u64) -> impl Component<Source<u64>> + Send {
    async move |io: &mut Source<u64>| {
        for number in from.. {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

#[test]
fn a_graceful_stop_ends_a_carousel_and_its_chooser_that_keep_each_other_going() {
    let mut graph = Graph::new("g");
    let numbers = graph.add("numbers", chooser([1, 2]));
    let parts = graph.add("parts", carousel(endless));
    graph.link(numbers.outbox, parts.next);
    graph.feedback(parts.requests, numbers.inbox);
    let mut counted = graph.take(parts.outbox);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    assert_eq!(counted.next_blocking(), Some(1));
    let rest = std::thread::spawn(move || counted.into_iter().last());
    assert!(scheduler.stop(Duration::from_secs(20)).is_ok(), "it drains");
    rest.join().unwrap();
}

#[test]
fn when_nobody_listens_it_ends_whatever_it_waits_for() {
    let never = |_: u32| async |_: &mut Source<u32>| std::future::pending().await;
    for with_part in [false, true] {
        let mut graph = Graph::new("g");
        let (next, outbox) = pipeline!(graph, carousel(never));
        let next = graph.feed(next);
        drop(graph.take(outbox));
        if with_part {
            next.try_send(1).unwrap();
        }
        block_on(graph.start().unwrap()).unwrap();
    }
}

#[test]
fn what_nobody_takes_holds_up_what_comes_in() {
    let mut graph = Graph::new("g");
    let Ends {
        next,
        inbox,
        outbox,
        requests: _requests,
    } = marking(&mut graph);
    next.try_send(0).unwrap();
    let mut flow = graph.start().unwrap();
    let sent = block_on(async {
        let mut sent = 0;
        // Long enough for everything to move that can.
        for () in [(); 1000] {
            assert!(futures_lite::future::poll_once(&mut flow).await.is_none());
            sent += u32::from(inbox.try_send(sent).is_ok());
            futures_lite::future::yield_now().await;
        }
        sent
    });
    // Six links of 16, and one message in each component that waits.
    assert!((64..=100).contains(&sent), "{sent}");
    drop(outbox);
}
