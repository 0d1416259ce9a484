//! What becomes of components that fail, and that nobody else notices.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Fault, Policy, Restart, Restarts};
use crate::testing::block_on;
use crate::{
    Cause, Composite, Done, End, Graph, GraphError, Inbox, Outbox, Part, Pipe, PipeHandles, Ports,
    Receiver, Scheduler, Sender, Sink, Source, blocking,
};

const MILLISECOND: Duration = Duration::from_millis(1);
/// Long enough for anything that is to happen at all.
const AGES: Duration = Duration::from_secs(60);

/// Restarts that come at once, as many as are wanted.
fn at_once(times: u32) -> Restart {
    Restart::new(times, AGES).pause(Duration::ZERO, Duration::ZERO)
}

#[derive(Clone, Copy, Debug)]
enum Failing {
    Error,
    Panic,
}

fn fail(how: Failing, number: u32) -> Done {
    match how {
        Failing::Error => Err(End::fault(format!("{number}"))),
        Failing::Panic => panic!("{number}"),
    }
}

/// Passes numbers on, and fails at those that end in 3.
fn pass(how: Failing) -> impl AsyncFnMut(&mut Pipe<u32, u32>) -> Done + Clone + Send + Sync {
    async move |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next().await {
            if number % 10 == 3 {
                fail(how, number)?;
            }
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

fn pass_blocking(how: Failing) -> impl FnMut(&mut Pipe<u32, u32>) -> Done + Send {
    move |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next_blocking() {
            if number % 10 == 3 {
                fail(how, number)?;
            }
            io.outbox.send_blocking(number)?;
        }
        Ok(())
    }
}

/// What comes of passing 1 to 30 on: the numbers, the dead letters, the faults.
fn passed<Kind>(part: impl Part<Pipe<u32, u32>, Kind>) -> (Vec<u32>, Vec<u32>, Vec<Fault>) {
    let mut graph = Graph::new("passing");
    let pass = graph.add("pass", part);
    let note = graph.add("note", async |io: &mut Pipe<Fault, Fault>| {
        while let Some(fault) = io.inbox.next().await {
            io.outbox.send(fault).await?;
        }
        Ok(())
    });
    graph.link(graph.faults(), note.inbox);
    graph.supervise(|fault| match fault.component() {
        "pass" => Policy::Restart(at_once(5)),
        _ => Policy::Stop,
    });
    let letters = graph.dead_letters(&pass.inbox);
    let (letters, faults) = (graph.take(letters), graph.take(note.outbox));
    let (numbers, passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let feeder = std::thread::spawn(move || {
        (1..=30).for_each(|number| numbers.send_blocking(number).unwrap());
    });
    let passed = passed.into_iter().collect();
    feeder.join().unwrap();
    running.wait().unwrap();
    let (letters, faults) = (letters.into_iter(), faults.into_iter());
    (passed, letters.collect(), faults.collect())
}

#[test]
fn a_restarted_component_goes_on_where_it_was() {
    for how in [Failing::Error, Failing::Panic] {
        for (passed, letters, faults) in [passed(pass(how)), passed(blocking(pass_blocking(how)))] {
            let expected: Vec<_> = (1..=30).filter(|number| number % 10 != 3).collect();
            assert_eq!(passed, expected, "{how:?}");
            assert_eq!(letters, [3, 13, 23]);
            for (index, fault) in faults.iter().enumerate() {
                assert_eq!(fault.restarts(), u32::try_from(index).unwrap());
                assert_eq!(fault.restarts_in(), Some(Duration::ZERO), "it is told");
                let is_panic = matches!(fault.cause(), Cause::Panic(_));
                assert_eq!(is_panic, matches!(how, Failing::Panic));
            }
            assert_eq!(faults.len(), 3);
        }
    }
}

#[test]
fn components_of_templates_are_restarted_too() {
    #[derive(Ports)]
    struct Feed {
        numbers: Outbox<u32>,
    }
    let mut graph = Graph::template("instance");
    let feed = graph.add("feed", async |io: &mut Feed| {
        for number in 1..=30 {
            io.numbers.send(number).await?;
        }
        Ok(())
    });
    let pass = graph.add("pass", pass(Failing::Panic));
    type Ends = (Sender<u32>, Sender<u32>);
    let collect = |of: fn(&Ends) -> &Sender<u32>| {
        move |ends: &mut Ends| {
            let end = of(ends).clone();
            async move |io: &mut Sink<u32>| {
                while let Some(number) = io.inbox.next().await {
                    end.send(number).await?;
                }
                Ok(())
            }
        }
    };
    let passed = graph.add_seeded("passed", collect(|ends| &ends.0));
    let buried = graph.add_seeded("buried", collect(|ends| &ends.1));
    let letters = graph.dead_letters(&pass.inbox);
    graph.link(feed.numbers, pass.inbox);
    graph.link(pass.outbox, passed.inbox);
    graph.link(letters, buried.inbox);
    graph.supervise(|_| Policy::Restart(at_once(3)));
    let template = graph.into_template().unwrap();
    for _ in 0..2 {
        let (passed, results) = crate::link(30);
        let (buried, letters) = crate::link(30);
        block_on(template.start((passed, buried))).unwrap();
        assert_eq!(results.into_iter().count(), 27);
        assert_eq!(letters.into_iter().collect::<Vec<_>>(), [3, 13, 23]);
    }
}

/// A graph of a component that always fails, and of one that goes on for as long as it may.
fn failing(policy: Policy) -> (Result<(), Fault>, Vec<Fault>) {
    let mut graph = Graph::new("failing");
    graph.add("fail", async |_: &mut Sink0| fail(Failing::Error, 0));
    let note = graph.add("note", async |io: &mut Pipe<Fault, Fault>| {
        while let Some(fault) = io.inbox.next().await {
            io.outbox.send(fault).await?;
        }
        Ok(())
    });
    graph.link(graph.faults(), note.inbox);
    graph.supervise(move |_| policy);
    let faults = graph.take(note.outbox);
    let outcome = block_on(graph.start().unwrap());
    (outcome, faults.into_iter().collect())
}

#[derive(Ports)]
struct Sink0 {}

/// Nobody is left who could fail but those that take the faults.
#[test]
fn a_graph_of_nobody_but_who_takes_its_faults_ends() {
    let mut graph = Graph::new("lonely");
    let listen = graph.add("listen", async |io: &mut Sink<Fault>| {
        while io.inbox.next().await.is_some() {}
        Ok(())
    });
    graph.link(graph.faults(), listen.inbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let outcome = running.wait_until(Instant::now() + Duration::from_secs(10));
    assert!(matches!(outcome, Some(Ok(()))), "{outcome:?}");
}

#[test]
fn one_fault_too_many_stops_the_graph_or_is_carried_on_from() {
    let (outcome, faults) = failing(Policy::Restart(at_once(3)));
    let last = outcome.unwrap_err();
    assert_eq!((last.restarts(), last.restarts_in()), (3, None));
    drop(faults);

    let (outcome, faults) = failing(Policy::Restart(at_once(3).or_carry_on()));
    assert!(outcome.is_ok());
    let told: Vec<_> = faults.iter().map(Fault::restarts).collect();
    assert_eq!(told, [0, 1, 2, 3]);
    assert_eq!(faults[3].restarts_in(), None);

    let (outcome, faults) = failing(Policy::CarryOn);
    assert!(outcome.is_ok());
    assert_eq!(faults.len(), 1);
}

#[test]
fn pauses_double_and_restarts_are_counted_within_a_while() {
    let limit = Restart::new(4, 10 * MILLISECOND).pause(2 * MILLISECOND, 5 * MILLISECOND);
    let (mut restarts, start) = (Restarts::default(), Instant::now());
    // When it fails, in milliseconds, and the pause that follows.
    let rows = [
        (0, Some(2)),
        (5, Some(4)),
        (12, Some(5)),
        (18, Some(5)),
        // It has worked for seven milliseconds of these, and failed four times.
        (23, None),
        // The first fault is ten milliseconds of work ago.
        (26, Some(5)),
        (60, Some(2)),
    ];
    for (at, pause) in rows {
        let permitted = restarts.permit(7, &limit, start + at * MILLISECOND);
        assert_eq!(permitted, pause.map(|pause| pause * MILLISECOND), "{at}");
    }
    assert_eq!((restarts.count(7), restarts.count(8)), (6, 0));
    let endless = Restart::new(u32::MAX, AGES).pause(MILLISECOND, Duration::MAX);
    for times in 0..100 {
        let pause = restarts.permit(9, &endless, start).unwrap();
        assert_eq!(
            pause,
            MILLISECOND * 2_u32.saturating_pow(times).min(1 << 31)
        );
    }
    let never = Restart::new(2, AGES).pause(Duration::MAX, Duration::MAX);
    let pauses = [(); 3].map(|()| restarts.permit(10, &never, start));
    assert_eq!(pauses, [Some(Duration::MAX), Some(Duration::MAX), None]);
}

#[test]
fn a_pause_holds_up_and_loses_nothing() {
    let mut graph = Graph::new("pausing");
    let pass = graph.add("pass", pass(Failing::Error));
    let (told, mut faults) = crate::link::<Duration>(8);
    graph.supervise(move |fault| {
        let _ = told.try_send(Duration::from_millis(fault.restarts().into()));
        Policy::Restart(Restart::new(9, AGES).pause(5 * MILLISECOND, AGES))
    });
    let (numbers, passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let before = Instant::now();
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in [1, 3, 13, 4] {
        numbers.send_blocking(number).unwrap();
    }
    drop(numbers);
    assert_eq!(passed.into_iter().collect::<Vec<_>>(), [1, 4]);
    running.wait().unwrap();
    assert!(before.elapsed() >= 15 * MILLISECOND, "5 and 10");
    assert!(faults.try_next().is_some() && faults.try_next().is_some());
    assert!(faults.try_next().is_none());
}

#[test]
fn only_what_was_in_hand_is_a_dead_letter() {
    let mut graph = Graph::new("hands");
    let part = graph.add("part", async |io: &mut Sink<u32>| {
        let mut calls = 0;
        while let Some(number) = io.inbox.try_next() {
            calls += number;
            if calls == 3 {
                // It asks for the next one, and fails while it waits: 2 has been done with.
                let mut next = std::pin::pin!(io.inbox.next());
                poll_fn(|cx| {
                    let _ = next.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                return Err(End::fault("empty-handed"));
            }
        }
        Ok(())
    });
    graph.supervise(|_| Policy::CarryOn);
    let letters = graph.dead_letters(&part.inbox);
    let (numbers, letters) = (graph.feed(part.inbox), graph.take(letters));
    for number in [1, 2] {
        numbers.try_send(number).unwrap();
    }
    block_on(graph.start().unwrap()).unwrap();
    assert_eq!(letters.into_iter().count(), 0);
}

/// The dead letters have space for one, and nobody takes it until all numbers are on their way.
#[test]
fn dead_letters_are_waited_for() {
    let mut graph = Graph::new("burying");
    let pass = graph.add("pass", pass(Failing::Error));
    let (open, opened) = crate::link::<()>(1);
    let mut opened = Some(opened);
    let bury = graph.add("bury", async move |io: &mut Pipe<u32, u32>| {
        opened.take().unwrap().next().await;
        while let Some(number) = io.inbox.next().await {
            io.outbox.send(number).await?;
        }
        Ok(())
    });
    let letters = graph.dead_letters(&pass.inbox);
    graph.link(letters, bury.inbox).capacity(1);
    graph.supervise(|_| Policy::Restart(at_once(9)));
    let (numbers, mut passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let buried = graph.take(bury.outbox);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    for number in [3, 1, 13, 23, 2] {
        numbers.send_blocking(number).unwrap();
    }
    drop(numbers);
    assert_eq!(passed.next_blocking(), Some(1));
    open.send_blocking(()).unwrap();
    assert_eq!(passed.into_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(buried.into_iter().collect::<Vec<_>>(), [3, 13, 23]);
    running.wait().unwrap();
}

#[test]
fn a_graph_within_a_graph_keeps_its_policy() {
    let composite = |policy: Option<Policy>| -> Composite<Pipe<u32, u32>> {
        let mut inner = Graph::new("inner");
        let pass = inner.add("pass", pass(Failing::Error));
        if let Some(policy) = policy {
            inner.supervise(move |fault| {
                assert_eq!(fault.component(), "pass");
                policy
            });
        }
        let (inbox, outbox) = (pass.inbox, pass.outbox);
        inner.expose(PipeHandles { inbox, outbox })
    };
    let rows = [
        (None, vec![1], "outer/pass"),
        (Some(Policy::Stop), vec![1], ""),
        (Some(Policy::Restart(at_once(1))), vec![1, 2], ""),
    ];
    for (policy, expected, asked) in rows {
        let mut graph = Graph::new("outer");
        let part = graph.add("outer", composite(policy));
        let names = Arc::new(std::sync::Mutex::new(String::new()));
        let noted = names.clone();
        graph.supervise(move |fault| {
            noted.lock().unwrap().push_str(fault.component());
            Policy::CarryOn
        });
        let (numbers, passed) = (graph.feed(part.inbox), graph.take(part.outbox));
        for number in [1, 3, 2] {
            numbers.try_send(number).unwrap();
        }
        drop(numbers);
        let outcome = block_on(graph.start().unwrap());
        assert_eq!(outcome.is_err(), policy == Some(Policy::Stop));
        assert_eq!(passed.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(*names.lock().unwrap(), asked);
    }
}

#[test]
fn faults_and_dead_letters_are_linked_once() {
    let mut graph = Graph::new("twice");
    let [first, second] = ["first", "second"].map(|name| {
        graph.add(name, async |io: &mut Sink<Fault>| {
            io.inbox.next().await;
            Ok(())
        })
    });
    graph.link(graph.faults(), first.inbox);
    graph.link(graph.faults(), second.inbox);
    let error = graph.start().unwrap_err();
    assert!(matches!(error, GraphError::LinkedTwice { .. }), "{error}");

    let mut graph = Graph::new("twice");
    let pass = graph.add("pass", pass(Failing::Error));
    let letters = [(); 2].map(|()| graph.dead_letters(&pass.inbox));
    let letters = letters.map(|letters| graph.take(letters));
    let (_numbers, _passed) = (graph.feed(pass.inbox), graph.take(pass.outbox));
    let error = graph.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "graph `twice`: the dead letters of `pass.inbox` can be linked to one inbox only"
    );
    drop(letters);
}

/// Panics when it is dropped.
#[derive(Debug, Clone)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb");
    }
}

/// An error that panics when it is shown.
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

/// Runs a graph to which `add` adds something that panics, beside a component that must not notice; on the one worker
/// of a scheduler that must not notice either.
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
    assert!(scheduler.stop(AGES), "{what}");
}

#[derive(Ports)]
struct NoPorts {}

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
fn a_policy_that_panics_stops_the_graph() {
    let mut graph = Graph::new("hopeless");
    graph.add("fail", async |_: &mut NoPorts| fail(Failing::Error, 1));
    graph.add("wait", async |_: &mut NoPorts| pending().await);
    graph.supervise(|_| panic!("at a loss"));
    let scheduler = Scheduler::with_workers(1);
    let fault = scheduler.run(graph).unwrap().wait().unwrap_err();
    assert_eq!(fault.component(), "fail");
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

/// The ports of something that takes what it is given only when it may.
#[derive(Ports)]
struct Held {
    numbers: Inbox<u32>,
    taken: Outbox<u32>,
}

/// Numbers, without end; `begun` counts those whose sending has begun.
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

/// Stops a graph whose source waits to send; gives how many sends had begun, and what was delivered.
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
    // The worker has seen to the wish once it has answered another one.
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

/// A graph of a source and of what takes from it, over a link of four.
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
    // The thread may have begun one more send, which it was refused.
    assert!(
        begun - delivered.len() <= 1 && delivered.len() >= 5,
        "{begun}"
    );
}

/// An hour of pauses takes no time, and whatever the order in which components are polled, nothing is lost.
#[test]
fn pauses_are_those_of_the_simulation() {
    crate::Simulation::seeds(0..50).check(|simulation| {
        let mut graph = Graph::new("simulated");
        let numbers = graph.add("numbers", async |io: &mut Source<u32>| {
            for number in 1..=30 {
                io.outbox.send(number).await?;
            }
            Ok(())
        });
        let pass = graph.add("pass", pass(Failing::Error));
        let count = graph.add("count", async |io: &mut Sink<u32>| {
            let began = crate::time::now();
            let mut count = 0;
            while io.inbox.next().await.is_some() {
                count += 1;
            }
            assert_eq!(count, 27);
            let hours = crate::time::now() - began;
            assert!(hours >= Duration::from_secs(7 * 3600), "{hours:?}");
            Ok(())
        });
        graph.link(numbers.outbox, pass.inbox).capacity(2);
        graph.link(pass.outbox, count.inbox).capacity(2);
        let hour = Duration::from_secs(3600);
        graph.supervise(move |_| Policy::Restart(Restart::new(3, AGES).pause(hour, 9 * hour)));
        simulation.run(graph)
    });
}
