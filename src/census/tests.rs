//! The census of graphs that run: each counter, each state, sums, and what it costs those who are counted.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::*;
use crate::{
    Done, End, Flows, Graph, Inbox, Outbox, Pipe, Placement, Policy, Ports, Restart, Scheduler,
    Sink, Source, Template, blocking,
};

/// How long a test waits for what is bound to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A census made by hand: two instances of a graph whose first component is blocked because of its last.
pub(super) fn sample() -> Census {
    let component = |name: &str, state: State| ComponentCensus {
        name: name.into(),
        kind: "a::b",
        file: "c.rs",
        line: 7,
        own_thread: false,
        is_fused: false,
        states: vec![StateCount {
            state,
            count: 2,
            longest: Duration::ZERO,
        }],
        polls: 8,
        busy: Duration::from_millis(500),
        faults: 1,
        restarts: 0,
    };
    let link = |from: &str, to: Option<&str>| LinkCensus {
        from: vec![FeedCensus {
            component: Some(from.into()),
            outbox: "out".to_owned(),
            feedback: false,
            messages: 10,
        }],
        to: to.map(Arc::from),
        inbox: to.map(|_| "in"),
        message: "alloc::string::String",
        across: false,
        is_fused: false,
        capacity: 16,
        messages: 10,
        bytes: to.is_none().then_some(99),
        queued: 4,
        fullest: 3,
        high_water: 5,
    };
    let blocked = State::WaitingForSpace {
        outbox: "out".to_owned(),
        blocked_by: Some("take".into()),
        culprit: Some("\"last\"".into()),
    };
    let waiting = State::WaitingForMessage {
        inboxes: vec!["in".to_owned()],
    };
    Census {
        uptime: Duration::from_millis(1500),
        workers: vec![
            WorkerCensus {
                index: 0,
                answers: true,
                at: None,
                running: 2,
                turns: 9,
            },
            WorkerCensus {
                index: 1,
                answers: false,
                at: Some(Place {
                    graph: "g".into(),
                    component: "c".into(),
                }),
                running: 0,
                turns: 0,
            },
        ],
        graphs: vec![GraphCensus {
            name: "a \"graph\"\nof \\ <two> lines".into(),
            shape: "0".repeat(16),
            started_by: None,
            workers: vec![0],
            running: 2,
            started: 2,
            failed: 0,
            oldest: Duration::from_secs(1),
            components: vec![
                component("make", blocked),
                component("take", waiting),
                component("\"last\"", State::WaitingForWorld),
            ],
            links: vec![
                link("make", Some("take")),
                link("take", Some("\"last\"")),
                link("\"last\"", None),
            ],
            worst: Vec::new(),
        }],
        faults: vec![FaultCensus {
            at: Duration::from_millis(250),
            place: Place {
                graph: "g".into(),
                component: "c".into(),
            },
            policy: "stop",
            text: "failed: \"x\"".to_owned(),
        }],
    }
}

async fn pass(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

async fn swallow(io: &mut Sink<u32>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}

/// Waits for the world, and takes nothing.
async fn sit(_: &mut Sink<u32>) -> Done {
    std::future::pending().await
}

fn count_to(
    last: u32,
) -> impl AsyncFnMut(&mut Source<u32>) -> Done + Send + Sync + Clone + 'static {
    async move |io: &mut Source<u32>| {
        for number in 0..last {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

/// Takes one census after another until one is as expected.
fn census_when(scheduler: &Scheduler, is_expected: impl Fn(&Census) -> bool) -> Census {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let census = scheduler.census();
        if is_expected(&census) {
            return census;
        }
        assert!(Instant::now() < deadline, "{census:#?}");
        thread::yield_now();
    }
}

fn graph<'a>(census: &'a Census, name: &str) -> &'a GraphCensus {
    let graph = census.graphs.iter().find(|graph| &*graph.name == name);
    graph.unwrap_or_else(|| panic!("no graph {name}: {census:#?}"))
}

fn component<'a>(graph: &'a GraphCensus, name: &str) -> &'a ComponentCensus {
    let mut components = graph.components.iter();
    components.find(|known| &*known.name == name).unwrap()
}

