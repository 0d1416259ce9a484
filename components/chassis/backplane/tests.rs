//! Publishing and subscribing between graphs, on several workers.

use kamea::{Composite, Done, Graph, Handle, Pipe, Scheduler, Sink, Source, map, pipeline};

use super::*;
use crate::chassis::{publish_to, subscribe_to};

/// Counts from 0, up to the requested number.
fn count(last: u32) -> impl kamea::Component<Source<u32>> + Send {
    async move |io: &mut Source<u32>| {
        for number in 0..last {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

/// A message whose drop panics.
#[derive(Debug, Clone)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

/// A second panic while the first one unwinds would abort the program.
#[test]
fn several_messages_that_panic_when_they_are_dropped_do_not_abort() {
    let plane = Backplane::new().capacity(8);
    let subscription = plane.subscribe("bombs");
    kamea::testing::block_on(async {
        let publisher = plane.publisher("bombs");
        for _ in 0..4 {
            publisher.publish(Bomb).await.unwrap();
        }
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(subscription)));
    assert!(caught.is_err(), "the panic is seen, once");
    assert!(plane.subscribe("bombs").lost() == 0, "the topic goes on");
}

#[test]
fn each_of_many_subscribers_gets_everything_of_each_of_many_publishers() {
    let scheduler = Scheduler::with_workers(2);
    let plane = Backplane::new().capacity(8);
    let subscribers: Vec<_> = (0..20)
        .map(|_| {
            let mut graph = Graph::new("subscriber");
            let numbers = graph.add("numbers", subscribe_to(&plane, "numbers"));
            let numbers = graph.take(numbers.outbox);
            scheduler.run(graph).unwrap();
            std::thread::spawn(move || numbers.into_iter().collect::<Vec<_>>())
        })
        .collect();
    let publishers: Vec<_> = (0..3)
        .map(|_| scheduler.run(pipeline!(count(100) => publish_to(&plane, "numbers"))))
        .collect();
    for publisher in publishers {
        publisher.unwrap().wait().unwrap();
    }
    drop(plane);
    for subscriber in subscribers {
        let mut numbers = subscriber.join().unwrap();
        numbers.sort_unstable();
        let expected: Vec<_> = (0..100).flat_map(|number| [number; 3]).collect();
        assert_eq!(numbers, expected);
    }
}

#[test]
fn topics_do_not_mix_and_go_with_who_uses_them() {
    kamea::testing::block_on(async {
        let plane = Backplane::new();
        let (mut a, mut b) = (plane.subscribe("a"), plane.subscribe("b"));
        plane.publisher("a").publish(1).await.unwrap();
        plane.publisher("b").publish(2).await.unwrap();
        plane.publisher("c").publish(3).await.unwrap();
        assert_eq!((a.next().await, b.next().await), (Some(1), Some(2)));
        drop((a, b));
        let _d = plane.subscribe("d");
        assert_eq!(plane.shared.topics().by_name.len(), 1, "only `d` is in use");
    });
}

fn chat(room: &Backplane<String>) -> Composite<Pipe<String, String>> {
    let format = map(|line: String| line + "!");
    pipeline!(format => publish_to(room, "X") => subscribe_to(room, "X"))
}

#[test]
fn who_stops_talking_gets_what_was_said_and_leaves() {
    let scheduler = Scheduler::with_workers(2);
    let room = Backplane::new();
    let mut talker = Handle::run(&scheduler, chat(&room)).unwrap();
    let mut listener = Handle::run(&scheduler, chat(&room)).unwrap();
    for line in ["a", "b", "c"] {
        talker.send_blocking(line.to_owned()).unwrap();
    }
    talker.close();
    for said in ["a!", "b!", "c!"] {
        assert_eq!(talker.next_blocking().as_deref(), Some(said));
        assert_eq!(listener.next_blocking().as_deref(), Some(said));
    }
    assert_eq!(talker.next_blocking(), None);
    talker.wait().unwrap();
    listener.wait().unwrap();
}

#[test]
fn a_publisher_waits_for_who_wants_everything_and_for_nobody_else() {
    let scheduler = Scheduler::with_workers(2);
    for (slow, all) in [
        (Slow::Wait, false),
        (Slow::DropOldest, true),
        (Slow::DropSubscriber, true),
    ] {
        let plane = Backplane::new().capacity(4);
        let mut slow = plane.slow(slow).subscribe("numbers");
        let (tell, told) = std::sync::mpsc::channel();
        let watch = kamea::inspect(move |n: &u32| tell.send(*n).unwrap());
        let line = pipeline!(count(100) => watch => publish_to(&plane, "numbers"));
        let running = scheduler.run(line).unwrap();
        if all {
            running.wait().unwrap();
            assert_eq!(told.into_iter().count(), 100);
        } else {
            // Four are in the topic, and one waits for space.
            let wait = std::time::Duration::from_secs(10);
            assert!((0..5).all(|n| told.recv_timeout(wait) == Ok(n)));
            kamea::testing::block_on(async {
                for number in 0..100 {
                    assert_eq!(slow.next().await, Some(number));
                }
            });
            running.wait().unwrap();
        }
    }
}

#[test]
fn the_slow_learn_how_much_they_missed_or_end() {
    kamea::testing::block_on(async {
        let plane = Backplane::new().capacity(4);
        let mut oldest = plane.slow(Slow::DropOldest).subscribe("n");
        let mut dropped = plane.slow(Slow::DropSubscriber).subscribe("n");
        let publisher = plane.publisher("n");
        for number in 0..10 {
            publisher.publish(number).await.unwrap();
        }
        assert_eq!((oldest.next().await, oldest.lost()), (Some(6), 6));
        assert_eq!(dropped.next().await, None);
        assert_eq!(dropped.next().await, None, "it stays so");
    });
}

#[test]
fn a_subscriber_that_nobody_listens_to_goes() {
    let scheduler = Scheduler::with_workers(1);
    let plane = Backplane::<u32>::new();
    let mut graph = Graph::new("subscriber");
    let numbers = graph.add("numbers", subscribe_to(&plane, "numbers"));
    drop(graph.take(numbers.outbox));
    scheduler.run(graph).unwrap().wait().unwrap();
}

#[test]
fn a_publisher_to_a_closed_backplane_ends_quietly() {
    let scheduler = Scheduler::with_workers(1);
    let plane = Backplane::new();
    plane.close();
    let mut late = plane.subscribe("numbers");
    let line = pipeline!(count(10) => publish_to(&plane, "numbers"));
    scheduler.run(line).unwrap().wait().unwrap();
    assert_eq!(kamea::testing::block_on(late.next()), None);
}

#[test]
fn what_is_published_inside_of_one_graph_is_not_missed() {
    async fn check(io: &mut Sink<u32>) -> Done {
        for number in 0..10 {
            assert_eq!(io.inbox.next().await, Some(number));
        }
        assert_eq!(io.inbox.next().await, None);
        Ok(())
    }
    let plane = Backplane::new();
    let mut graph = Graph::new("both");
    pipeline!(graph, count(10) => publish_to(&plane, "n"));
    pipeline!(graph, subscribe_to(&plane, "n") => check);
    drop(plane);
    kamea::testing::block_on(graph.start().unwrap()).unwrap();
}

/// A message that cannot be cloned.
#[derive(Debug)]
struct Unique(u32);

impl Clone for Unique {
    fn clone(&self) -> Self {
        assert!(self.0 != 5, "there is only one");
        Self(self.0)
    }
}

#[test]
fn a_clone_that_panics_harms_its_subscriber_alone() {
    let scheduler = Scheduler::with_workers(2);
    let plane = Backplane::new().capacity(2);
    let subscribe = |name: &str| {
        let mut graph = Graph::new(name);
        let part = graph.add("subscribe", subscribe_to(&plane, "x"));
        let taken = graph.take(part.outbox);
        (scheduler.run(graph).unwrap(), taken)
    };
    // One subscriber makes copies; the last reader of a message receives the message itself.
    let (a, taken_a) = subscribe("a");
    let (b, taken_b) = subscribe("b");
    let count = async |io: &mut Source<Unique>| {
        for number in 0..100 {
            io.outbox.send(Unique(number)).await?;
        }
        Ok(())
    };
    let publisher = scheduler
        .run(pipeline!(count => publish_to(&plane, "x")))
        .unwrap();
    drop(plane);
    let takers = [taken_a, taken_b].map(|taken| {
        std::thread::spawn(move || taken.into_iter().map(|unique| unique.0).collect::<Vec<_>>())
    });
    let taken = takers.map(|taker| taker.join().unwrap());
    publisher.wait().unwrap();
    let failed = [a.wait().is_err(), b.wait().is_err()];
    assert_eq!(
        failed.iter().filter(|failed| **failed).count(),
        1,
        "{failed:?}"
    );
    for (taken, failed) in taken.iter().zip(failed) {
        assert!(failed || taken.iter().copied().eq(0..100), "{taken:?}");
    }
}

/// The asker gets no answer as soon as no subscriber is left that could read the request.
#[test]
fn a_request_goes_with_the_last_subscriber_that_has_not_read_it() {
    // How many each of two subscribers has read.
    for (one, other) in [(0, 0), (1, 0), (1, 3), (20, 1), (40, 39)] {
        for slow in [Slow::Wait, Slow::DropOldest] {
            kamea::testing::block_on(async {
                let plane = Backplane::new().slow(slow).capacity(40);
                let mut subscribers = [one, other].map(|read| (read, plane.subscribe("x")));
                let publisher = plane.publisher("x");
                let mut askers = Vec::new();
                for _ in 0..40 {
                    let (request, answers) = kamea::link::<u32>(1);
                    publisher.publish(request).await.unwrap();
                    askers.push(answers);
                }
                for (read, subscriber) in &mut subscribers {
                    for _ in 0..*read {
                        assert!(subscriber.next().await.is_some());
                    }
                }
                let [first, second] = subscribers;
                drop(first);
                std::thread::spawn(move || drop(second)).join().unwrap();
                for mut asker in askers {
                    assert_eq!(asker.next().await, None);
                }
                let (request, mut answers) = kamea::link::<u32>(1);
                publisher.publish(request).await.unwrap();
                assert_eq!(answers.next().await, None, "nobody has subscribed");
            });
        }
    }
}
