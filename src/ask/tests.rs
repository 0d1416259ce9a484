//! The guarantees for askers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::{Done, Placement, Policy, Restart, Scheduler, Simulation, Source, random, time};

const AGES: Duration = Duration::from_secs(30);

async fn double(io: &mut Sink<Call<u64, u64>>) -> Done {
    while let Some(call) = io.inbox.next().await {
        let doubled = 2 * call.request;
        call.answer(doubled);
    }
    Ok(())
}

/// A graph that asks, and reports whether all answers were right.
fn asking(asker: Asker<u64, u64>, count: u64) -> (Graph, Receiver<bool>) {
    let mut graph = Graph::new("asking");
    let ask = graph.add("ask", async move |io: &mut Source<bool>| {
        let mut is_right = true;
        for number in 0..count {
            is_right &= asker.ask(number).await? == 2 * number;
        }
        Ok(io.outbox.send(is_right).await?)
    });
    let answers = graph.take(ask.outbox);
    (graph, answers)
}

#[test]
fn askers_on_all_workers_get_their_own_answers() {
    let scheduler = Scheduler::with_workers(2);
    let mut graph = Graph::new("doubling");
    let asker = graph.ask("double", double);
    let running = scheduler.run(graph).unwrap();
    let answers: Vec<_> = (0..40)
        .map(|worker| {
            let (graph, answers) = asking(asker.clone(), 50);
            let workers = scheduler.workers();
            workers.run(Placement::Worker(worker), graph).unwrap();
            answers
        })
        .collect();
    assert_eq!(asker.ask_blocking(21), Ok(42));
    for answers in answers {
        assert_eq!(answers.into_iter().collect::<Vec<_>>(), [true]);
    }
    drop(asker);
    running.wait().unwrap();
}

#[test]
fn a_restart_loses_the_call_in_hand_and_none_that_waits() {
    let mut graph = Graph::new("weak");
    let asker = graph.ask("answer", async |io: &mut Sink<Call<u64, u64>>| {
        while let Some(call) = io.inbox.next().await {
            assert!(call.request % 10 != 3, "on purpose");
            let answer = call.request;
            call.answer(answer);
        }
        Ok(())
    });
    graph.supervise(|_| {
        let pause = Duration::from_millis(1);
        Policy::Restart(Restart::new(100, Duration::from_secs(60)).pause(pause, pause))
    });
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let asker = asker.clone();
            scope.spawn(move || {
                let expected = match number % 10 {
                    3 => Err(AskError::Unanswered),
                    _ => Ok(number),
                };
                assert_eq!(asker.ask_blocking(number), expected);
            });
        }
    });
}

#[test]
fn a_component_that_has_ended_answers_nobody() {
    let mut graph = Graph::new("short");
    let asker = graph.ask("once", async |io: &mut Sink<Call<u64, u64>>| {
        if let Some(call) = io.inbox.next().await {
            call.answer(1);
        }
        Ok(())
    });
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    assert_eq!(asker.ask_blocking(0), Ok(1));
    running.wait().unwrap();
    assert_eq!(asker.ask_blocking(0), Err(AskError::Ended));
}

#[test]
fn a_stop_waits_for_no_asker_that_does_not_ask() {
    for workers in [1, 2] {
        let scheduler = Scheduler::with_workers(workers);
        let mut graph = Graph::new("doubling");
        let asker = graph.ask("double", double);
        let running = scheduler.run(graph).unwrap();
        assert_eq!(asker.ask_blocking(1), Ok(2));
        running.stop();
        assert!(
            running
                .wait_until(std::time::Instant::now() + AGES)
                .is_some()
        );
        assert_eq!(asker.ask_blocking(1), Err(AskError::Ended));

        let mut graph = Graph::new("doubling");
        let asker = graph.ask("double", double);
        scheduler.run(graph).unwrap();
        assert_eq!(asker.ask_blocking(1), Ok(2));
        scheduler.stop(AGES).unwrap();
        assert_eq!(asker.ask_blocking(1), Err(AskError::Ended));
    }
}

/// In every order in which graphs are stopped, questions that still drain get an answer.
#[test]
fn what_drains_while_a_scheduler_stops_is_still_answered() {
    for seed in 0..200 {
        let asked = Arc::new(AtomicU64::new(0));
        let mut graph = Graph::new("outer");
        let count = asked.clone();
        graph.add("start", async move |_: &mut NoPorts| {
            let mut store = Graph::new("store");
            let asker = store.ask("double", double);
            let kept = asker.clone();
            let store = crate::workers().run(Placement::Any, store)?;
            let mut clients = Graph::new("clients");
            let source = clients.add("source", async |io: &mut Source<u64>| {
                for number in 0.. {
                    io.outbox.send(number).await?;
                    time::sleep(random::duration(Duration::from_secs(1))).await;
                }
                Ok(())
            });
            let count = count.clone();
            let sink = clients.add("ask", async move |io: &mut Sink<u64>| {
                while let Some(number) = io.inbox.next().await {
                    time::sleep(random::duration(Duration::from_secs(3))).await;
                    assert_eq!(asker.ask(number).await?, 2 * number);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
            clients.link(source.outbox, sink.inbox);
            let clients = crate::workers().run(Placement::Any, clients)?;
            crate::stopping().await;
            clients.finished().await?;
            store.finished().await?;
            assert_eq!(kept.ask(1).await, Err(AskError::Ended));
            Ok(())
        });
        Simulation::seed(seed)
            .stop_after(Duration::from_secs(60))
            .run(graph)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(asked.load(Ordering::Relaxed) > 10);
    }
}

#[derive(crate::Ports)]
struct NoPorts {}
