//! No accepted message is lost without a report, for any graph and any time of its stop.
//!
//! ```text
//!   sources ──▶ a line of: functions, circles, topics of a backplane, carousels, parts that fail ──▶ sink
//!                                                              └── dead letters ──────────────────▶ letters
//! ```
//!
//! Each message is delivered, is a dead letter, or is counted as dropped.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::yield_now;
use kamea::{
    Component, Done, Graph, Inbox, Outbox, OutboxHandle, Pipe, Policy, Ports, Restart, Scheduler,
    Simulation, Sink, Source, is_stopping, map, note_dropped, random, time::sleep,
};
use kamea_components::chassis::{Backplane, carousel, forward_chooser, publish_to, subscribe_to};

/// The message: a number, and how many more rounds it makes in a circle.
type Message = (u64, u32);

/// The fate of the messages.
#[derive(Default)]
struct Books {
    accepted: AtomicU64,
    delivered: Mutex<Vec<u64>>,
    letters: Mutex<Vec<u64>>,
}

async fn rest() {
    match random::usize(..6) {
        0 => sleep(random::duration(Duration::from_micros(300))).await,
        1 => yield_now().await,
        _ => {}
    }
}

fn source(books: Arc<Books>, count: u64) -> impl Component<Source<Message>> + Send {
    async move |io: &mut Source<Message>| {
        for _ in 0..count {
            rest().await;
            // From now on it is under way: a source that is stopped still delivers the message that
            // it was sending.
            let number = books.accepted.fetch_add(1, Relaxed);
            io.outbox.send((number, 0)).await?;
        }
        rest().await;
        Ok(())
    }
}

async fn pass(io: &mut Pipe<Message, Message>) -> Done {
    while let Some(message) = io.inbox.next().await {
        rest().await;
        io.outbox.send(message).await?;
    }
    Ok(())
}

#[derive(Ports)]
struct RoundPorts {
    messages: Inbox<Message>,
    again: Outbox<Message>,
    done: Outbox<Message>,
}

/// Sends messages around, up to three times.
async fn send_around(io: &mut RoundPorts) -> Done {
    while let Some((number, rounds)) = io.messages.next().await {
        rest().await;
        match rounds as usize >= random::usize(..4) {
            true => io.done.send((number, 0)).await?,
            false => io.again.send((number, rounds + 1)).await?,
        }
    }
    Ok(())
}

/// Fails at some messages.
async fn fail_at_times(io: &mut Pipe<Message, Message>) -> Done {
    while let Some(message) = io.inbox.next().await {
        if random::chance(0.1) {
            return Err(kamea::End::fault("on purpose"));
        }
        rest().await;
        io.outbox.send(message).await?;
    }
    Ok(())
}

/// Takes some messages and ends.
fn some(count: u32) -> impl Component<Pipe<Message, Message>> + Send {
    async move |io: &mut Pipe<Message, Message>| {
        for _ in 0..count {
            let Some(message) = io.inbox.next().await else {
                break;
            };
            rest().await;
            io.outbox.send(message).await?;
        }
        Ok(())
    }
}

/// Takes messages, and drops them once the graph stops.
fn give_up(books: Arc<Books>) -> impl Component<Sink<Message>> + Send {
    async move |io: &mut Sink<Message>| {
        while let Some((number, _)) = io.inbox.next().await {
            match is_stopping() {
                true => note_dropped(1),
                false => books.delivered.lock().unwrap().push(number),
            }
        }
        Ok(())
    }
}

/// A graph that grows at its end.
struct Line {
    graph: Graph,
    end: OutboxHandle<Message>,
    letters: Vec<OutboxHandle<Message>>,
    planes: Vec<Backplane<Message>>,
    stages: usize,
}

