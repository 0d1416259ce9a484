//! The rows of what is at rest: the memory of graphs that wait, and a round trip beside them.

use std::cell::Cell;
use std::env;
use std::fs;
use std::process::Command;

use kamea::{Done, Graph, Placement, Scheduler, Sink, Source};
use tokio::sync::mpsc;

use crate::flow::on_this_thread;
use crate::links::{CAPACITY, Measure, measure, trips_on};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// The argument with which the harness measures the memory of one contender, in a process that has
/// not used any memory before.
pub(crate) const ALONE: &str = "memory-of";

const GRAPHS: usize = 100_000;
const PAIRS: usize = 20_000;
/// How many components rest beside a round trip.
const BESIDE: usize = 50_000;

/// What rests, by the name that [`ALONE`] takes.
const RESTING: [(&str, Measure); 3] = [
    ("graph", graph_at_rest),
    ("components", components_at_rest),
    ("task", task_at_rest),
];

/// The memory of graphs at rest, and what a round trip costs beside them.
pub(crate) fn at_rest(setting: &Setting) -> Result<Vec<Row>, Error> {
    let memory: [(_, Measure); 2] = [
        ("Kamea", || in_a_process("graph")),
        ("tokio task", || in_a_process("task")),
    ];
    let inside: [(_, Measure); 1] = [("Kamea", || in_a_process("components"))];
    let beside: [(_, Measure); 2] = [("Kamea", || trip(BESIDE)), ("alone", || trip(0))];
    Ok(vec![
        Row {
            what: "a graph at rest, of 100,000",
            unit: "bytes resident",
            figures: measure(setting, &memory)?,
            targets: vec![Target::Most(1600.0)],
        },
        Row {
            what: "a source and a sink at rest within one graph, of 20,000",
            unit: "bytes resident",
            figures: measure(setting, &inside)?,
            targets: vec![Target::Most(1000.0)],
        },
        Row {
            what: "a round trip between workers, beside 50,000 components at rest",
            unit: "ns",
            figures: measure(setting, &beside)?,
            targets: vec![Target::MostOf(1.05, "alone")],
        },
    ])
}

/// Measures one contender in this process, and returns the bytes of each.
pub(crate) fn memory_of(name: &str) -> Result<f64, Error> {
    let (_, measure) = RESTING
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("nothing named {name} rests"))?;
    measure()
}

fn in_a_process(name: &str) -> Result<f64, Error> {
    let output = Command::new(env::current_exe()?)
        .args([ALONE, name])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The resident memory of this process, in bytes.
fn resident() -> Result<f64, Error> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("no resident size")?;
    Ok(pages.parse::<f64>()? * 4096.0)
}

async fn wait(io: &mut Sink<u64>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}

/// By how much the memory grows for each of `count` that `start` starts.
fn growth(count: usize, start: impl FnOnce() -> Result<(), Error>) -> Result<f64, Error> {
    let before = resident()?;
    start()?;
    Ok((resident()? - before) / count as f64)
}

fn graph_at_rest() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut running = Vec::with_capacity(GRAPHS);
    let mut gates = Vec::with_capacity(GRAPHS);
    growth(GRAPHS, || {
        for _ in 0..GRAPHS {
            let mut graph = Graph::new("at rest");
            let wait = graph.add("wait", wait);
            gates.push(graph.feed(wait.inbox));
            running.push(scheduler.run(graph)?);
        }
        settle(&scheduler, 1)
    })
}

/// Waits until each worker has started everything that it was given.
fn settle(scheduler: &Scheduler, workers: usize) -> Result<(), Error> {
    for worker in 0..workers {
        let mut graph = Graph::new("last");
        let last = graph.add("last", async |io: &mut Source<u64>| {
            Ok(io.outbox.send(0).await?)
        });
        let mut told = graph.take(last.outbox);
        let placement = Placement::Worker(worker);
        let running = scheduler.workers().run(placement, graph)?;
        told.next_blocking();
        running.wait()?;
    }
    Ok(())
}

fn task_at_rest() -> Result<f64, Error> {
    let grown = Cell::new(Ok(0.0));
    let mut gates = Vec::with_capacity(GRAPHS);
    on_this_thread(|tasks| {
        grown.set(growth(GRAPHS, || {
            for _ in 0..GRAPHS {
                let (gate, mut pass) = mpsc::channel::<u64>(CAPACITY);
                gates.push(gate);
                tasks.spawn_local(async move { while pass.recv().await.is_some() {} });
            }
            Ok(())
        }));
        gates.clear();
    })?;
    grown.into_inner()
}

fn components_at_rest() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let mut running = Vec::new();
    growth(PAIRS, || {
        let mut graph = Graph::new("at rest");
        for pair in 0..PAIRS {
            let source = graph.add(&format!("source {pair}"), async |_: &mut Source<u64>| {
                std::future::pending().await
            });
            let sink = graph.add(&format!("sink {pair}"), wait);
            graph.link(source.outbox, sink.inbox);
        }
        running.push(scheduler.run(graph)?);
        settle(&scheduler, 1)
    })
}

/// A round trip between two workers, beside components at rest on both.
fn trip(beside: usize) -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(2);
    let mut gates = Vec::with_capacity(beside);
    for index in 0..beside {
        let mut graph = Graph::new("at rest");
        let wait = graph.add("wait", wait);
        gates.push(graph.feed(wait.inbox));
        let placement = Placement::Worker(index % 2);
        scheduler.workers().run(placement, graph)?;
    }
    settle(&scheduler, 2)?;
    trips_on(&scheduler)
}
