//! Circles that drain like lines: within a flow, with threads, nested, merged, and with components
//! that wait for outside events.

use std::time::Duration;

use crate::testing::block_on;
use crate::{
    Done, Graph, Inbox, Outbox, OutboxHandle, Pipe, Policy, Ports, Scheduler, Simulation, Sink,
    Source, blocking, inspect, map, time,
};

/// A job, and how many rounds it still has to make.
type Job = (u32, u32);

#[derive(Ports)]
struct WorkPorts {
    jobs: Inbox<Job>,
    again: Outbox<Job>,
    done: Outbox<u32>,
}

/// Sends each job around for its number of rounds.
async fn work(io: &mut WorkPorts) -> Done {
    while let Some((job, rounds)) = io.jobs.next().await {
        match rounds {
            0 => io.done.send(job).await?,
            _ => io.again.send((job, rounds - 1)).await?,
        }
    }
    Ok(())
}

fn work_blocking(io: &mut WorkPorts) -> Done {
    while let Some((job, rounds)) = io.jobs.next_blocking() {
        match rounds {
            0 => io.done.send_blocking(job)?,
            _ => io.again.send_blocking((job, rounds - 1))?,
        }
    }
    Ok(())
}

/// Ten jobs, the `n`th of which makes `n` rounds.
async fn ten(io: &mut Source<Job>) -> Done {
    for job in 0..10 {
        io.outbox.send((job, job)).await?;
    }
    Ok(())
}

async fn pass(io: &mut Pipe<Job, Job>) -> Done {
    while let Some(job) = io.inbox.next().await {
        io.outbox.send(job).await?;
    }
    Ok(())
}

fn pass_blocking(io: &mut Pipe<Job, Job>) -> Done {
    while let Some(job) = io.inbox.next_blocking() {
        io.outbox.send_blocking(job)?;
    }
    Ok(())
}

async fn pass_slowly(io: &mut Pipe<Job, Job>) -> Done {
    while let Some(job) = io.inbox.next().await {
        time::sleep(Duration::from_millis(1)).await;
        io.outbox.send(job).await?;
    }
    Ok(())
}

/// Collects up to three jobs, and waits only a moment for the third.
async fn batch(io: &mut Pipe<Job, Job>) -> Done {
    let (mut jobs, mut timer) = (Vec::new(), time::Timer::new());
    loop {
        let message = async { io.inbox.next().await.map(Some) };
        let late = async {
            timer.expired().await;
            Some(None)
        };
        let next = either(message, late).await;
        jobs.extend(next.flatten());
        if next != Some(None) && jobs.len() == 1 {
            timer.set(time::now() + Duration::from_millis(2));
        }
        if next.is_none() || next == Some(None) || jobs.len() == 3 {
            timer.clear();
            for job in jobs.drain(..) {
                io.outbox.send(job).await?;
            }
        }
        if next.is_none() {
            return Ok(());
        }
    }
}

async fn either<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    std::future::poll_fn(|cx| match a.as_mut().poll(cx) {
        std::task::Poll::Pending => b.as_mut().poll(cx),
        ready => ready,
    })
    .await
}

/// What is on the way back: nothing, or a component of some kind.
#[derive(Debug, Clone, Copy)]
enum Back {
    Nothing,
    Component,
    Slow,
    Batch,
    Function,
    Thread,
}

const BACK: [Back; 6] = [
    Back::Nothing,
    Back::Component,
    Back::Slow,
    Back::Batch,
    Back::Function,
    Back::Thread,
];

/// The circle, with its results.
fn circle(graph: &mut Graph, on_thread: bool, back: Back, capacity: usize) -> OutboxHandle<u32> {
    let source = graph.add("source", ten);
    let work = match on_thread {
        false => graph.add("work", work),
        true => graph.add("work", blocking(work_blocking)),
    };
    let again = match back {
        Back::Nothing => work.again,
        _ => {
            let back = match back {
                Back::Component => graph.add("back", pass),
                Back::Slow => graph.add("back", pass_slowly),
                Back::Batch => graph.add("back", batch),
                Back::Thread => graph.add("back", blocking(pass_blocking)),
                _ => graph.add("back", map(|job: Job| job)),
            };
            graph.link(work.again, back.inbox).capacity(capacity);
            back.outbox
        }
    };
    graph
        .link(source.outbox, work.jobs)
        .feedback(again)
        .capacity(capacity);
    work.done
}

