//! The states of components in a census.

use super::*;

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
        // First at both, then only at the right one.
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
    let census = scheduler.census_within(PATIENCE);
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
