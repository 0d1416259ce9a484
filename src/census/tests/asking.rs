//! Censuses of workers that are busy, ending, or do not answer.

use super::*;

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
    // At every stage of the stop.
    for _ in 0..100 {
        let census = crate::testing::block_on(workers.census_within(PATIENCE));
        assert_eq!(self::graph(&census, "draining").started, 1);
    }
    drop(gate);
    assert!(stopping.join().unwrap().is_ok(), "it drained");
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
    let deadline = Instant::now() + 3 * PATIENCE;
    while last < u64::from(COUNT) {
        assert!(Instant::now() < deadline, "{last} of {COUNT}");
        let census = scheduler.census_within(PATIENCE);
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
fn patience_without_end_is_no_mistake() {
    let scheduler = Scheduler::with_workers(1);
    assert!(scheduler.census_within(Duration::MAX).workers[0].answers);
    let census = crate::testing::block_on(scheduler.workers().census_within(Duration::MAX));
    assert!(census.workers[0].answers);
}
