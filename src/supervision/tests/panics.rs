//! Panics of every kind, which affect no other component.

use super::*;

/// Panics when it is dropped.
#[derive(Debug, Clone)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb");
    }
}

/// An error that panics when it is formatted.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("unspeakable")
    }
}

impl std::error::Error for Unspeakable {}

/// A waker that panics.
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        panic!("a bell");
    }
}

/// Runs a graph to which `add` adds something that panics, beside a component that must not be
/// affected. The scheduler has one worker, which must not be affected either.
fn survives(what: &str, expects_fault: bool, add: impl FnOnce(&mut Graph, Receiver<()>)) {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new(what);
    let (go, gone) = crate::link(1);
    add(&mut graph, gone);
    let copy = graph.add("copy", pass(Failing::Error));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    graph.supervise(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Policy::CarryOn
    });
    let (numbers, mut copies) = (graph.feed(copy.inbox), graph.take(copy.outbox));
    let running = scheduler.run(graph).unwrap();
    numbers.send_blocking(1).unwrap();
    assert_eq!(copies.next_blocking(), Some(1), "{what}");
    go.send_blocking(()).unwrap();
    drop(go);
    numbers.send_blocking(2).unwrap();
    assert_eq!(copies.next_blocking(), Some(2), "{what}");
    drop(numbers);
    let (faults, deadline) = (usize::from(expects_fault), Instant::now() + AGES);
    while count.load(Ordering::SeqCst) < faults && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(running.stop_within(AGES).unwrap(), "{what}");
    assert_eq!(count.load(Ordering::SeqCst), faults, "{what}");
    assert!(scheduler.stop(AGES).is_ok(), "{what}");
}

#[test]
fn panics_stay_in_their_component() {
    survives("dropped at its end", true, |graph, gone| {
        let (mut gone, bomb) = (Some(gone), Some(Bomb));
        graph.add("bomb", async move |_: &mut NoPorts| {
            let _bomb = &bomb;
            gone.take().unwrap().next().await;
            Ok(())
        });
    });
    survives("dropped while it waits", false, |graph, gone| {
        let mut gone = Some(gone);
        graph.add("bomb", async move |_: &mut NoPorts| {
            let _bomb = Bomb;
            gone.take().unwrap().next().await;
            pending().await
        });
    });
    survives("an error that cannot be shown", true, |graph, gone| {
        let mut gone = Some(gone);
        graph.add("error", async move |_: &mut NoPorts| {
            gone.take().unwrap().next().await;
            Err(Unspeakable.into())
        });
    });
    survives("on a thread of its own", true, |graph, gone| {
        let (mut gone, bomb) = (gone, Bomb);
        let body = move |_: &mut NoPorts| {
            let _bomb = &bomb;
            gone.next_blocking();
            Ok(())
        };
        graph.add("bomb", blocking(body));
    });
}

#[test]
fn messages_that_panic_harm_whoever_drops_them() {
    survives("undelivered", true, |graph, gone| {
        let give = graph.add("give", async |io: &mut Source<Bomb>| {
            io.outbox.send(Bomb).await?;
            io.outbox.closed().await;
            Ok(())
        });
        let mut gone = Some(gone);
        let take = graph.add("take", async move |_: &mut Sink<Bomb>| {
            gone.take().unwrap().next().await;
            Ok(())
        });
        graph.link(give.outbox, take.inbox).capacity(1);
    });
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    let bell = Arc::new(Bell(AtomicBool::new(false)));
    let rung = bell.clone();
    survives("a bell", false, |graph, gone| {
        let mut gone = Some(gone);
        let give = graph.add("give", async move |io: &mut Source<u32>| {
            let waker = Waker::from(bell.clone());
            let mut closed = Box::pin(io.outbox.closed());
            let _ = closed.as_mut().poll(&mut Context::from_waker(&waker));
            io.outbox.closed().await;
            Ok(())
        });
        let take = graph.add("take", async move |_: &mut Sink<u32>| {
            gone.take().unwrap().next().await;
            Ok(())
        });
        graph.link(give.outbox, take.inbox);
    });
    assert!(rung.0.load(Ordering::SeqCst), "it was woken");
}