#[test]
fn a_circle_drains_like_a_line_whatever_it_is_made_of() {
    let scheduler = Scheduler::with_workers(1);
    for on_thread in [false, true] {
        for back in BACK {
            // More than all jobs, so that the circle cannot be full.
            let mut graph = Graph::new("circle");
            let done = circle(&mut graph, on_thread, back, 16);
            let done = graph.take(done);
            let running = scheduler.run(graph).unwrap();
            let mut done: Vec<_> = done.into_iter().collect();
            done.sort_unstable();
            assert!(done.into_iter().eq(0..10), "{on_thread} {back:?}");
            running.wait().unwrap();
        }
    }
}

#[test]
fn circles_with_threads_lose_nothing_however_the_threads_meet() {
    let scheduler = Scheduler::with_workers(2);
    for _ in 0..300 {
        let running: Vec<_> = [
            (true, Back::Thread),
            (false, Back::Thread),
            (true, Back::Nothing),
        ]
        .into_iter()
        .map(|(on_thread, back)| {
            let mut graph = Graph::new("circle");
            let done = circle(&mut graph, on_thread, back, 16);
            let done = graph.take(done);
            (scheduler.run(graph).unwrap(), done)
        })
        .collect();
        for (running, done) in running {
            assert_eq!(done.into_iter().count(), 10);
            running.wait().unwrap();
        }
    }
}

#[test]
fn in_a_simulation_too_also_when_it_is_stopped() {
    Simulation::seeds(0..200).check(|simulation| {
        let mut graph = Graph::new("circle");
        let back = BACK[crate::random::usize(..5)];
        let done = circle(&mut graph, false, back, 16);
        let mut done = graph.take(done);
        let is_stopped = crate::random::chance(0.5);
        let simulation = match is_stopped {
            true => simulation.stop_after(crate::random::duration(Duration::from_micros(50))),
            false => simulation,
        };
        simulation
            .beside("results", async move || {
                let mut count = 0;
                while done.next().await.is_some() {
                    count += 1;
                }
                assert!(is_stopped || count == 10, "{back:?}: {count} of 10");
            })
            .run(graph)
    });
}

#[derive(Ports)]
struct TwoPorts {
    left: Inbox<Job>,
    right: Inbox<Job>,
    again: Outbox<Job>,
    done: Outbox<u32>,
}

/// Like [`work`], from two inboxes at once.
async fn work_two(io: &mut TwoPorts) -> Done {
    let mut open = [true; 2];
    while open != [false; 2] {
        let left = async {
            match open[0] {
                true => (0, io.left.next().await),
                false => std::future::pending().await,
            }
        };
        let right = async {
            match open[1] {
                true => (1, io.right.next().await),
                false => std::future::pending().await,
            }
        };
        match either(left, right).await {
            (from, None) => open[from] = false,
            (_, Some((job, 0))) => io.done.send(job).await?,
            (_, Some((job, rounds))) => io.again.send((job, rounds - 1)).await?,
        }
    }
    Ok(())
}

/// Jobs that enter a circle by another inbox also make their rounds, and hold the feedback link
/// open.
#[test]
fn whatever_may_come_into_a_circle_keeps_it_open() {
    let mut graph = Graph::new("two entries");
    let source = graph.add("source", ten);
    let work = graph.add("work", work_two);
    let back = graph.add("back", pass);
    graph.link(source.outbox, back.inbox).feedback(work.again);
    graph.link(back.outbox, work.left);
    let (late, done) = (graph.feed(work.right), graph.take(work.done));
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let mut done = done.into_iter();
    assert_eq!(done.by_ref().take(10).count(), 10);
    late.send_blocking((77, 3)).unwrap();
    drop(late);
    assert_eq!(done.collect::<Vec<_>>(), [77]);
    running.wait().unwrap();
}

