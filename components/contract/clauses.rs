//! The clauses of the contract that can be tested with any component.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use kamea::time::{now, sleep};
use kamea::{Placement, workers};

use super::bench::{AGES, Bench, Run, Take};

/// More messages than any link of a component holds, and than any component may hold.
const TOO_MANY: usize = 2000;

/// Upstream ends, and all output is taken: it ends without a fault.
pub(super) async fn ends_with_upstream(bench: Bench) {
    let mut run = bench.start();
    run.until_ended(|run| {
        run.feed(3);
        run.drain();
    })
    .await;
}

/// A graceful stop: it ends.
pub(super) async fn ends_when_stopped(mut bench: Bench) {
    let name = bench.name;
    let running = workers().run(Placement::Here, bench.graph).unwrap();
    for _ in 0..10 {
        bench.takes.iter_mut().for_each(|take| {
            let _ = take.poll_take();
        });
        sleep(Duration::from_millis(1)).await;
    }
    running.stop();
    let deadline = now() + AGES;
    let mut finished = pin!(running.finished());
    let ended = poll_fn(|cx| {
        while bench
            .takes
            .iter_mut()
            .any(|take| matches!(take.poll_take(), Poll::Ready(Some(()))))
        {}
        match finished.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if now() > deadline => Poll::Ready(None),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    });
    let outcome = ended.await.unwrap_or_else(|| panic!("{name} does not end"));
    outcome.unwrap_or_else(|fault| panic!("{name}: {fault}"));
}

/// Its output is closed: it ends, at the latest with its input, and without a fault.
pub(super) async fn ends_quietly_without_downstream(mut bench: Bench) {
    if bench.takes.is_empty() && bench.feeds.is_empty() {
        // It exists only for its effects on the outside world.
        return;
    }
    bench.takes.clear();
    let mut run = bench.start();
    run.until_ended(|run| run.feed(100)).await;
}

/// Its output is blocked: it stops accepting input (backpressure). No message is lost: it continues
/// when its output is taken again.
pub(super) async fn is_held_up(bench: Bench) {
    let mut run = bench.start();
    let (mut sent, mut idle) = (0, 0);
    while idle < 50 {
        run.feed(TOO_MANY);
        let outcome = run.poll().await;
        let now_sent = run.feeds.iter().map(|feed| feed.sent()).sum();
        assert!(now_sent < TOO_MANY, "{} takes whatever comes", run.name);
        idle = if now_sent == sent { idle + 1 } else { 0 };
        sent = now_sent;
        if let Some(outcome) = outcome {
            return outcome.unwrap_or_else(|fault| panic!("{}: {fault}", run.name));
        }
    }
    run.feeds.iter_mut().for_each(|feed| feed.end());
    run.until_ended(Run::drain).await;
}

/// It is dropped after this many polls, wherever it waits then: its links close at both ends.
pub(super) async fn closes_when_dropped(bench: Bench, turns: usize) {
    let mut run = bench.start();
    for _ in 0..turns {
        run.feed(usize::MAX);
        if run.poll().await.is_some() {
            return;
        }
        run.drain();
    }
    let Run {
        name,
        is_on_thread,
        flow,
        mut feeds,
        mut takes,
        ..
    } = run;
    drop(flow);
    if is_on_thread {
        // It learns of the end at its ports.
        feeds.iter_mut().for_each(|feed| feed.end());
    }
    let deadline = now() + AGES;
    loop {
        let closed = poll_fn(|cx| {
            let feeds = feeds.iter().all(|feed| feed.poll_closed(cx).is_ready());
            let is_over = |take: &mut Box<dyn Take>| loop {
                match take.poll_take() {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) => return true,
                    Poll::Pending => return false,
                }
            };
            let takes = takes.iter_mut().all(is_over);
            Poll::Ready(feeds && takes)
        });
        if closed.await {
            return;
        }
        assert!(now() < deadline, "{name} keeps a link open");
        sleep(Duration::from_millis(1)).await;
    }
}

/// It fails once, by a panic where it receives its second message, and is restarted: it continues
/// with the following messages, and ends in the normal way.
pub(super) async fn runs_again(bench: Bench) {
    let feeds = bench.feeds.len();
    let mut run = bench.start();
    run.until_ended(|run| {
        run.feed(6);
        run.drain();
    })
    .await;
    let faults = run.faults.load(Ordering::SeqCst);
    assert!(
        (1..=feeds).contains(&faults),
        "{}: {faults} faults, where each of {feeds} inboxes panics once",
        run.name
    );
}