/// The states of a component of which there is one instance.
fn state<'a>(graph: &'a GraphCensus, name: &str) -> &'a State {
    match &component(graph, name).states[..] {
        [only] => &only.state,
        others => panic!("{others:?}"),
    }
}

fn settled(
    name: &'static str,
    component: &'static str,
    expected: State,
) -> impl Fn(&Census) -> bool {
    move |census| {
        let graph = census.graphs.iter().find(|graph| &*graph.name == name);
        graph.is_some_and(|graph| {
            let states = &self::component(graph, component).states;
            states.len() == 1 && states[0].state == expected
        })
    }
}

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
        let census = scheduler.census();
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
    let census = scheduler.census();
    let graph = self::graph(&census, "polled");
    assert_eq!(component(graph, "twice").polls, 2);
    assert_eq!(component(graph, "a thousand times").polls, 1000);
    assert!(
        census.workers[0].turns >= 4,
        "a turn has no more than 256 polls"
    );
}

#[derive(Ports)]
struct NoPorts {}

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
    let census = scheduler.census();
    let link = &self::graph(&census, "merged").links[0];
    let sent: Vec<_> = link.from.iter().map(|feed| feed.messages).collect();
    assert_eq!(sent, [3, 5, 7, 11]);
    assert!(link.across, "one of them is on a thread");
    assert_eq!((link.messages, link.queued), (26, 0));
}

/// Ten graphs send to one receiver, each three numbers; the last one waits for space, and no other.
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
    let census = scheduler.census();
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
    assert_eq!(scheduler.census().graphs[0].links[0].from[0].messages, 30);
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
    // 16 wait outside, and the thread has one in its hands.
    assert_eq!(counts(&graph.links[1]), (16, 16, 16));
    let first = &graph.links[0];
    assert_eq!((first.messages, first.queued), (20, 3));
    assert!(first.across && first.from.is_empty() && component(graph, "length").own_thread);

    drop(texts);
    assert_eq!(lengths.into_iter().sum::<usize>(), 80);
    running.wait().unwrap();
    let census = scheduler.census();
    let graph = self::graph(&census, "threaded");
    let counts = graph.links.iter().map(|link| (link.messages, link.queued));
    assert_eq!(counts.collect::<Vec<_>>(), [(20, 0), (20, 0)]);
}

#[test]
fn a_thread_waits_for_messages_or_runs() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("thread");
    let (gate, pass_gate) = flume::bounded::<()>(0);
    let work = graph.add(
        "work",
        blocking(move |io: &mut Sink<u32>| {
            while io.inbox.next_blocking().is_some() {
                let _ = pass_gate.recv();
            }
            Ok(())
        }),
    );
    let numbers = graph.feed(work.inbox);
    let running = scheduler.run(graph).unwrap();
    let waiting = State::WaitingForMessage {
        inboxes: vec!["inbox".to_owned()],
    };
    census_when(&scheduler, settled("thread", "work", waiting));
    numbers.send_blocking(1).unwrap();
    census_when(&scheduler, settled("thread", "work", State::Running));
    drop((numbers, gate));
    running.wait().unwrap();
}

#[test]
fn in_a_jam_each_names_who_holds_it_up_and_the_culprit() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("jam");
    let make = graph.add("make", count_to(1000));
    let first = graph.add("first", pass);
    let second = graph.add("second", pass);
    let last = graph.add("last", sit);
    graph.link(make.outbox, first.inbox).capacity(2);
    graph.link(first.outbox, second.inbox).capacity(3);
    graph.link(second.outbox, last.inbox).capacity(4);
    let running = scheduler.run(graph).unwrap();
    let blocked = |by: &str| State::WaitingForSpace {
        outbox: "outbox".to_owned(),
        blocked_by: Some(by.into()),
        culprit: Some("last".into()),
    };
    let census = census_when(&scheduler, settled("jam", "make", blocked("first")));
    let graph = self::graph(&census, "jam");
    assert_eq!(state(graph, "first"), &blocked("second"));
    assert_eq!(state(graph, "second"), &blocked("last"));
    assert_eq!(state(graph, "last"), &State::WaitingForWorld);
    let queued: Vec<_> = graph
        .links
        .iter()
        .map(|link| (link.queued, link.fullest))
        .collect();
    assert_eq!(queued, [(2, 2), (3, 3), (4, 4)]);
    assert!(component(graph, "make").states[0].longest > Duration::ZERO);
    assert_eq!((graph.running, &graph.workers[..]), (1, &[0][..]));
    drop(running);
}

