//! Tests of the counters.

use super::*;

#[test]
fn messages_bytes_and_depths_are_counted_exactly_and_outlive_the_flow() {
    let scheduler = Scheduler::with_workers(1);
    for round in 1..=3_u64 {
        let mut graph = Graph::new("counted");
        let make = graph.add("make", count_to(100));
        let pass = graph.add("pass", pass);
        let take = graph.add("take", swallow);
        graph.link(make.outbox, pass.inbox).capacity(4);
        graph
            .link(pass.outbox, take.inbox)
            .measure(|number| *number as usize);
        scheduler.run(graph).unwrap().wait().unwrap();
        let census = scheduler.census_within(PATIENCE);
        let graph = self::graph(&census, "counted");
        assert_eq!((graph.running, graph.started, graph.failed), (0, round, 0));
        assert!(graph.workers.is_empty());
        let [first, second] = &graph.links[..] else {
            panic!("{graph:?}");
        };
        assert_eq!(
            (first.messages, second.messages),
            (100 * round, 100 * round)
        );
        assert_eq!((first.bytes, second.bytes), (None, Some(4950 * round)));
        assert_eq!(
            (first.high_water, first.capacity),
            (4, 4),
            "the source fills it"
        );
        assert_eq!(
            (second.high_water, second.queued),
            (4, 0),
            "no more come at a time"
        );
        assert_eq!(first.from[0].messages, 100 * round);
        assert!(
            graph
                .components
                .iter()
                .all(|known| known.states.is_empty() && known.polls > 0)
        );
    }
}

#[test]
fn polls_are_counted_exactly() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("polled");
    for (name, yields) in [("twice", 1), ("a thousand times", 999)] {
        graph.add(name, async move |_: &mut NoPorts| {
            let mut left = yields;
            std::future::poll_fn(|cx| {
                if left == 0 {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            Ok(())
        });
    }
    scheduler.run(graph).unwrap().wait().unwrap();
    let census = scheduler.census_within(PATIENCE);
    let graph = self::graph(&census, "polled");
    assert_eq!(component(graph, "twice").polls, 2);
    assert_eq!(component(graph, "a thousand times").polls, 1000);
    let turns = census.workers[0].turns;
    assert!(
        (1..=1000).contains(&turns),
        "{turns} turns: a turn has as many polls as there is time for"
    );
}

#[test]
fn what_feeds_one_inbox_together_is_counted_apart() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("merged");
    let makers: Vec<_> = [3, 5, 7]
        .map(|count| graph.add(&format!("make {count}"), count_to(count)))
        .into_iter()
        .map(|made| made.outbox)
        .collect();
    let blocking_make = graph.add(
        "thread",
        blocking(|io: &mut Source<u32>| {
            (0..11).try_for_each(|number| io.outbox.send_blocking(number))?;
            Ok(())
        }),
    );
    let take = graph.add("take", swallow);
    graph.merge(makers.into_iter().chain([blocking_make.outbox]), take.inbox);
    scheduler.run(graph).unwrap().wait().unwrap();
    let census = scheduler.census_within(PATIENCE);
    let link = &self::graph(&census, "merged").links[0];
    let sent: Vec<_> = link.from.iter().map(|feed| feed.messages).collect();
    assert_eq!(sent, [3, 5, 7, 11]);
    assert!(link.across, "one of them is on a thread");
    assert_eq!((link.messages, link.queued), (26, 0));
}

/// Ten graphs send to one receiver, each three numbers. Only the last one waits for space.
#[test]
fn graphs_that_share_a_link_each_count_their_own() {
    let scheduler = Scheduler::with_workers(1);
    let (sender, mut receiver) = crate::link(29);
    for number in 0..10 {
        let mut graph = Graph::new("sharing");
        let make = graph.add("make", async |io: &mut Source<u32>| {
            for number in 0..3 {
                io.outbox.send(number).await?;
            }
            std::future::pending().await
        });
        graph.take_into(make.outbox, sender.clone());
        scheduler.workers().run(Placement::Any, graph).unwrap();
        let expected = (3 * (number + 1)).min(29);
        census_when(&scheduler, |census| {
            census.graphs[0].links[0].messages == expected
        });
    }
    let census = scheduler.census_within(PATIENCE);
    let graph = self::graph(&census, "sharing");
    let mut states: Vec<_> = graph.components[0]
        .states
        .iter()
        .map(|known| {
            (
                known.count,
                matches!(known.state, State::WaitingForSpace { .. }),
            )
        })
        .collect();
    states.sort_unstable();
    assert_eq!(states, [(1, true), (9, false)]);
    assert_eq!(receiver.try_next(), Some(0));
    census_when(&scheduler, |census| {
        census.graphs[0].links[0].messages == 30
    });
    assert_eq!(
        scheduler.census_within(PATIENCE).graphs[0].links[0].from[0].messages,
        30
    );
}

#[test]
fn links_across_threads_count_exactly() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("threaded");
    let length = graph.add(
        "length",
        blocking(|io: &mut Pipe<String, usize>| {
            while let Some(text) = io.inbox.next_blocking() {
                io.outbox.send_blocking(text.len())?;
            }
            Ok(())
        }),
    );
    let (texts, lengths) = (graph.feed(length.inbox), graph.take(length.outbox));
    let running = scheduler.run(graph).unwrap();
    (0..20).for_each(|_| texts.send_blocking("four".to_owned()).unwrap());
    let waiting = State::WaitingForSpace {
        outbox: "outbox".to_owned(),
        blocked_by: None,
        culprit: None,
    };
    let census = census_when(&scheduler, settled("threaded", "length", waiting));
    let graph = self::graph(&census, "threaded");
    let counts = |link: &LinkCensus| (link.messages, link.queued, link.high_water);
    // 16 wait outside, and the thread has one in hand.
    assert_eq!(counts(&graph.links[1]), (16, 16, 16));
    let first = &graph.links[0];
    assert_eq!((first.messages, first.queued), (20, 3));
    assert!(first.across && first.from.is_empty() && component(graph, "length").own_thread);

    drop(texts);
    assert_eq!(lengths.into_iter().sum::<usize>(), 80);
    running.wait().unwrap();
    let census = scheduler.census_within(PATIENCE);
    let graph = self::graph(&census, "threaded");
    let counts = graph.links.iter().map(|link| (link.messages, link.queued));
    assert_eq!(counts.collect::<Vec<_>>(), [(20, 0), (20, 0)]);
}

