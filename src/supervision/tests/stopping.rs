//! Messages that are on their way when a graph is stopped.

use super::*;

/// The ports of a component that takes its messages only when it may.
#[derive(Ports)]
struct Held {
    numbers: Inbox<u32>,
    taken: Outbox<u32>,
}

/// Numbers, without end. `begun` counts those whose sending has begun.
fn count(begun: Arc<AtomicUsize>) -> impl AsyncFnMut(&mut Source<u32>) -> Done + Send {
    async move |io: &mut Source<u32>| {
        for number in 0.. {
            begun.fetch_add(1, Ordering::SeqCst);
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

fn count_blocking(begun: Arc<AtomicUsize>) -> impl FnMut(&mut Source<u32>) -> Done + Send {
    move |io: &mut Source<u32>| {
        for number in 0.. {
            begun.fetch_add(1, Ordering::SeqCst);
            io.outbox.send_blocking(number)?;
        }
        Ok(())
    }
}

/// Stops a graph whose source waits to send. Returns how many sends had begun, and what was
/// delivered.
fn stopped<A, B>(
    source: impl FnOnce(Arc<AtomicUsize>) -> A,
    taker: impl FnOnce(Receiver<()>) -> B,
    add: impl FnOnce(&mut Graph, A, B) -> Receiver<u32>,
) -> (usize, Vec<u32>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let (open, opened) = crate::link(1);
    let mut graph = Graph::new("stopping");
    let numbers = add(&mut graph, source(begun.clone()), taker(opened));
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let deadline = Instant::now() + AGES;
    // Four are in the link, and the fifth waits.
    while begun.load(Ordering::SeqCst) < 5 {
        assert!(Instant::now() < deadline, "the source has not come so far");
        std::thread::yield_now();
    }
    running.stop();
    // When the worker answers another request, it has handled the stop.
    let mut graph = Graph::new("after that");
    graph.add("nothing", async |_: &mut NoPorts| Ok(()));
    scheduler.run(graph).unwrap().wait().unwrap();
    drop(open);
    let delivered = numbers.into_iter().collect();
    running.wait().unwrap();
    (begun.load(Ordering::SeqCst), delivered)
}

fn take(opened: Receiver<()>) -> impl AsyncFnMut(&mut Held) -> Done + Send {
    let mut opened = Some(opened);
    async move |io: &mut Held| {
        opened.take().unwrap().next().await;
        while let Some(number) = io.numbers.next().await {
            io.taken.send(number).await?;
        }
        Ok(())
    }
}

fn take_blocking(mut opened: Receiver<()>) -> impl FnMut(&mut Held) -> Done + Send {
    move |io: &mut Held| {
        opened.next_blocking();
        while let Some(number) = io.numbers.next_blocking() {
            io.taken.send_blocking(number)?;
        }
        Ok(())
    }
}

/// A graph of a source and of a component that takes from it, over a link of four.
fn held<A: Part<Source<u32>, KA>, B: Part<Held, KB>, KA, KB>(
    graph: &mut Graph,
    source: A,
    taker: B,
) -> Receiver<u32> {
    let source = graph.add("source", source);
    let taker = graph.add("taker", taker);
    graph.link(source.outbox, taker.numbers).capacity(4);
    graph.take(taker.taken)
}

#[test]
fn what_a_stopped_source_was_sending_is_delivered() {
    let rows = [
        ("within a flow", stopped(count, take, held)),
        (
            "to a thread",
            stopped(count, |opened| blocking(take_blocking(opened)), held),
        ),
    ];
    for (what, (begun, delivered)) in rows {
        assert_eq!(begun, 5, "{what}: no more is sent");
        assert_eq!(delivered, [0, 1, 2, 3, 4], "{what}");
    }
    let from_thread = stopped(|begun| blocking(count_blocking(begun)), take, held);
    let (begun, delivered) = from_thread;
    let numbers = 0..u32::try_from(delivered.len()).unwrap();
    assert!(delivered.iter().copied().eq(numbers), "{delivered:?}");
    // The thread may have begun one more send, which was refused.
    assert!(
        begun - delivered.len() <= 1 && delivered.len() >= 5,
        "{begun}"
    );
}
