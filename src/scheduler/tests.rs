//! Where graphs run, and how they end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Flows, Placement, RunError, Running, Scheduler, WorkerOptions, Workers, stopping, workers,
};
use crate::{Done, End, Graph, GraphError, Pipe, Receiver, Sink, Source, blocking, unblock};

/// Long enough for anything that must happen.
const AGES: Duration = Duration::from_secs(30);

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// A graph whose component reports the thread that it runs on.
fn where_it_runs() -> (Graph, Receiver<String>) {
    let mut graph = Graph::new("where");
    let say = graph.add("say", async |io: &mut Source<String>| {
        Ok(io.outbox.send(thread_name()).await?)
    });
    let names = graph.take(say.outbox);
    (graph, names)
}

fn name_of(workers: &Workers, placement: Placement) -> String {
    let (graph, mut names) = where_it_runs();
    workers.run(placement, graph).unwrap();
    names.next_blocking().unwrap()
}

/// A graph that passes numbers on, with both ends of it.
fn copying() -> (Graph, crate::Sender<u32>, Receiver<u32>) {
    let mut graph = Graph::new("copying");
    let copy = graph.add("copy", async |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next().await {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let (numbers, copies) = (graph.feed(copy.inbox), graph.take(copy.outbox));
    (graph, numbers, copies)
}

/// A graph of one component that does not end by itself.
fn endless() -> Graph {
    let mut graph = Graph::new("endless");
    graph.add("wait", async |_: &mut NoPorts| {
        std::future::pending::<Done>().await
    });
    graph
}

#[derive(crate::Ports)]
struct NoPorts {}

#[test]
fn a_graph_runs_on_the_worker_that_it_is_given() {
    let scheduler = Scheduler::with_workers(3);
    let workers = scheduler.workers();
    for worker in 0..6 {
        let expected = format!("worker {}", worker % 3);
        assert_eq!(name_of(workers, Placement::Worker(worker)), expected);
    }
}

#[test]
fn any_worker_is_each_in_its_turn() {
    let scheduler = Scheduler::with_workers(3);
    let mut names: Vec<_> = (0..3)
        .map(|_| name_of(scheduler.workers(), Placement::Any))
        .collect();
    names.sort();
    assert_eq!(names, ["worker 0", "worker 1", "worker 2"]);
}

#[test]
fn here_is_the_worker_that_asks() {
    let scheduler = Scheduler::with_workers(3);
    let mut graph = Graph::new("asking");
    let ask = graph.add("ask", async |io: &mut Source<(String, String)>| {
        let (graph, mut names) = where_it_runs();
        workers().run(Placement::Here, graph)?.finished().await?;
        let there = names.next().await.unwrap_or_default();
        Ok(io.outbox.send((thread_name(), there)).await?)
    });
    let mut answers = graph.take(ask.outbox);
    scheduler
        .workers()
        .run(Placement::Worker(2), graph)
        .unwrap();
    let (here, there) = answers.next_blocking().unwrap();
    assert_eq!((here.as_str(), there.as_str()), ("worker 2", "worker 2"));
}

#[test]
fn a_stop_ends_the_sources_and_what_was_accepted_drains() {
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("counting");
    let count = graph.add("count", async |io: &mut Source<u64>| {
        for number in 0.. {
            io.outbox.send(number).await?;
            if number == 1000 {
                // Nothing more will be sent. Only the stop request ends this.
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    });
    let add_up = graph.add("add up", async |io: &mut Pipe<u64, u64>| {
        let mut sum = 0;
        while let Some(number) = io.inbox.next().await {
            sum += number;
            if number == 1000 {
                io.outbox.send(sum).await?;
            }
        }
        Ok(io.outbox.send(sum).await?)
    });
    graph.link(count.outbox, add_up.inbox);
    let mut sums = graph.take(add_up.outbox);
    scheduler.run(graph).unwrap();
    assert_eq!(sums.next_blocking(), Some(500_500), "all numbers have come");
    assert!(scheduler.stop(AGES).is_ok(), "everything drained");
    assert_eq!(sums.next_blocking(), Some(500_500), "the end came too");
    assert_eq!(sums.next_blocking(), None);
}

#[test]
fn what_does_not_drain_is_dropped_at_the_deadline() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let scheduler = Scheduler::with_workers(1);
    let is_dropped = Arc::new(AtomicBool::new(false));
    let dropped = Dropped(is_dropped.clone());
    let (mut graph, numbers, copies) = copying();
    graph.add("hold", async move |io: &mut HoldPorts| {
        let _held = &dropped;
        let _ = io.never.is_some();
        std::future::pending::<Done>().await
    });
    let running = scheduler.run(graph).unwrap();
    numbers.send_blocking(1).unwrap();
    let left = scheduler.stop(Duration::from_millis(20)).unwrap_err();
    assert_eq!(
        left.to_string(),
        "not everything has ended in time: graph `copying` was dropped"
    );
    assert!(is_dropped.load(Ordering::SeqCst));
    assert_eq!(copies.into_iter().collect::<Vec<_>>(), [1]);
    assert!(
        numbers.send_blocking(2).is_err(),
        "nobody is there any more"
    );
    let cut = running.wait().unwrap_err().to_string();
    assert!(cut.starts_with("graph `copying` was cut off"), "{cut}");
}

#[derive(crate::Ports)]
struct HoldPorts {
    never: Option<crate::Inbox<u32>>,
}

#[test]
fn one_graph_can_be_stopped_while_others_run() {
    let scheduler = Scheduler::with_workers(1);
    let stopped = scheduler.run(endless()).unwrap();
    let (graph, numbers, mut copies) = copying();
    let other = scheduler.run(graph).unwrap();
    stopped.stop();
    ended(&stopped);
    numbers.send_blocking(7).unwrap();
    assert_eq!(copies.next_blocking(), Some(7));
    assert!(other.wait_until(Instant::now()).is_none());
}

fn ended(running: &Running) {
    let outcome = running.wait_until(Instant::now() + AGES);
    assert!(matches!(outcome, Some(Ok(()))), "{outcome:?}");
}

#[test]
fn a_fault_takes_no_worker_down() {
    let scheduler = Scheduler::with_workers(1);
    for panics in [false, true] {
        let mut graph = Graph::new("failing");
        graph.add("fail", async move |_: &mut NoPorts| -> Done {
            assert!(!panics, "on purpose");
            Err(End::fault("on purpose too"))
        });
        let fault = scheduler.run(graph).unwrap().wait().unwrap_err();
        let fault = fault.fault().unwrap();
        assert_eq!((fault.graph(), fault.component()), ("failing", "fail"));
        assert!(fault.to_string().contains("on purpose"), "{fault}");
    }
    assert_eq!(name_of(scheduler.workers(), Placement::Any), "worker 0");
}

#[test]
fn spawned_flows_hear_of_the_stop_and_are_waited_for() {
    let scheduler = Scheduler::with_workers(1);
    let (told, mut tellings) = crate::link::<&str>(4);
    let mut graph = Graph::new("spawning");
    let spawner = graph.add("spawn", async move |io: &mut Sink<()>| {
        let flows = Flows::new();
        let mut inner = Graph::new("inner");
        let told = told.clone();
        inner.add("told", async move |_: &mut NoPorts| {
            told.send("running").await?;
            stopping().await;
            Ok(told.send("stopping").await?)
        });
        flows.spawn(inner.start()?);
        while io.inbox.next().await.is_some() {}
        flows.finished().await;
        Ok(())
    });
    let source = graph.add("source", async |io: &mut Source<()>| {
        io.outbox.closed().await;
        Ok(())
    });
    graph.link(source.outbox, spawner.inbox);
    scheduler.run(graph).unwrap();
    assert_eq!(tellings.next_blocking(), Some("running"));
    scheduler.stop(AGES).unwrap();
    assert_eq!(tellings.next_blocking(), Some("stopping"));
}

#[test]
fn a_component_that_blocks_holds_nobody_up() {
    let scheduler = Scheduler::with_workers(1);
    let (gate, mut opened) = crate::link::<()>(1);
    let mut graph = Graph::new("blocking");
    let wait = graph.add(
        "wait",
        blocking(move |io: &mut Source<String>| {
            opened.next_blocking();
            Ok(io.outbox.send_blocking(thread_name())?)
        }),
    );
    let mut names = graph.take(wait.outbox);
    scheduler.run(graph).unwrap();
    // The only worker answers, although the graph that it runs is blocked.
    assert_eq!(name_of(scheduler.workers(), Placement::Any), "worker 0");
    gate.send_blocking(()).unwrap();
    assert!(names.next_blocking().unwrap().ends_with("wait"));
}

#[test]
fn jobs_that_block_run_beside_each_other_and_their_panics_come_back() {
    // None passes the barrier before all are there.
    const JOBS: usize = 8;
    let barrier = Arc::new(Barrier::new(JOBS));
    let scheduler = Scheduler::with_workers(1);
    let graphs: Vec<_> = (0..JOBS)
        .map(|_| {
            let barrier = barrier.clone();
            let mut graph = Graph::new("job");
            graph.add("job", async move |_: &mut NoPorts| {
                let barrier = barrier.clone();
                unblock(move || barrier.wait()).await;
                Ok(())
            });
            scheduler.run(graph).unwrap()
        })
        .collect();
    graphs.iter().for_each(ended);
    let mut graph = Graph::new("panicking");
    graph.add("job", async |_: &mut NoPorts| {
        unblock(|| panic!("in a job")).await
    });
    let fault = scheduler.run(graph).unwrap().wait().unwrap_err();
    assert!(fault.to_string().contains("in a job"), "{fault}");
}

/// A component that blocks its worker until the gate is opened, and reports when it begins.
fn blocking_badly() -> (Graph, Arc<Barrier>, Arc<Barrier>) {
    let (begun, gate) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (begin, open) = (begun.clone(), gate.clone());
    let mut graph = Graph::new("bad");
    graph.add("block", async move |_: &mut NoPorts| {
        begin.wait();
        open.wait();
        std::future::pending::<Done>().await
    });
    (graph, begun, gate)
}

/// Where [`blocking_badly`] adds its component.
const ADDED_AT: &str =
    "worker 0 is blocked by component `block` of graph `bad`, added at src/scheduler/tests.rs:";

#[test]
fn a_component_that_blocks_its_worker_does_not_keep_a_stop_from_its_deadline() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, begun, gate) = blocking_badly();
    let running = scheduler.run(graph).unwrap();
    begun.wait();
    let left = scheduler.stop(Duration::from_millis(1)).unwrap_err();
    let text = left.to_string();
    assert!(text.contains(ADDED_AT), "{text}");
    assert_eq!(left.blocked()[0].worker, 0);
    gate.wait();
    assert!(
        running.wait_until(Instant::now() + AGES).is_some(),
        "the worker that was left behind comes to its end too"
    );
}

#[test]
fn a_component_that_blocks_its_worker_does_not_keep_stop_within_from_its_deadline() {
    let scheduler = Scheduler::with_workers(1);
    let (graph, begun, gate) = blocking_badly();
    let running = scheduler.run(graph).unwrap();
    begun.wait();
    let error = running.stop_within(Duration::from_millis(1)).unwrap_err();
    let text = error.to_string();
    let expected = format!("graph `bad` could not be dropped at its deadline: {ADDED_AT}");
    assert!(text.starts_with(&expected), "{text}");
    gate.wait();
    scheduler.stop(AGES).unwrap();
}

#[test]
fn a_component_that_blocks_its_worker_does_not_keep_the_drop_of_its_scheduler() {
    let scheduler = Scheduler::with_workers(2);
    let (graph, begun, gate) = blocking_badly();
    let running = scheduler.run(graph).unwrap();
    begun.wait();
    drop(scheduler);
    assert!(
        running.wait_until(Instant::now()).is_none(),
        "its worker has been left behind"
    );
    gate.wait();
    assert!(matches!(running.wait(), Err(RunError::CutOff { .. })));
}

#[test]
fn a_graph_that_has_not_come_to_its_end_is_told_from_one_that_has() {
    // Dropped before its end, because its scheduler is dropped.
    let scheduler = Scheduler::with_workers(1);
    let workers = scheduler.workers().clone();
    let (waited, until) = (scheduler.run(endless()), scheduler.run(endless()));
    let finished = scheduler.run(endless()).unwrap();
    drop(scheduler);
    assert!(matches!(
        waited.unwrap().wait(),
        Err(RunError::CutOff { .. })
    ));
    let until = until.unwrap().wait_until(Instant::now() + AGES);
    assert!(matches!(until, Some(Err(RunError::CutOff { .. }))));
    let finished = crate::testing::block_on(finished.finished());
    assert!(matches!(finished, Err(RunError::CutOff { .. })));

    // Never run, because its scheduler is gone, or accepts nothing more.
    let stopped = |outcome: Result<Running, GraphError>| {
        let text = outcome.unwrap_err().to_string();
        assert_eq!(
            text,
            "graph `endless` cannot be run: its scheduler has been stopped or dropped"
        );
    };
    stopped(workers.run(Placement::Any, endless()));
    let scheduler = Scheduler::with_workers(1);
    scheduler.begin_stop();
    stopped(scheduler.run(endless()));
}

/// A component that panics when it is started.
struct Broken;

impl crate::Component<NoPorts> for Broken {
    fn start(self, _: NoPorts) -> crate::Started {
        panic!("no luck")
    }
}

#[test]
fn a_graph_that_panics_when_it_is_started_says_so() {
    let mut graph = Graph::new("broken");
    graph.add("break", Broken);
    let scheduler = Scheduler::with_workers(1);
    let error = scheduler.run(graph).unwrap().wait().unwrap_err();
    assert_eq!(
        error.to_string(),
        "graph `broken` could not be started: what makes its components panicked: no luck"
    );
    assert_eq!(name_of(scheduler.workers(), Placement::Any), "worker 0");
}

#[test]
fn a_call_that_would_block_a_worker_panics_and_says_what_to_use() {
    type Call = fn(Scheduler, Running);
    let calls: [(&str, Call); 8] = [
        ("`wait`", |_, running| drop(running.wait())),
        ("`wait_until`", |_, running| {
            running.wait_until(Instant::now() + AGES);
        }),
        ("`stop_within`", |_, running| {
            drop(running.stop_within(AGES));
        }),
        ("`next_blocking`", |_, _| {
            let (_sender, mut receiver) = crate::link::<u32>(1);
            receiver.next_blocking();
        }),
        ("`send_blocking`", |_, _| {
            let (sender, _receiver) = crate::link::<u32>(1);
            sender.send_blocking(1).unwrap();
            let _ = sender.send_blocking(2);
        }),
        ("`Scheduler::census`", |scheduler, _| {
            scheduler.census();
        }),
        ("`Scheduler::stop`", |scheduler, _| {
            drop(scheduler.stop(AGES));
        }),
        ("`until_ctrl_c`", |scheduler, _| {
            drop(scheduler.until_ctrl_c(AGES));
        }),
    ];
    for (name, call) in calls {
        let scheduler = Scheduler::with_workers(1);
        let other = Scheduler::with_workers(1);
        let running = other.run(endless()).unwrap();
        let mut both = Some((other, running));
        let mut graph = Graph::new("calling");
        graph.add("call", async move |_: &mut NoPorts| {
            let (scheduler, running) = both.take().unwrap();
            call(scheduler, running);
            Ok(())
        });
        let text = scheduler
            .run(graph)
            .unwrap()
            .wait()
            .unwrap_err()
            .to_string();
        let expected = format!("{name} would block worker 0 and all that runs there: use ");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn what_is_there_is_taken_on_a_worker_without_a_wait() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("quick");
    graph.add("take", async |_: &mut NoPorts| {
        let (sender, mut receiver) = crate::link::<u32>(1);
        sender.send_blocking(7).map_err(|_| End::fault("closed"))?;
        assert_eq!(receiver.next_blocking(), Some(7));
        drop(sender);
        assert_eq!(receiver.next_blocking(), None);
        Ok(())
    });
    scheduler.run(graph).unwrap().wait().unwrap();
}

#[test]
fn a_scheduler_may_be_dropped_on_its_own_worker() {
    let scheduler = Scheduler::with_workers(2);
    let workers = scheduler.workers().clone();
    let (hand_over, mut handed) = crate::link::<Scheduler>(1);
    let (tell, mut told) = crate::link::<&str>(2);
    let mut graph = Graph::new("last");
    graph.add("drop", async move |_: &mut NoPorts| {
        let scheduler = handed.next().await;
        drop(scheduler);
        Ok(tell.send("it goes on").await?)
    });
    workers.run(Placement::Worker(1), graph).unwrap();
    hand_over.send_blocking(scheduler).unwrap();
    assert_eq!(told.next_blocking(), Some("it goes on"));
    assert_eq!(told.next_blocking(), None);
}

#[test]
fn workers_have_the_names_and_the_stacks_that_they_are_given() {
    let options = WorkerOptions::new()
        .count(2)
        .name("media")
        .stack_size(64 << 20);
    let scheduler = Scheduler::with_options(&options);
    assert_eq!(
        name_of(scheduler.workers(), Placement::Worker(1)),
        "media 1"
    );
    let mut graph = Graph::new("deep");
    graph.add("descend", async |_: &mut NoPorts| {
        assert_eq!(descend(12), 12);
        Ok(())
    });
    scheduler.run(graph).unwrap().wait().unwrap();
}

/// Uses a megabyte of stack for each step.
fn descend(steps: usize) -> usize {
    let room = std::hint::black_box([0_u8; 1 << 20]);
    let below = if steps == 0 {
        0
    } else {
        1 + descend(steps - 1)
    };
    below + usize::from(std::hint::black_box(room)[steps])
}