#[test]
fn restarts_and_dead_letters_are_counted() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("healing");
    let make = graph.add("make", count_to(10));
    let choosy = graph.add("choosy", async |io: &mut Sink<u32>| {
        while let Some(number) = io.inbox.next().await {
            if number % 3 == 0 {
                return Err(End::fault("no threes"));
            }
        }
        Ok(())
    });
    let threes = graph.dead_letters(&choosy.inbox);
    graph.link(make.outbox, choosy.inbox);
    let threes = graph.take(threes);
    graph.supervise(|_| {
        let limit = Restart::new(100, Duration::from_secs(60));
        Policy::Restart(limit.pause(Duration::ZERO, Duration::ZERO))
    });
    let running = scheduler.run(graph).unwrap();
    assert_eq!(threes.into_iter().collect::<Vec<_>>(), [0, 3, 6, 9]);
    running.wait().unwrap();
    let census = scheduler.census_within(PATIENCE);
    let graph = self::graph(&census, "healing");
    let choosy = component(graph, "choosy");
    assert_eq!((choosy.faults, choosy.restarts), (4, 4));
    assert_eq!((graph.failed, graph.links[0].messages), (0, 10));
    let feed = &graph.links[1].from[0];
    assert_eq!(
        (&*feed.label(), feed.messages),
        ("choosy.inbox (dead letters)", 4)
    );
    assert!(census.faults.iter().all(|fault| fault.policy == "restart"));
}

#[test]
fn time_that_was_spent_is_put_down_to_who_spent_it() {
    /// The duration of each of its polls.
    const POLL: Duration = Duration::from_millis(1);
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("unequal");
    for (name, takes) in [("works", POLL), ("idles", Duration::ZERO)] {
        graph.add(name, async move |_: &mut NoPorts| {
            let mut left = 200;
            std::future::poll_fn(|cx| {
                let began = Instant::now();
                while began.elapsed() < takes {}
                left -= 1;
                if left == 0 {
                    return std::task::Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            Ok(())
        });
    }
    scheduler.run(graph).unwrap().wait().unwrap();
    let census = scheduler.census_within(PATIENCE);
    let graph = self::graph(&census, "unequal");
    let (works, idles) = (
        component(graph, "works").busy,
        component(graph, "idles").busy,
    );
    assert!(
        works >= 200 * POLL,
        "{works:?}: no poll that was measured took less"
    );
    assert!(idles < works, "{idles:?}, {works:?}");
}
