//! The rows of the kernel alone: messages between workers, the check of a large graph, and a graph
//! from its template.

use std::cell::Cell;
use std::thread;
use std::time::Instant;

use kamea::{Done, Graph, Pipe, Placement, Scheduler, Sink, Source, Template, map};
use tokio::sync::mpsc;

use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// The capacity of the links in messages, for Kamea and its peers alike.
pub(crate) const CAPACITY: usize = 16;
/// What measures the messages of a link with a capacity.
type Stream = Box<dyn Fn() -> Result<f64, Error>>;

const MESSAGES: u64 = 500_000;
const GRAPHS: u64 = 200_000;

/// One message between workers, compared with bare flume between threads.
pub(crate) fn across(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 2] = [("Kamea", between_workers), ("flume", between_threads)];
    Ok(vec![Row {
        what: "a message between workers",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![Target::MostOf(1.15, "flume")],
    }])
}

/// A message there and back between two workers, compared with tokio on two runtimes.
pub(crate) fn round_trip(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 2] = [("Kamea", trips), ("tokio mpsc", trips_of_tokio)];
    Ok(vec![Row {
        what: "a round trip between workers",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![Target::MostOf(1.0, "tokio mpsc")],
    }])
}

/// Messages in one direction between two workers, over links of two capacities, compared with tokio
/// on two runtimes.
pub(crate) fn one_way(setting: &Setting) -> Result<Vec<Row>, Error> {
    let row = |(what, capacity, most): (&'static str, usize, f64)| {
        let contenders: [(_, Stream); 2] = [
            ("Kamea", Box::new(move || stream(capacity))),
            ("tokio mpsc", Box::new(move || stream_of_tokio(capacity))),
        ];
        Ok(Row {
            what,
            unit: "ns",
            figures: measure(setting, &contenders)?,
            targets: vec![Target::MostOf(most, "tokio mpsc")],
        })
    };
    [
        ("a message one way between workers, capacity 16", 16, 0.7),
        (
            "a message one way between workers, capacity 1,024",
            1024,
            0.5,
        ),
    ]
    .into_iter()
    .map(row)
    .collect()
}

/// The check of a large graph.
pub(crate) fn check(setting: &Setting) -> Result<Vec<Row>, Error> {
    Ok(vec![Row {
        what: "a line of 10,000 functions, checked and started",
        unit: "ms",
        figures: measure(setting, &[("Kamea", check_functions as Measure)])?,
        targets: vec![Target::Most(100.0)],
    }])
}

/// Building, running and dropping a graph of six components from its template.
pub(crate) fn template(setting: &Setting) -> Result<Vec<Row>, Error> {
    Ok(vec![Row {
        what: "a six-component graph, built, run and dropped",
        unit: "ns",
        figures: measure(setting, &[("Kamea", graphs as Measure)])?,
        targets: vec![Target::Most(1000.0)],
    }])
}

/// Measures once, in ns.
pub(crate) type Measure = fn() -> Result<f64, Error>;

