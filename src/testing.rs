//! Runs components and asynchronous code in tests and in the examples of the documentation.

use std::future::Future;

use crate::graph::{Graph, Part};
use crate::port::Message;
use crate::ports::{Pipe, Source};
use crate::scheduler::Scheduler;

/// Runs a component, feeds it with `input`, and returns all its output.
///
/// # Panics
///
/// If the component fails, or if it is a graph with a mistake.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea::{filter, map, pipeline};
///
/// assert_eq!(collect(map(|n: u32| 2 * n), [1, 2, 3]), [2, 4, 6]);
/// let odd = pipeline!(map(|n: u32| n + 1) => filter(|n: &u32| n % 2 == 1));
/// assert_eq!(collect(odd, 0..6), [1, 3, 5]);
/// ```
pub fn collect<A: Message, B: Message, Kind>(
    part: impl Part<Pipe<A, B>, Kind>,
    input: impl IntoIterator<Item = A>,
) -> Vec<B> {
    let mut input = Some(input.into_iter().collect::<Vec<_>>());
    let mut graph = Graph::new("collect");
    let source = graph.add("input", async move |io: &mut Source<A>| {
        for message in input.take().into_iter().flatten() {
            io.outbox.send(message).await?;
        }
        Ok(())
    });
    let ports = graph.add("component", part);
    graph.link(source.outbox, ports.inbox);
    let output = graph.take(ports.outbox);
    let scheduler = Scheduler::with_workers(1);
    let running = match scheduler.run(graph) {
        Ok(running) => running,
        Err(mistake) => panic!("{mistake}"),
    };
    let output = output.into_iter().collect();
    if let Err(error) = running.wait() {
        panic!("{error}");
    }
    output
}

/// Runs a future to its end on this thread, with timers and sockets.
///
/// # Panics
///
/// If the system cannot make an event queue.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("the system can make an event queue");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_link_holds_comes_in_order() {
        assert!(
            collect(crate::map(|n: u32| n), 0..1000)
                .into_iter()
                .eq(0..1000)
        );
    }

    #[test]
    #[should_panic(
        expected = "component `component` of graph `collect` panicked: attempt to divide by zero"
    )]
    fn a_fault_is_not_silent() {
        collect(crate::map(|n: u32| 1 / n), [1, 0]);
    }
}