#[test]
fn what_starts_a_graph_takes_no_worker_down() {
    let scheduler = Scheduler::with_workers(1);
    let workers = scheduler.workers();
    workers.spawn(crate::Placement::Any, || panic!("not even begun"));
    let (numbers, passed) = crate::link(1);
    let mut graph = Graph::new("after that");
    graph.add("say", async move |_: &mut NoPorts| {
        Ok(numbers.send(7).await?)
    });
    scheduler.run(graph).unwrap().wait().unwrap();
    assert_eq!(passed.into_iter().next(), Some(7));
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct BadError(Bomb);

impl std::fmt::Display for BadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a bad error: {:?}", self.0)
    }
}

impl std::error::Error for BadError {}

#[test]
fn what_a_panic_carries_and_an_error_may_panic_when_they_are_dropped() {
    survives("a payload", true, |graph, gone| {
        let mut gone = Some(gone);
        graph.add("bomb", async move |_: &mut NoPorts| {
            gone.take().unwrap().next().await;
            std::panic::panic_any(Bomb)
        });
    });
    survives("a payload on a thread", true, |graph, mut gone| {
        let body = move |_: &mut NoPorts| {
            gone.next_blocking();
            std::panic::panic_any(Bomb)
        };
        graph.add("bomb", blocking(body));
    });
    survives("an error", true, |graph, gone| {
        let mut gone = Some(gone);
        graph.add("bomb", async move |_: &mut NoPorts| {
            gone.take().unwrap().next().await;
            Err(BadError(Bomb).into())
        });
    });
    survives("a panic, and what it leaves behind", true, |graph, gone| {
        let mut gone = Some(gone);
        graph.add("bomb", async move |_: &mut NoPorts| {
            let _late = scopeguard(|| std::panic::panic_any(Bomb));
            gone.take().unwrap().next().await;
            pending().await
        });
        let mut bomb = Some(Bomb);
        graph.add("other", async move |_: &mut NoPorts| {
            let bomb = bomb.take();
            std::mem::forget(bomb);
            std::panic::panic_any(Bomb)
        });
    });
}

/// Runs a function when it is dropped.
fn scopeguard(action: fn()) -> impl Drop {
    struct Guard(fn());
    impl Drop for Guard {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Guard(action)
}

/// Panics when it is dropped, also during the unwinding of another panic.
#[derive(Debug)]
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("a mine");
    }
}

#[test]
fn several_messages_that_panic_in_one_link_do_not_abort() {
    survives("undelivered", true, |graph, gone| {
        let give = graph.add("give", async |io: &mut Source<Mine>| {
            for _ in 0..3 {
                io.outbox.send(Mine).await?;
            }
            io.outbox.closed().await;
            Ok(())
        });
        let (mut gone, bomb) = (Some(gone), Some(Bomb));
        let take = graph.add("take", async move |_: &mut Sink<Mine>| {
            let _bomb = &bomb;
            gone.take().unwrap().next().await;
            Ok(())
        });
        graph.link(give.outbox, take.inbox);
    });
}

#[test]
fn several_messages_that_panic_between_threads_do_not_abort() {
    survives("undelivered", true, |graph, gone| {
        let give = graph.add("give", async |io: &mut Source<Mine>| {
            for _ in 0..3 {
                io.outbox.send(Mine).await?;
            }
            io.outbox.closed().await;
            Ok(())
        });
        let mut gone = gone;
        let take = blocking(move |_: &mut Sink<Mine>| {
            gone.next_blocking();
            Ok(())
        });
        let take = graph.add("take", take);
        graph.link(give.outbox, take.inbox);
    });
}
