//! The rows of the inside of a flow: fans of a hundred, and a round trip.

use std::time::Instant;

use kamea::{Graph, Inbox, Outbox, Outboxes, Ports, Scheduler, Sink, Source};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::links::{CAPACITY, Measure, each, measure, pass_on};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// The width of a fan.
const FAN: u64 = 100;
const MESSAGES: u64 = 1_000_000;

/// A hundred sources and one sink in a flow, compared with tasks of one thread over kanal.
pub(crate) fn fan_in(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 2] = [("Kamea", many_to_one), ("kanal", many_to_one_of_kanal)];
    Ok(vec![Row {
        what: "a message of one of 100 sources, in a flow",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![Target::MostOf(1.0, "kanal")],
    }])
}

/// One source and a hundred sinks in turns, in a flow, compared with tasks of one thread over kanal.
pub(crate) fn fan_out(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 2] = [("Kamea", one_to_many), ("kanal", one_to_many_of_kanal)];
    Ok(vec![Row {
        what: "a message to one of 100 sinks, in a flow",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![Target::MostOf(1.0, "kanal")],
    }])
}

/// A message there and back in a flow, compared with two tasks of one thread.
pub(crate) fn ping_pong(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 3] = [
        ("Kamea", pings),
        ("tokio mpsc", pings_of_tokio),
        ("flume", pings_of_flume),
    ];
    Ok(vec![Row {
        what: "a round trip in a flow",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![
            Target::MostOf(0.2, "tokio mpsc"),
            Target::MostOf(0.2, "flume"),
        ],
    }])
}

/// Runs tasks on this thread until all have ended.
pub(crate) fn on_this_thread(start: impl FnOnce(&LocalSet)) -> Result<(), Error> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.build()?;
    let tasks = LocalSet::new();
    start(&tasks);
    runtime.block_on(tasks);
    Ok(())
}

#[derive(Ports)]
struct FanPorts {
    to: Outboxes<u64>,
}

async fn add_up(io: &mut Sink<u64>) -> u64 {
    let mut sum = 0;
    while let Some(number) = io.inbox.next().await {
        sum += number;
    }
    sum
}

fn many_to_one() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("fan in");
    let sources: Vec<_> = (0..FAN)
        .map(|source| {
            let count = async move |io: &mut Source<u64>| {
                for number in 0..MESSAGES / FAN {
                    io.outbox.send(source * (MESSAGES / FAN) + number).await?;
                }
                Ok(())
            };
            graph.add(&format!("source {source}"), count).outbox
        })
        .collect();
    let (tell, mut told) = kamea::link(1);
    let sink = graph.add("sink", async move |io: &mut Sink<u64>| {
        let sum = add_up(io).await;
        Ok(tell.send(sum).await?)
    });
    graph.merge(sources, sink.inbox).capacity(CAPACITY);
    let start = Instant::now();
    let running = scheduler.run(graph)?;
    let figure = each(start, MESSAGES, told.next_blocking().unwrap_or(0), MESSAGES);
    running.wait()?;
    figure
}

fn many_to_one_of_kanal() -> Result<f64, Error> {
    let (sender, receiver) = kanal::bounded_async::<u64>(CAPACITY);
    let (tell, told) = flume::bounded(1);
    let start = Instant::now();
    on_this_thread(|tasks| {
        for source in 0..FAN {
            let sender = sender.clone();
            tasks.spawn_local(async move {
                for number in 0..MESSAGES / FAN {
                    let _ = sender.send(source * (MESSAGES / FAN) + number).await;
                }
            });
        }
        drop(sender);
        tasks.spawn_local(async move {
            let mut sum = 0;
            while let Ok(number) = receiver.recv().await {
                sum += number;
            }
            let _ = tell.send(sum);
        });
    })?;
    each(start, MESSAGES, told.recv()?, MESSAGES)
}

