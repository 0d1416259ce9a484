//! The guarantees of a simulation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::{Report, Simulation, SimulationError};
use crate::{
    Done, End, Flows, Graph, Inbox, Outbox, Pipe, Placement, Ports, Sink, Source, blocking,
    compute, random, spawn, time, unblock, workers,
};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Ports)]
struct NoPorts {}

/// The ports of [`zigzag`].
#[derive(Ports)]
struct ZigzagPorts {
    left: Inbox<u64>,
    right: Inbox<u64>,
    both: Outbox<u64>,
}

/// Passes on the first message from either inbox, after a delay, and computes.
async fn zigzag(io: &mut ZigzagPorts) -> Done {
    let (mut sum, mut open) = (0_u64, 2);
    while open > 0 {
        let number = match random::chance(0.5) {
            true => io.left.next().await,
            false => io.right.next().await,
        };
        let Some(number) = number else {
            open -= 1;
            continue;
        };
        sum = sum.wrapping_mul(31).wrapping_add(number);
        if random::chance(0.1) {
            time::sleep(random::duration(HOUR)).await;
        }
        let sent = match random::usize(..20) {
            0 => unblock(move || sum).await,
            1 => compute(move || sum).await,
            _ => sum,
        };
        io.both.send(sent).await?;
    }
    Ok(())
}

async fn count(io: &mut Source<u64>) -> Done {
    for number in 0..60 {
        io.outbox.send(number).await?;
    }
    Ok(())
}

/// Twenty components that wait for each other in circles, and spawn graphs on this worker and on
/// others. Returns their output.
fn many_components() -> (Graph, Arc<Mutex<Vec<u64>>>) {
    let mut graph = Graph::new("many");
    let results = Arc::new(Mutex::new(Vec::new()));
    let mut last = graph.add("first", count).outbox;
    for stage in 0..9 {
        let source = graph.add(&format!("source {stage}"), count);
        let zigzag = graph.add(&format!("zigzag {stage}"), zigzag);
        graph.link(last, zigzag.left).capacity(1 + stage % 3);
        graph.link(source.outbox, zigzag.right).capacity(1);
        last = zigzag.both;
    }
    let into = results.clone();
    let last_one = graph.add("last", async move |io: &mut Sink<u64>| {
        let flows = Flows::new();
        while let Some(number) = io.inbox.next().await {
            let into = into.clone();
            let mut inner = Graph::new("inner");
            inner.add("keep", async move |_: &mut NoPorts| {
                time::sleep(random::duration(Duration::from_millis(3))).await;
                into.lock().unwrap().push(number);
                Ok(())
            });
            match random::usize(..3) {
                0 => flows.spawn(inner.start()?),
                1 => spawn(inner.start()?),
                _ => workers().run(Placement::Any, inner)?.finished().await?,
            }
        }
        flows.finished().await;
        Ok(())
    });
    graph.link(last, last_one.inbox);
    (graph, results)
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    let run = |seed| {
        let (graph, results) = many_components();
        let report = Simulation::seed(seed)
            .workers(3)
            .traced()
            .run(graph)
            .unwrap();
        let results = results.lock().unwrap().clone();
        (
            report.trace().unwrap().to_owned(),
            report.fingerprint(),
            results,
        )
    };
    for seed in 0..20 {
        let (trace, fingerprint, results) = run(seed);
        assert!(trace.lines().count() > 500 && results.len() > 20);
        assert!(trace.contains("worker 2 inner/keep") && trace.contains("pool job"));
        let again = run(seed);
        assert!(trace == again.0, "seed {seed}: the traces differ");
        assert_eq!((fingerprint, &results), (again.1, &again.2));
        let other = run(seed + 1000);
        assert_ne!((trace, fingerprint), (other.0, other.1));
    }
}

/// Runs a graph of a single component.
fn run_one(
    component: impl AsyncFnMut(&mut NoPorts) -> Done + Send + 'static,
) -> Result<Report, SimulationError> {
    let mut graph = Graph::new("alone");
    graph.add("one", component);
    Simulation::seed(1).run(graph)
}

#[test]
fn an_hour_passes_in_no_time_and_the_calendar_with_it() {
    let began = std::time::Instant::now();
    let report = run_one(async |_| {
        let (before, date) = (time::now(), time::wall_clock());
        let mut timer = time::Timer::new();
        timer.set(before + 30 * HOUR);
        timer.set(before + HOUR);
        timer.expired().await;
        time::sleep(HOUR).await;
        assert!((2 * HOUR..3 * HOUR).contains(&(time::now() - before)));
        assert_eq!(
            time::wall_clock().duration_since(date).unwrap(),
            time::now() - before
        );
        assert!(date.duration_since(UNIX_EPOCH).unwrap() >= Duration::from_secs(1_767_225_600));
        assert_eq!(time::turn(), time::now());
        Ok(())
    });
    assert!(report.unwrap().elapsed() >= 2 * HOUR);
    assert!(began.elapsed() < HOUR);
    assert!(
        time::now().elapsed() < HOUR,
        "outside it is the world's time"
    );
}

