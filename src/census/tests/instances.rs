//! Many graphs of one kind, and graphs inside components.

use super::*;

/// A template whose seed sets how many numbers are made. Each instance lives until the gate is
/// dropped.
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
    // All but one have sent two numbers, and one of these is taken. The remaining one has filled
    // its link and sent the number that was taken.
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
