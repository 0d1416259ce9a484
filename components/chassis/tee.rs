//! Passes on what comes in, and gives a copy to a component beside.

use kamea::{Composite, Graph, Message, Part, Pipe, PipeHandles, Sink};

use super::splitter;

/// Passes on what comes in, and copies it to `part`, a component (or pipeline) that takes messages and gives none, like the
/// program of the same name. Each holds up the other; one that ends is left out.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Sink, pipeline};
/// use kamea_components::chassis::tee;
///
/// let log = async |io: &mut Sink<String>| {
///     while let Some(line) = io.inbox.next().await {
///         log::info!("{line}");
///     }
///     Ok(())
/// };
/// let mut graph = Graph::new("logged");
/// let (lines, same) = pipeline!(graph, tee(log));
/// let (lines, mut same) = (graph.feed(lines), graph.take(same));
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// lines.send_blocking("hello".to_owned()).unwrap();
/// drop(lines);
/// assert_eq!(same.next_blocking().as_deref(), Some("hello"));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn tee<T: Message + Clone, Kind>(part: impl Part<Sink<T>, Kind>) -> Composite<Pipe<T, T>> {
    let mut graph = Graph::new("tee");
    let mut splitter = graph.add("splitter", splitter());
    let beside = graph.add("beside", part);
    let (copies, outbox) = (splitter.outboxes.branch(), splitter.outboxes.branch());
    graph.link(copies, beside.inbox);
    graph.expose(PipeHandles {
        inbox: splitter.inbox,
        outbox,
    })
}