#[test]
fn whatever_may_come_in_any_order_does() {
    let mut seen = [0; 2];
    for seed in 0..50 {
        let first = Arc::new(AtomicU64::new(0));
        let mut graph = Graph::new("race");
        for name in [1, 2] {
            let first = first.clone();
            graph.add(&format!("racer {name}"), async move |_: &mut NoPorts| {
                let _ = first.compare_exchange(0, name, Ordering::Relaxed, Ordering::Relaxed);
                Ok(())
            });
        }
        Simulation::seed(seed).run(graph).unwrap();
        seen[first.load(Ordering::Relaxed) as usize - 1] += 1;
    }
    assert!(seen.iter().all(|&times| times > 10), "{seen:?}");
}

#[test]
fn what_waits_for_ever_is_named() {
    let mut graph = Graph::new("outer");
    graph.add("hold", async |_: &mut NoPorts| {
        let mut inner = Graph::new("inner");
        inner.add("deaf", async |_: &mut NoPorts| std::future::pending().await);
        inner.add("mute", async |_: &mut NoPorts| std::future::pending().await);
        Ok(inner.start()?.await?)
    });
    let error = Simulation::seed(1)
        .beside("watcher", async || std::future::pending().await)
        .run(graph)
        .unwrap_err();
    let SimulationError::Stalled { mut waiting, .. } = error else {
        panic!("{error}");
    };
    waiting.sort();
    assert_eq!(
        waiting,
        [
            "inner/deaf (waits for something that is no link and no timer)",
            "inner/mute (waits for something that is no link and no timer)",
            "outer/hold (waits for a graph inside of it)",
            "watcher (waits for something that is no timer)"
        ]
    );
}

#[test]
fn a_simulation_that_times_out_says_who_waits_for_what() {
    let mut graph = Graph::new("stuck");
    let source = graph.add("source", count);
    let stall = graph.add("stall", async |_: &mut Pipe<u64, u64>| {
        loop {
            time::sleep(HOUR).await;
        }
    });
    let sink = graph.add("sink", async |io: &mut Sink<u64>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(source.outbox, stall.inbox).capacity(1);
    graph.link(stall.outbox, sink.inbox);
    let error = Simulation::seed(3)
        .time_out(2 * HOUR)
        .beside("clock", async || time::sleep(9 * HOUR).await)
        .run(graph)
        .unwrap_err();
    let SimulationError::TimedOut { mut waiting, .. } = error else {
        panic!("{error}");
    };
    waiting.sort();
    assert_eq!(
        waiting,
        [
            "clock (waits for a timer)",
            "stuck/sink (waits for a message at `inbox`)",
            "stuck/source (waits for space at `outbox`, from which `stall` does not take)",
            "stuck/stall (waits for a timer)",
        ]
    );
}

/// Waits again and again for moments that have passed already.
async fn wait_for_nothing(kind: usize) -> Done {
    match kind {
        0 => loop {
            time::sleep(Duration::ZERO).await;
        },
        _ => {
            let mut timer = time::Timer::new();
            loop {
                timer.set(time::now());
                timer.expired().await;
            }
        }
    }
}

#[test]
fn what_sleeps_for_no_time_lets_others_run_and_is_within_the_limits() {
    for seed in 0..20 {
        for kind in 0..2 {
            let mut graph = Graph::new("restless");
            graph.add("one", async move |_: &mut NoPorts| {
                wait_for_nothing(kind).await
            });
            let told = Arc::new(AtomicU64::new(0));
            let tell = told.clone();
            let error = Simulation::seed(seed)
                .polls(10_000)
                .beside("other", async move || {
                    time::sleep(Duration::from_micros(50)).await;
                    tell.store(1, Ordering::Relaxed);
                })
                .run(graph)
                .unwrap_err();
            assert!(
                matches!(error, SimulationError::Spinning { polls: 10_000 }),
                "{error}"
            );
            assert_eq!(told.load(Ordering::Relaxed), 1, "the other has run");
        }
    }
}

#[test]
fn failures_are_told_apart() {
    let text = |outcome: Result<Report, SimulationError>| outcome.unwrap_err().to_string();
    let graph = || Graph::new("empty");
    let cases: [(&str, Result<Report, SimulationError>); 8] = [
        (
            "component `one` of graph `alone` failed: out of luck",
            run_one(async |_| Err(End::fault("out of luck"))),
        ),
        (
            "component `one` of graph `alone` panicked: on purpose",
            run_one(async |_| panic!("on purpose")),
        ),
        (
            "client panicked: too slow",
            Simulation::seed(1)
                .beside("client", async || panic!("too slow"))
                .run(graph()),
        ),
        (
            "not at its end after 60 s; still there: alone/one (waits for a timer)",
            {
                let mut graph = Graph::new("alone");
                graph.add("one", async |_: &mut NoPorts| {
                    loop {
                        time::sleep(Duration::from_secs(7)).await
                    }
                });
                Simulation::seed(1)
                    .time_out(Duration::from_secs(60))
                    .run(graph)
            },
        ),
        ("not at its end after 1000 polls: something spins", {
            let mut graph = Graph::new("alone");
            graph.add("one", async |_: &mut NoPorts| {
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    std::task::Poll::Pending
                })
                .await
            });
            Simulation::seed(1).polls(1000).run(graph)
        }),
        (
            "component `alone/one` cannot be simulated, because it has a thread of its own",
            {
                let mut graph = Graph::new("alone");
                graph.add("one", blocking(|_: &mut NoPorts| Ok(())));
                Simulation::seed(1).run(graph)
            },
        ),
        (
            "component `one` of graph `alone` panicked: `next_blocking` would block the only thread of a simulation",
            run_one(async |_| {
                crate::link::<()>(1).1.next_blocking();
                let (_sender, mut receiver) = crate::link::<()>(1);
                receiver.next_blocking();
                Ok(())
            }),
        ),
        ("the inbox `inbox` of component `pipe` is not linked", {
            let mut graph = Graph::new("open");
            let _ = graph.add("pipe", async |_: &mut Pipe<u8, u8>| Ok(()));
            Simulation::seed(1).run(graph)
        }),
    ];
    for (expected, outcome) in cases {
        let text = text(outcome);
        assert!(text.contains(expected), "{text:?} instead of {expected:?}");
    }
}