#[derive(Ports)]
struct Two {
    left: Inbox<u32>,
    right: Inbox<u32>,
    both: Outbox<u32>,
}

#[test]
fn whoever_waits_at_several_inboxes_names_them_and_forgets_those_it_left() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("two");
    let either = graph.add("either", async |io: &mut Two| {
        // First at both, then at the right one alone.
        let (mut left, mut right) = (io.left.next(), io.right.next());
        std::future::poll_fn(|cx| {
            let _ = std::pin::Pin::new(&mut right).poll(cx);
            std::pin::Pin::new(&mut left).poll(cx)
        })
        .await;
        if let Some(number) = right.await {
            io.both.send(number).await?;
        }
        Ok(())
    });
    let (left, right) = (graph.add("left", pass), graph.add("right", pass));
    graph.link(left.outbox, either.left);
    graph.link(right.outbox, either.right);
    let (left, right) = (graph.feed(left.inbox), graph.feed(right.inbox));
    let both = graph.take(either.both);
    let running = scheduler.run(graph).unwrap();
    let waiting = |inboxes: &[&str]| State::WaitingForMessage {
        inboxes: inboxes.iter().map(ToString::to_string).collect(),
    };
    let census = census_when(
        &scheduler,
        settled("two", "either", waiting(&["left", "right"])),
    );
    assert_eq!(
        state(self::graph(&census, "two"), "left"),
        &waiting(&["inbox"])
    );
    left.send_blocking(1).unwrap();
    census_when(&scheduler, settled("two", "either", waiting(&["right"])));
    drop((left, right, both));
    running.wait().unwrap();
}

#[test]
fn who_has_ended_and_who_has_failed() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("tolerant");
    let make = graph.add("make", count_to(3));
    let fail = graph.add("fail", async |io: &mut Sink<u32>| {
        io.inbox.next().await;
        Err(End::fault("out of luck"))
    });
    graph.link(make.outbox, fail.inbox);
    let wait = graph.add("wait", swallow);
    let gate = graph.feed(wait.inbox);
    graph.supervise(|_| Policy::CarryOn);
    let running = scheduler.run(graph).unwrap();
    let census = census_when(&scheduler, settled("tolerant", "fail", State::Ended));
    let graph = self::graph(&census, "tolerant");
    assert_eq!(state(graph, "make"), &State::Ended);
    assert_eq!(
        (
            component(graph, "fail").faults,
            component(graph, "make").faults
        ),
        (1, 0)
    );
    assert_eq!((graph.running, graph.failed), (1, 0));
    let [fault] = &census.faults[..] else {
        panic!("{:?}", census.faults);
    };
    assert_eq!(
        (&*fault.place.component, fault.policy, &*fault.text),
        ("fail", "carry_on", "failed: out of luck")
    );
    assert!(fault.at <= census.uptime);
    drop(gate);
    running.wait().unwrap();

    for round in 1..=100 {
        let mut graph = Graph::new("strict");
        graph.add("fail", async move |_: &mut NoPorts| panic!("round {round}"));
        scheduler.run(graph).unwrap().wait().unwrap_err();
    }
    let census = scheduler.census();
    let graph = self::graph(&census, "strict");
    assert_eq!(
        (graph.running, graph.failed, component(graph, "fail").faults),
        (0, 100, 100)
    );
    let texts: Vec<_> = census
        .faults
        .iter()
        .map(|fault| (&*fault.text, fault.policy))
        .collect();
    assert_eq!(texts.len(), 64, "the latest ones");
    assert_eq!(
        (texts[0], texts[63]),
        (
            ("panicked: round 37", "stop"),
            ("panicked: round 100", "stop")
        )
    );
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
    let census = scheduler.census();
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
    /// So long each of its polls takes.
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
    let census = scheduler.census();
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