#[derive(Ports)]
struct ForkPorts {
    jobs: Inbox<Job>,
    near: Outbox<Job>,
    far: Outbox<Job>,
    done: Outbox<u32>,
}

/// Sends each job around for its number of rounds, in either direction.
async fn fork(io: &mut ForkPorts) -> Done {
    while let Some((job, rounds)) = io.jobs.next().await {
        match rounds {
            0 => io.done.send(job).await?,
            _ if rounds % 2 == 0 => io.near.send((job, rounds - 1)).await?,
            _ => io.far.send((job, rounds - 1)).await?,
        }
    }
    // What it leaves behind also makes its rounds.
    Ok(io.far.send((100, 0)).await?)
}

/// Two circles that share components, each with a source of its own.
#[test]
fn circles_within_circles_end_from_outside_in() {
    Simulation::seeds(0..200).check(|simulation| {
        let mut graph = Graph::new("nested");
        let sources = ["outer", "inner"].map(|name| graph.add(name, ten).outbox);
        let [outer, inner] = sources;
        let first = graph.add("first", pass);
        let second = graph.add("second", pass);
        let fork = graph.add("fork", fork);
        graph.link(outer, first.inbox).feedback(fork.far);
        graph
            .merge([first.outbox, inner], second.inbox)
            .feedback(fork.near);
        graph.link(second.outbox, fork.jobs);
        let sink = graph.add("sink", async |io: &mut Sink<u32>| {
            let mut count = 0;
            while io.inbox.next().await.is_some() {
                count += 1;
            }
            assert_eq!(count, 20);
            Ok(())
        });
        graph.link(fork.done, sink.inbox);
        simulation.run(graph)
    });
}

#[test]
fn a_component_alone_may_feed_itself() {
    let mut graph = Graph::new("alone");
    let start = graph.add("count down", async |io: &mut WorkPorts| {
        io.again.send((1, 5)).await?;
        work(io).await
    });
    let source = graph.add("nothing", async |_: &mut Source<Job>| Ok(()));
    graph.link(source.outbox, start.jobs).feedback(start.again);
    let done = graph.take(start.done);
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(done.into_iter().collect::<Vec<_>>(), [1]);
}

/// Failed jobs are tried again: the dead letters of a component go back to its inbox.
#[test]
fn dead_letters_go_around_as_well() {
    let mut graph = Graph::new("retrying");
    let source = graph.add("source", ten);
    let mut attempts = 0;
    let fussy = graph.add("fussy", async move |io: &mut Pipe<Job, Job>| {
        while let Some(job) = io.inbox.next().await {
            attempts += 1;
            assert!(attempts % 3 != 0, "on purpose");
            io.outbox.send(job).await?;
        }
        Ok(())
    });
    let restart = crate::Restart::new(100, Duration::from_secs(60));
    let restart = restart.pause(Duration::ZERO, Duration::ZERO);
    graph.supervise(move |_| Policy::Restart(restart));
    let letters = graph.dead_letters(&fussy.inbox);
    graph.link(source.outbox, fussy.inbox).feedback(letters);
    let done = graph.take(fussy.outbox);
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(done.into_iter().count(), 10);
}

/// A feedback link from a component that is not downstream closes no circle, and holds nothing
/// open.
#[test]
fn what_is_not_downstream_keeps_nothing_open() {
    let mut graph = Graph::new("no circle");
    let source = graph.add("source", ten);
    let news = graph.add("news", async |io: &mut Source<Job>| {
        io.outbox.closed().await;
        Ok(())
    });
    let see = graph.add("see", inspect(|_: &Job| {}));
    let work = graph.add("work", pass);
    graph.link(source.outbox, see.inbox).feedback(news.outbox);
    graph.link(see.outbox, work.inbox);
    let done = graph.take(work.outbox);
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(done.into_iter().count(), 10);
}