#[test]
fn faults_of_spawned_graphs_are_reported() {
    let report = run_one(async |_| {
        let mut graph = Graph::new("spawned");
        graph.add("weak", async |_: &mut NoPorts| {
            Err(End::fault("of its own"))
        });
        spawn(graph.start()?);
        Ok(())
    });
    let faults: Vec<_> = report
        .unwrap()
        .faults()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        ["component `weak` of graph `spawned` failed: of its own"]
    );
}

#[test]
fn a_stop_drains() {
    for seed in 0..100 {
        let sent = Arc::new(AtomicU64::new(0));
        let came = Arc::new(AtomicU64::new(0));
        let (count_sent, count_came) = (sent.clone(), came.clone());
        let mut graph = Graph::new("endless");
        let source = graph.add("source", async move |io: &mut Source<u64>| {
            for number in 0.. {
                io.outbox.send(number).await?;
                count_sent.fetch_add(1, Ordering::Relaxed);
                time::sleep(random::duration(Duration::from_secs(1))).await;
            }
            Ok(())
        });
        let sink = graph.add("sink", async move |io: &mut Sink<u64>| {
            while io.inbox.next().await.is_some() {
                time::sleep(random::duration(Duration::from_secs(3))).await;
                count_came.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        graph.link(source.outbox, sink.inbox);
        let report = Simulation::seed(seed)
            .stop_after(Duration::from_secs(60))
            .run(graph)
            .unwrap();
        assert!(report.elapsed() >= Duration::from_secs(60));
        let (sent, came) = (sent.load(Ordering::Relaxed), came.load(Ordering::Relaxed));
        assert!(came >= sent && came > 10, "{came} of {sent} came");
    }
}

#[test]
fn the_first_seed_that_fails_is_named_and_replays() {
    let draw = |simulation: Simulation| {
        let outside = random::u64(..);
        let mut graph = Graph::new("drawing");
        graph.add("draw", async move |_: &mut NoPorts| {
            match random::usize(..50) {
                0 => Err(End::fault(format!("{outside} {}", random::u64(..)))),
                _ => Ok(()),
            }
        });
        simulation.run(graph)
    };
    let failed = Simulation::seeds(0..1000).first_failure(draw).unwrap();
    assert!(failed.seed > 0, "{failed}");
    let text = failed.to_string();
    assert!(
        text.starts_with(&format!("seed {} failed: component `draw`", failed.seed)),
        "{text}"
    );
    assert!(
        text.ends_with(&format!("; replay with KAMEA_SEED={}", failed.seed)),
        "{text}"
    );
    let again = Simulation::seeds(failed.seed..failed.seed + 1).first_failure(draw);
    assert_eq!(again, Some(failed));
}