/// Takes a message, then sits until the gate is dropped.
async fn hold(gate: &watch::Receiver<()>, io: &mut Sink<u32>) -> Done {
    io.inbox.next().await;
    let _ = gate.clone().changed().await;
    Ok(())
}

/// A template whose seed says how many numbers are made; each instance lives until the gate is dropped.
fn holding(gate: &watch::Receiver<()>) -> Template<u32> {
    let mut graph = Graph::template("instance");
    let make = graph.add_seeded("make", |count: &mut u32| count_to(*count));
    let gate = gate.clone();
    let hold = graph.add("hold", async move |io: &mut Sink<u32>| {
        hold(&gate, io).await
    });
    graph.link(make.outbox, hold.inbox).capacity(8);
    graph.into_template().unwrap()
}

#[test]
fn ten_thousand_instances_are_summed_up_and_the_worst_singled_out() {
    const COUNT: u64 = 10_000;
    let (gate, shut) = watch::channel(());
    let template = holding(&shut);
    let scheduler = Scheduler::with_workers(2);
    for worker in 0..2 {
        let template = template.clone();
        let mut graph = Graph::new("spawner");
        graph.add("spawn", async move |_: &mut NoPorts| {
            let flows = Flows::new();
            for number in 0..COUNT / 2 {
                // One of them makes more than fits.
                let jammed = worker == 1 && number == 1234;
                flows.spawn(template.start(if jammed { 100 } else { 2 }));
            }
            flows.finished().await;
            Ok(())
        });
        scheduler
            .workers()
            .run(Placement::Worker(worker), graph)
            .unwrap();
    }
    let is_there = |census: &Census| {
        let graph = census
            .graphs
            .iter()
            .find(|graph| &*graph.name == "instance");
        graph.is_some_and(|graph| {
            graph.running == COUNT && component(graph, "hold").states.len() == 1
        })
    };
    let census = census_when(&scheduler, is_there);
    let graph = self::graph(&census, "instance");
    assert_eq!((graph.started, &graph.workers[..]), (COUNT, &[0, 1][..]));
    assert_eq!(
        graph.started_by.as_ref().map(|by| &*by.component),
        Some("spawn")
    );
    let make: Vec<_> = component(graph, "make")
        .states
        .iter()
        .map(|known| (known.count, known.state.clone()))
        .collect();
    let blocked = State::WaitingForSpace {
        outbox: "outbox".to_owned(),
        blocked_by: Some("hold".into()),
        culprit: Some("hold".into()),
    };
    assert_eq!(make, [(COUNT - 1, State::Ended), (1, blocked.clone())]);
    let link = &graph.links[0];
    // All but one have sent two, of which one is taken; the one has filled its link and sent the one that was taken.
    assert_eq!(link.messages, 2 * (COUNT - 1) + 9);
    assert_eq!(
        (link.queued, link.fullest, link.high_water),
        (COUNT - 1 + 8, 8, 8)
    );

    assert!(
        (3..=12).contains(&graph.worst.len()),
        "{}",
        graph.worst.len()
    );
    let jammed: Vec<_> = graph
        .worst
        .iter()
        .filter(|worst| worst.states.contains(&blocked))
        .collect();
    let [jammed] = jammed[..] else {
        panic!("{:#?}", graph.worst);
    };
    assert_eq!(
        (jammed.worker, jammed.queued, &jammed.depths[..]),
        (1, 8, &[8][..])
    );
    assert!(jammed.because.contains(&Because::MostQueued), "{jammed:?}");
    assert!(jammed.because.contains(&Because::LongestBlocked) && jammed.blocked > Duration::ZERO);
    let blocked = graph
        .worst
        .iter()
        .filter(|worst| worst.because.contains(&Because::LongestBlocked));
    assert_eq!(blocked.count(), 1, "nobody else is blocked");
    let oldest = graph
        .worst
        .iter()
        .filter(|worst| worst.because.contains(&Because::Oldest));
    assert_eq!(oldest.map(|worst| worst.age).max(), Some(graph.oldest));

    drop(gate);
    let census = census_when(&scheduler, |census| {
        self::graph(census, "instance").running == 0
    });
    let graph = self::graph(&census, "instance");
    assert_eq!(
        (graph.started, graph.oldest, graph.worst.len()),
        (COUNT, Duration::ZERO, 0)
    );
    assert_eq!((graph.links[0].queued, graph.links[0].high_water), (0, 8));
    assert!(graph.links[0].messages >= 2 * (COUNT - 1) + 9);
}