impl Line {
    fn new(books: &Arc<Books>) -> Self {
        let mut graph = Graph::new("line");
        let restart = Restart::new(1000, Duration::from_secs(60));
        let restart = restart.pause(Duration::ZERO, Duration::from_micros(50));
        graph.supervise(move |_| Policy::Restart(restart));
        let sources: Vec<_> = (0..1 + random::usize(..3))
            .map(|index| {
                let source = source(books.clone(), random::usize(..12) as u64);
                graph.add(&format!("source {index}"), source).outbox
            })
            .collect();
        let join = graph.add("join", pass);
        graph.merge(sources, join.inbox).capacity(capacity());
        Self {
            graph,
            end: join.outbox,
            letters: Vec::new(),
            planes: Vec::new(),
            stages: 0,
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{name} {}", self.stages)
    }

    fn grow(mut self) -> Self {
        self.stages += 1;
        match random::usize(..6) {
            0 => self.pass(),
            1 | 2 => self.circle(),
            3 => self.topic(),
            4 => self.parts(),
            _ => self.failing(),
        }
    }

    fn pass(mut self) -> Self {
        let part = match random::chance(0.5) {
            true => self.graph.add(&self.name("pass"), pass),
            false => {
                let name = self.name("map");
                self.graph.add(&name, map(|message: Message| message))
            }
        };
        self.graph.link(self.end, part.inbox).capacity(capacity());
        self.end = part.outbox;
        self
    }

    fn circle(mut self) -> Self {
        let part = self.graph.add(&self.name("send_around"), send_around);
        let back = self.graph.add(&self.name("back"), pass);
        // Space for all messages in it.
        self.graph.link(part.again, back.inbox).capacity(64);
        let jobs = self.graph.link(self.end, part.messages);
        jobs.feedback(back.outbox).capacity(64);
        self.end = part.done;
        self
    }

    fn topic(mut self) -> Self {
        let plane = Backplane::new().capacity(1 + random::usize(..8));
        let publish = self
            .graph
            .add(&self.name("publish"), publish_to(&plane, "x"));
        let subscribe = self
            .graph
            .add(&self.name("subscribe"), subscribe_to(&plane, "x"));
        self.graph
            .link(self.end, publish.inbox)
            .capacity(capacity());
        self.planes.push(plane);
        self.end = subscribe.outbox;
        self
    }

    fn parts(mut self) -> Self {
        let name = self.name("choose");
        let choose = self.graph.add(&name, forward_chooser(1..));
        let part = self.graph.add(&self.name("carousel"), carousel(some));
        self.graph.link(choose.outbox, part.next);
        self.graph.feedback(part.requests, choose.inbox);
        self.graph.link(self.end, part.inbox).capacity(capacity());
        self.end = part.outbox;
        self
    }

    fn failing(mut self) -> Self {
        let part = self.graph.add(&self.name("fail"), fail_at_times);
        self.letters.push(self.graph.dead_letters(&part.inbox));
        self.graph.link(self.end, part.inbox).capacity(capacity());
        self.end = part.outbox;
        self
    }

    fn finish(mut self, books: &Arc<Books>) -> (Graph, Vec<Backplane<Message>>) {
        let note = |books: Arc<Books>, list: fn(&Books) -> &Mutex<Vec<u64>>| {
            async move |io: &mut Sink<Message>| {
                while let Some((number, _)) = io.inbox.next().await {
                    list(&books).lock().unwrap().push(number);
                }
                Ok(())
            }
        };
        let sink = match random::chance(0.2) {
            true => self.graph.add("sink", give_up(books.clone())),
            false => self
                .graph
                .add("sink", note(books.clone(), |books| &books.delivered)),
        };
        self.graph.link(self.end, sink.inbox).capacity(capacity());
        if !self.letters.is_empty() {
            let bury = self
                .graph
                .add("letters", note(books.clone(), |books| &books.letters));
            self.graph.merge(self.letters, bury.inbox).capacity(1);
        }
        (self.graph, self.planes)
    }
}

fn capacity() -> usize {
    1 + random::usize(..4)
}

fn random_line(books: &Arc<Books>) -> (Graph, Vec<Backplane<Message>>) {
    let mut line = Line::new(books);
    for _ in 0..1 + random::usize(..5) {
        line = line.grow();
    }
    line.finish(books)
}

/// Returns the fate of each message, once everything has ended.
fn check(books: &Books, dropped: u64) -> Result<(), String> {
    let accepted = books.accepted.load(Relaxed);
    let (delivered, letters) = (
        books.delivered.lock().unwrap(),
        books.letters.lock().unwrap(),
    );
    let mut known: Vec<_> = delivered.iter().chain(&*letters).copied().collect();
    let count = known.len();
    known.sort_unstable();
    known.dedup();
    if known.len() < count {
        return Err(format!("some of {delivered:?} and {letters:?} came twice"));
    }
    if count as u64 + dropped != accepted {
        return Err(format!(
            "of {accepted} messages {} were delivered, {} are letters and {dropped} were dropped",
            delivered.len(),
            letters.len()
        ));
    }
    Ok(())
}

/// How many seeds: a few in each run of the tests, 10,000 by `make drains`.
fn seeds() -> u64 {
    std::env::var("KAMEA_DRAINS").map_or(300, |count| count.parse().unwrap())
}

#[test]
fn every_message_is_delivered_or_a_letter_or_counted_as_dropped() {
    let all = Mutex::new([0; 2]);
    Simulation::seeds(0..seeds()).check(|simulation| {
        let books = Arc::new(Books::default());
        let (graph, planes) = random_line(&books);
        let stop = random::duration(Duration::from_millis(6));
        let report = simulation.stop_after(stop).run(graph);
        drop(planes);
        let report = report.map_err(|error| error.to_string())?;
        all.lock().unwrap()[usize::from(report.dropped() > 0)] += 1;
        check(&books, report.dropped())
    });
    let [drained, dropped] = *all.lock().unwrap();
    assert!(
        drained > 0 && dropped > 0,
        "{drained} {dropped}: both are to be seen"
    );
}

/// The same on threads, where a stop reports whether everything has drained.
#[test]
fn a_stop_says_that_everything_has_drained_only_if_nothing_was_dropped() {
    for _ in 0..40 {
        let books = Arc::new(Books::default());
        let (graph, planes) = random_line(&books);
        let scheduler = Scheduler::with_workers(2);
        scheduler.run(graph).unwrap();
        std::thread::yield_now();
        let stopped = scheduler.stop(Duration::from_secs(60));
        drop(planes);
        let dropped = stopped.as_ref().map_or_else(|left| left.messages(), |()| 0);
        assert_eq!(stopped.is_ok(), dropped == 0);
        check(&books, dropped).unwrap();
    }
}