fn one_to_many() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("fan out");
    let mut source = graph.add("source", async |io: &mut FanPorts| {
        for number in 0..MESSAGES {
            io.to[(number % FAN) as usize].send(number).await?;
        }
        Ok(())
    });
    let (tell, told) = kamea::link(FAN as usize);
    for sink in 0..FAN {
        let tell = tell.clone();
        let sink = graph.add(&format!("sink {sink}"), async move |io: &mut Sink<u64>| {
            let sum = add_up(io).await;
            Ok(tell.send(sum).await?)
        });
        graph
            .link(source.to.branch(), sink.inbox)
            .capacity(CAPACITY);
    }
    drop(tell);
    let start = Instant::now();
    let running = scheduler.run(graph)?;
    let figure = each(start, MESSAGES, told.into_iter().sum(), MESSAGES);
    running.wait()?;
    figure
}

fn one_to_many_of_kanal() -> Result<f64, Error> {
    let (tell, told) = flume::bounded(FAN as usize);
    let start = Instant::now();
    on_this_thread(|tasks| {
        let mut senders = Vec::new();
        for _ in 0..FAN {
            let (sender, receiver) = kanal::bounded_async::<u64>(CAPACITY);
            senders.push(sender);
            let tell = tell.clone();
            tasks.spawn_local(async move {
                let mut sum = 0_u64;
                while let Ok(number) = receiver.recv().await {
                    sum += number;
                }
                let _ = tell.send(sum);
            });
        }
        tasks.spawn_local(async move {
            for number in 0..MESSAGES {
                let _ = senders[(number % FAN) as usize].send(number).await;
            }
        });
    })?;
    drop(tell);
    each(start, MESSAGES, told.iter().sum(), MESSAGES)
}

#[derive(Ports)]
struct AskPorts {
    answers: Inbox<u64>,
    questions: Outbox<u64>,
}

fn pings() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("ping pong");
    let (tell, mut told) = kamea::link(1);
    let ask = graph.add("ask", async move |io: &mut AskPorts| {
        let mut sum = 0;
        for number in 0..MESSAGES {
            io.questions.send(number).await?;
            sum += io.answers.next().await.unwrap_or(0);
        }
        Ok(tell.send(sum).await?)
    });
    let answer = graph.add("answer", pass_on);
    graph.link(ask.questions, answer.inbox).capacity(CAPACITY);
    graph
        .feedback(answer.outbox, ask.answers)
        .capacity(CAPACITY);
    let start = Instant::now();
    let running = scheduler.run(graph)?;
    let figure = each(start, MESSAGES, told.next_blocking().unwrap_or(0), MESSAGES);
    running.wait()?;
    figure
}

fn pings_of_tokio() -> Result<f64, Error> {
    let (there, mut arriving) = mpsc::channel::<u64>(CAPACITY);
    let (back, mut returning) = mpsc::channel::<u64>(CAPACITY);
    let (tell, told) = flume::bounded(1);
    let start = Instant::now();
    on_this_thread(|tasks| {
        tasks.spawn_local(async move {
            while let Some(number) = arriving.recv().await {
                let _ = back.send(number).await;
            }
        });
        tasks.spawn_local(async move {
            let mut sum = 0;
            for number in 0..MESSAGES {
                let _ = there.send(number).await;
                sum += returning.recv().await.unwrap_or(0);
            }
            let _ = tell.send(sum);
        });
    })?;
    each(start, MESSAGES, told.recv()?, MESSAGES)
}

fn pings_of_flume() -> Result<f64, Error> {
    let (there, arriving) = flume::bounded::<u64>(CAPACITY);
    let (back, returning) = flume::bounded::<u64>(CAPACITY);
    let (tell, told) = flume::bounded(1);
    let start = Instant::now();
    on_this_thread(|tasks| {
        tasks.spawn_local(async move {
            while let Ok(number) = arriving.recv_async().await {
                let _ = back.send_async(number).await;
            }
        });
        tasks.spawn_local(async move {
            let mut sum = 0;
            for number in 0..MESSAGES {
                let _ = there.send_async(number).await;
                sum += returning.recv_async().await.unwrap_or(0);
            }
            let _ = tell.send(sum);
        });
    })?;
    each(start, MESSAGES, told.recv()?, MESSAGES)
}