#[test]
fn graphs_inside_of_components_are_there_and_say_where() {
    let scheduler = Scheduler::with_workers(1);
    let mut outer = Graph::new("outer");
    let run = outer.add("run", async |io: &mut Sink<u32>| {
        let mut inner = Graph::new("inner");
        let wait = inner.add("wait", swallow);
        let gate = inner.feed(wait.inbox);
        let flow = std::pin::pin!(inner.start()?);
        let feed = std::pin::pin!(async {
            while let Some(number) = io.inbox.next().await {
                gate.send(number).await?;
            }
            drop(gate);
            Ok::<(), End>(())
        });
        let (mut flow, mut feed, mut is_fed) = (flow, feed, false);
        std::future::poll_fn(|cx| {
            is_fed = is_fed || feed.as_mut().poll(cx).is_ready();
            flow.as_mut().poll(cx).map(|_| ())
        })
        .await;
        Ok(())
    });
    let numbers = outer.feed(run.inbox);
    let running = scheduler.run(outer).unwrap();
    numbers.send_blocking(1).unwrap();
    let inner_got_one = |census: &Census| {
        census
            .graphs
            .iter()
            .any(|graph| &*graph.name == "inner" && graph.links[0].messages == 1)
    };
    let census = census_when(&scheduler, inner_got_one);
    let started_by = self::graph(&census, "inner").started_by.clone().unwrap();
    assert_eq!(
        (&*started_by.graph, &*started_by.component),
        ("outer", "run")
    );
    assert_eq!(self::graph(&census, "outer").started_by, None);
    assert_eq!(census.workers[0].running, 2);
    drop((numbers, running));
}

#[test]
fn a_worker_that_does_not_answer_is_named_with_what_it_is_at() {
    let scheduler = Scheduler::with_workers(2);
    let (gate, shut) = flume::bounded::<()>(0);
    let (reached, has_reached) = flume::bounded(1);
    let mut graph = Graph::new("crunch");
    graph.add("innocent", async |_: &mut NoPorts| Ok(()));
    graph.add("number cruncher", async move |_: &mut NoPorts| {
        reached.send(()).unwrap();
        let _ = shut.recv();
        Ok(())
    });
    let running = scheduler
        .workers()
        .run(Placement::Worker(1), graph)
        .unwrap();
    has_reached.recv().unwrap();
    let census = scheduler.census_within(Duration::from_millis(50));
    assert!(census.workers[0].answers || census.workers[0].at.is_none());
    let stuck = &census.workers[1];
    assert!(!stuck.answers);
    let at = stuck.at.clone().unwrap();
    assert_eq!((&*at.graph, &*at.component), ("crunch", "number cruncher"));
    drop(gate);
    running.wait().unwrap();
    let census = census_when(&scheduler, |census| census.workers[1].answers);
    assert_eq!(census.workers[1].at, None);
}

#[test]
fn a_census_is_taken_inside_and_while_all_drains() {
    let scheduler = Scheduler::with_workers(2);
    let workers = scheduler.workers().clone();
    let (gate, shut) = watch::channel(());
    let mut graph = Graph::new("draining");
    let make = graph.add("make", count_to(1));
    let hold = graph.add("hold", async move |io: &mut Sink<u32>| {
        hold(&shut, io).await
    });
    graph.link(make.outbox, hold.inbox);
    scheduler.run(graph).unwrap();
    let stopping = thread::spawn(move || scheduler.stop(PATIENCE));
    // However far the stop has come.
    for _ in 0..100 {
        let census = crate::testing::block_on(workers.census_within(PATIENCE));
        assert_eq!(self::graph(&census, "draining").started, 1);
    }
    drop(gate);
    assert!(stopping.join().unwrap(), "it drained");
}