/// Measures the contenders in turn.
pub(crate) fn measure(
    setting: &Setting,
    contenders: &[(&'static str, impl Fn() -> Result<f64, Error>)],
) -> Result<Vec<Figure>, Error> {
    let mut figures: Vec<_> = contenders.iter().map(|(of, _)| Figure::new(of)).collect();
    for round in 0..=setting.rounds {
        for ((_, measure), figure) in contenders.iter().zip(&mut figures) {
            let nanoseconds = measure()?;
            // The first round only warms up.
            if round > 0 {
                figure.rounds.push(nanoseconds);
            }
        }
    }
    Ok(figures)
}

/// Nanoseconds for each of `count` since `start`. First checks `sum`, which proves that all numbers
/// below `sent` arrived.
pub(crate) fn each(start: Instant, count: u64, sum: u64, sent: u64) -> Result<f64, Error> {
    let elapsed = start.elapsed();
    if sum != sent * (sent - 1) / 2 {
        return Err("messages were lost".into());
    }
    Ok(elapsed.as_nanos() as f64 / count as f64)
}

/// Passes on each message.
pub(crate) async fn pass_on(io: &mut Pipe<u64, u64>) -> Done {
    while let Some(message) = io.inbox.next().await {
        io.outbox.send(message).await?;
    }
    Ok(())
}

fn between_workers() -> Result<f64, Error> {
    stream(CAPACITY)
}

fn between_threads() -> Result<f64, Error> {
    let (sender, receiver) = flume::bounded(CAPACITY);
    let start = Instant::now();
    let near = thread::spawn(move || (0..MESSAGES).all(|message| sender.send(message).is_ok()));
    let far = thread::spawn(move || receiver.into_iter().sum::<u64>());
    let sum = far.join().map_err(|_| "the receiving thread panicked")?;
    near.join().map_err(|_| "the sending thread panicked")?;
    each(start, MESSAGES, sum, MESSAGES)
}

/// Messages there and back.
const TRIPS: u64 = 20_000;

fn trips() -> Result<f64, Error> {
    trips_on(&Scheduler::with_workers(2))
}

/// Messages there and back between the first two workers of a scheduler.
pub(crate) fn trips_on(scheduler: &Scheduler) -> Result<f64, Error> {
    let (there, mut arriving) = kamea::link::<u64>(CAPACITY);
    let (back, mut returning) = kamea::link::<u64>(CAPACITY);
    let mut far = Graph::new("far");
    let echo = far.add("echo", async move |io: &mut Source<u64>| {
        while let Some(message) = arriving.next().await {
            back.send(message).await?;
        }
        Ok(io.outbox.send(0).await?)
    });
    let mut echoed = far.take(echo.outbox);
    let mut near = Graph::new("near");
    let ask = near.add("ask", async move |io: &mut Source<u64>| {
        let mut sum = 0;
        for message in 0..TRIPS {
            there.send(message).await?;
            sum += returning.next().await.unwrap_or(0);
        }
        Ok(io.outbox.send(sum).await?)
    });
    let mut asked = near.take(ask.outbox);
    let start = Instant::now();
    let far = scheduler.workers().run(Placement::Worker(1), far)?;
    let near = scheduler.workers().run(Placement::Worker(0), near)?;
    let figure = each(start, TRIPS, asked.next_blocking().unwrap_or(0), TRIPS);
    near.wait()?;
    echoed.next_blocking();
    far.wait()?;
    figure
}

fn trips_of_tokio() -> Result<f64, Error> {
    let (there, mut arriving) = mpsc::channel::<u64>(CAPACITY);
    let (back, mut returning) = mpsc::channel::<u64>(CAPACITY);
    let start = Instant::now();
    let far = on_runtime(async move {
        while let Some(message) = arriving.recv().await {
            if back.send(message).await.is_err() {
                break;
            }
        }
        0
    });
    let near = on_runtime(async move {
        let mut sum = 0;
        for message in 0..TRIPS {
            if there.send(message).await.is_err() {
                break;
            }
            sum += returning.recv().await.unwrap_or(0);
        }
        sum
    });
    let sum = near.join().map_err(|_| "the asking thread panicked")??;
    let figure = each(start, TRIPS, sum, TRIPS);
    far.join().map_err(|_| "the answering thread panicked")??;
    figure
}

fn stream(capacity: usize) -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(2);
    let (sender, mut receiver) = kamea::link::<u64>(capacity);
    let mut near = Graph::new("near");
    let send = near.add("send", async move |io: &mut Source<u64>| {
        for message in 0..MESSAGES {
            sender.send(message).await?;
        }
        Ok(io.outbox.send(MESSAGES).await?)
    });
    let mut sent = near.take(send.outbox);
    let mut far = Graph::new("far");
    let add_up = far.add("add up", async move |io: &mut Source<u64>| {
        let mut sum = 0;
        while let Some(message) = receiver.next().await {
            sum += message;
        }
        Ok(io.outbox.send(sum).await?)
    });
    let mut sum = far.take(add_up.outbox);
    let start = Instant::now();
    let far = scheduler.workers().run(Placement::Worker(1), far)?;
    let near = scheduler.workers().run(Placement::Worker(0), near)?;
    sent.next_blocking();
    near.wait()?;
    let figure = each(start, MESSAGES, sum.next_blocking().unwrap_or(0), MESSAGES);
    far.wait()?;
    figure
}

fn stream_of_tokio(capacity: usize) -> Result<f64, Error> {
    let (sender, mut receiver) = mpsc::channel::<u64>(capacity);
    let start = Instant::now();
    let near = on_runtime(async move {
        for message in 0..MESSAGES {
            if sender.send(message).await.is_err() {
                break;
            }
        }
        0
    });
    let far = on_runtime(async move {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            sum += message;
        }
        sum
    });
    let sum = far.join().map_err(|_| "the receiving thread panicked")??;
    near.join().map_err(|_| "the sending thread panicked")??;
    each(start, MESSAGES, sum, MESSAGES)
}

/// Runs a task on a runtime and a thread of its own.
fn on_runtime(
    task: impl Future<Output = u64> + Send + 'static,
) -> thread::JoinHandle<std::io::Result<u64>> {
    thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build()?;
        let sum = runtime.block_on(runtime.spawn(task));
        sum.map_err(std::io::Error::other)
    })
}

fn check_functions() -> Result<f64, Error> {
    let mut graph = Graph::new("functions");
    let first = graph.add("function", map(|n: u64| n));
    let (inbox, mut outbox) = (first.inbox, first.outbox);
    for number in 1..10_000 {
        let next = graph.add(&format!("function {number}"), map(|n: u64| n));
        graph.link(outbox, next.inbox);
        outbox = next.outbox;
    }
    drop((graph.feed(inbox), graph.take(outbox)));
    let start = Instant::now();
    let flow = graph.start()?;
    let elapsed = start.elapsed();
    drop(flow);
    Ok(elapsed.as_secs_f64() * 1e3)
}

thread_local! {
    /// The sum of the messages at the ends of the graphs.
    static ARRIVED: Cell<u64> = const { Cell::new(0) };
}

/// One message through each graph, from its first component to its last.
fn graphs() -> Result<f64, Error> {
    let template = six_components()?;
    ARRIVED.set(0);
    kamea::testing::block_on(async {
        let start = Instant::now();
        for seed in 0..GRAPHS {
            template.start(seed).await?;
        }
        each(start, GRAPHS, ARRIVED.get(), GRAPHS)
    })
}

fn six_components() -> Result<Template<u64>, Error> {
    let mut graph = Graph::template("six");
    let first = graph.add_seeded("first", |seed: &mut u64| {
        let seed = *seed;
        async move |io: &mut Source<u64>| Ok(io.outbox.send(seed).await?)
    });
    let mut outbox = first.outbox;
    for number in 2..6 {
        let pass = graph.add(&format!("pass {number}"), pass_on);
        graph.link(outbox, pass.inbox).capacity(CAPACITY);
        outbox = pass.outbox;
    }
    let last = graph.add("last", async |io: &mut Sink<u64>| {
        while let Some(message) = io.inbox.next().await {
            ARRIVED.set(ARRIVED.get() + message);
        }
        Ok(())
    });
    graph.link(outbox, last.inbox).capacity(CAPACITY);
    Ok(graph.into_template()?)
}
