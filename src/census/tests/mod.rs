//! The census of running graphs: each counter, each state, sums, and the cost for the graphs.

mod asking;
mod counts;
mod instances;
mod rings;
mod states;
mod text;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub(super) use text::sample;

use super::*;
use crate::{
    Done, End, Flows, Graph, Inbox, Outbox, Pipe, Placement, Policy, Ports, Restart, Scheduler,
    Sink, Source, Template, blocking,
};

/// How long a test waits for an event that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

async fn pass(io: &mut Pipe<u32, u32>) -> Done {
    while let Some(number) = io.inbox.next().await {
        io.outbox.send(number).await?;
    }
    Ok(())
}

async fn swallow(io: &mut Sink<u32>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}

/// Waits for an outside event, and takes no message.
async fn sit(_: &mut Sink<u32>) -> Done {
    std::future::pending().await
}

/// Takes a message, then waits until the gate is dropped.
async fn hold(gate: &watch::Receiver<()>, io: &mut Sink<u32>) -> Done {
    io.inbox.next().await;
    let _ = gate.clone().changed().await;
    Ok(())
}

fn count_to(
    last: u32,
) -> impl AsyncFnMut(&mut Source<u32>) -> Done + Send + Sync + Clone + 'static {
    async move |io: &mut Source<u32>| {
        for number in 0..last {
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

/// Takes one census after another until one is as expected.
fn census_when(scheduler: &Scheduler, is_expected: impl Fn(&Census) -> bool) -> Census {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let census = scheduler.census_within(PATIENCE);
        if is_expected(&census) {
            return census;
        }
        assert!(Instant::now() < deadline, "{census:#?}");
        thread::yield_now();
    }
}

fn graph<'a>(census: &'a Census, name: &str) -> &'a GraphCensus {
    let graph = census.graphs.iter().find(|graph| &*graph.name == name);
    graph.unwrap_or_else(|| panic!("no graph {name}: {census:#?}"))
}

fn component<'a>(graph: &'a GraphCensus, name: &str) -> &'a ComponentCensus {
    let mut components = graph.components.iter();
    components.find(|known| &*known.name == name).unwrap()
}

/// The states of a component that has one instance.
fn state<'a>(graph: &'a GraphCensus, name: &str) -> &'a State {
    match &component(graph, name).states[..] {
        [only] => &only.state,
        others => panic!("{others:?}"),
    }
}

fn settled(
    name: &'static str,
    component: &'static str,
    expected: State,
) -> impl Fn(&Census) -> bool {
    move |census| {
        let graph = census.graphs.iter().find(|graph| &*graph.name == name);
        graph.is_some_and(|graph| {
            let states = &self::component(graph, component).states;
            states.len() == 1 && states[0].state == expected
        })
    }
}

#[derive(Ports)]
struct NoPorts {}