#[test]
fn a_census_during_load_disturbs_nothing() {
    const COUNT: u32 = 200_000;
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("load");
    let make = graph.add("make", count_to(COUNT));
    let pass = graph.add("pass", pass);
    graph.link(make.outbox, pass.inbox);
    let numbers = graph.take(pass.outbox);
    let running = scheduler.run(graph).unwrap();
    let reader = thread::spawn(move || numbers.into_iter().eq(0..COUNT));
    let (mut last, mut taken) = (0, 0);
    while last < u64::from(COUNT) {
        let census = scheduler.census();
        assert!(census.workers[0].answers);
        let link = &self::graph(&census, "load").links[0];
        assert!(link.messages >= last && link.queued <= 16, "{link:?}");
        last = link.messages;
        taken += 1;
    }
    assert!(
        reader.join().unwrap(),
        "every message, in order, {taken} censuses"
    );
    running.wait().unwrap();
}

#[test]
fn json_says_what_the_values_say() {
    let json: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
    let expected = serde_json::json!({
        "uptime_seconds": 1.5,
        "workers": [
            {"index": 0, "answers": true, "at": null, "running": 2, "turns": 9},
            {"index": 1, "answers": false, "at": {"graph": "g", "component": "c"}, "running": 0, "turns": 0},
        ],
        "faults": [
            {"at_seconds": 0.25, "graph": "g", "component": "c", "policy": "stop", "text": "failed: \"x\""},
        ],
    });
    for key in ["uptime_seconds", "workers", "faults"] {
        assert_eq!(json[key], expected[key]);
    }
    let graph = &json["graphs"][0];
    assert_eq!(graph["name"], "a \"graph\"\nof \\ <two> lines");
    assert_eq!(graph["oldest_seconds"], 1.0);
    assert_eq!(
        graph["components"][0],
        serde_json::json!({
            "name": "make", "kind": "a::b", "file": "c.rs", "line": 7, "own_thread": false, "is_fused": false,
            "states": [{
                "state": "waiting_for_space", "outbox": "out", "blocked_by": "take", "culprit": "\"last\"",
                "count": 2, "longest_seconds": 0.0,
            }],
            "polls": 8, "busy_seconds": 0.5, "faults": 1, "restarts": 0,
        })
    );
    assert_eq!(
        graph["links"][2],
        serde_json::json!({
            "from": [{"component": "\"last\"", "outbox": "out", "feedback": false, "messages": 10}],
            "to": null, "inbox": null, "message": "alloc::string::String", "across": false, "is_fused": false,
            "capacity": 16, "messages": 10, "bytes": 99, "queued": 4, "fullest": 3, "high_water": 5,
        })
    );
}

#[test]
fn functions_that_are_fused_are_listed_and_the_wait_is_that_of_who_is_behind_them() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("fused");
    let make = graph.add("make", count_to(100));
    let double = graph.add("double", crate::map(|number: u32| 2 * number));
    let take = graph.add("take", sit);
    graph.link(make.outbox, double.inbox).capacity(2);
    graph.link(double.outbox, take.inbox);
    let running = scheduler.run(graph).unwrap();
    let blocked = State::WaitingForSpace {
        outbox: "outbox".to_owned(),
        blocked_by: Some("take".into()),
        culprit: Some("take".into()),
    };
    let census = census_when(&scheduler, settled("fused", "make", blocked));
    let graph = self::graph(&census, "fused");
    let names: Vec<_> = graph
        .components
        .iter()
        .map(|known| (&*known.name, known.is_fused))
        .collect();
    assert_eq!(names, [("make", false), ("take", false), ("double", true)]);
    let links: Vec<_> = graph
        .links
        .iter()
        .map(|link| {
            (
                link.from_label(),
                link.to_label(),
                link.is_fused,
                link.queued,
            )
        })
        .collect();
    assert_eq!(
        links[0],
        (
            "make.outbox".to_owned(),
            "double.inbox".to_owned(),
            false,
            2
        )
    );
    assert_eq!(
        links[1],
        ("double.outbox".to_owned(), "take.inbox".to_owned(), true, 0)
    );
    drop(running);
}
