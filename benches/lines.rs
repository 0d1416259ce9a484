//! The rows of whole frameworks: a message through a line of 1, 10 and 100 components, compared
//! with actors, channels and threads.
//!
//! Contenders that can run on one thread do, as a flow does. The threads have one each. If a
//! mailbox has a limit, it is that of Kamea's links.

mod actors;
mod axon;

use std::thread;
use std::time::Instant;

use kamea::{Graph, Pipe, Pipeline, Source};
use tokio::sync::mpsc;

use crate::links::{CAPACITY, each, measure, pass_on};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// How many messages a line of one component gets. A longer line gets fewer, so that all take about
/// as long.
const MESSAGES: u64 = 2_000_000;

/// Measures a line of this many components once, in ns for each message and component.
type Measure = fn(u64) -> Result<f64, Error>;

const CONTENDERS: &[(&str, Measure)] = &[
    ("Kamea", kamea),
    ("tokio mpsc", channels),
    ("flume", flume_channels),
    ("actix", actors::actix),
    ("kameo", actors::kameo),
    ("ractor", actors::ractor),
    ("crossbeam threads", threads),
    ("Axon", axon::axon),
];

/// Lines of one component, of ten, of a hundred.
pub(crate) fn lines(setting: &Setting) -> Result<Vec<Row>, Error> {
    let row = |(what, length, targets): (&'static str, u64, &[Target])| {
        let contenders: Vec<_> = CONTENDERS
            .iter()
            .map(|&(of, measure)| (of, move || measure(length)))
            .collect();
        Ok(Row {
            what,
            unit: "ns",
            figures: measure(setting, &contenders)?,
            targets: [&[Target::MostOfLeast(1.0 / 3.0)], targets].concat(),
        })
    };
    [
        ("a message to a line of 1 component, each", 1, &[][..]),
        (
            "a message through a line of 10 components, each",
            10,
            &[Target::Most(10.0), Target::MostOf(0.25, "tokio mpsc")],
        ),
        ("a message through a line of 100 components, each", 100, &[]),
    ]
    .into_iter()
    .map(row)
    .collect()
}

/// How many messages go through a line of this many components.
fn messages(length: u64) -> u64 {
    MESSAGES / (length + 1)
}

/// The figure of a line through which numbers from 0 have gone. Their sum proves that all of them
/// arrived.
fn figure(start: Instant, length: u64, sum: u64) -> Result<f64, Error> {
    let sent = messages(length);
    each(start, sent * length, sum, sent)
}

fn kamea(length: u64) -> Result<f64, Error> {
    let mut graph = Graph::new("line");
    let source = async move |io: &mut Source<u64>| {
        for message in 0..messages(length) {
            io.outbox.send(message).await?;
        }
        Ok(())
    };
    let mut line = Pipeline::start(&mut graph, "source", source);
    for number in 1..length {
        let name = format!("pass {number}");
        line = line.then(&name, pass_on).capacity(CAPACITY);
    }
    let add_up = async |io: &mut Pipe<u64, u64>| {
        let mut sum = 0;
        while let Some(message) = io.inbox.next().await {
            sum += message;
        }
        Ok(io.outbox.send(sum).await?)
    };
    let (_, sum) = line.then("add up", add_up).capacity(CAPACITY).ends();
    let mut sum = graph.take(sum);
    let flow = graph.start()?;
    let start = Instant::now();
    kamea::testing::block_on(flow)?;
    figure(start, length, sum.next_blocking().unwrap_or(0))
}

fn channels(length: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (first, mut receiver) = mpsc::channel(CAPACITY);
    for _ in 1..length {
        let (sender, next) = mpsc::channel(CAPACITY);
        let mut upstream = std::mem::replace(&mut receiver, next);
        runtime.spawn(async move {
            while let Some(message) = upstream.recv().await {
                if sender.send(message).await.is_err() {
                    break;
                }
            }
        });
    }
    let last = runtime.spawn(async move {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            sum += message;
        }
        sum
    });
    let start = Instant::now();
    runtime.spawn(async move {
        for message in 0..messages(length) {
            if first.send(message).await.is_err() {
                break;
            }
        }
    });
    figure(start, length, runtime.block_on(last)?)
}

fn flume_channels(length: u64) -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (first, mut receiver) = flume::bounded(CAPACITY);
    for _ in 1..length {
        let (sender, next) = flume::bounded(CAPACITY);
        let upstream = std::mem::replace(&mut receiver, next);
        runtime.spawn(async move {
            while let Ok(message) = upstream.recv_async().await {
                if sender.send_async(message).await.is_err() {
                    break;
                }
            }
        });
    }
    let last = runtime.spawn(async move {
        let mut sum = 0;
        while let Ok(message) = receiver.recv_async().await {
            sum += message;
        }
        sum
    });
    let start = Instant::now();
    runtime.spawn(async move {
        for message in 0..messages(length) {
            if first.send_async(message).await.is_err() {
                break;
            }
        }
    });
    figure(start, length, runtime.block_on(last)?)
}

fn threads(length: u64) -> Result<f64, Error> {
    let (first, mut receiver) = crossbeam_channel::bounded(CAPACITY);
    for _ in 1..length {
        let (sender, next) = crossbeam_channel::bounded(CAPACITY);
        let upstream = std::mem::replace(&mut receiver, next);
        thread::spawn(move || upstream.iter().all(|message| sender.send(message).is_ok()));
    }
    let last = thread::spawn(move || receiver.iter().sum());
    let start = Instant::now();
    (0..messages(length)).try_for_each(|message| first.send(message))?;
    drop(first);
    let sum = last.join().map_err(|_| "the last thread panicked")?;
    figure(start, length, sum)
}
