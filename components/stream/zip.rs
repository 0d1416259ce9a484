//! Pairs two streams.
//!
//! ```text
//!  left ──▶ ┌─────┐ ──▶ pairs
//! right ──▶ │ zip │
//!           └─────┘
//! ```

use kamea::{Done, Inbox, Message, Outbox, Ports};

/// The ports of [`zip`].
#[derive(Debug, Ports)]
pub struct ZipPorts<A: Message, B: Message> {
    /// The first of each pair.
    pub left: Inbox<A>,
    /// The second of each pair.
    pub right: Inbox<B>,
    /// The pairs.
    pub pairs: Outbox<(A, B)>,
}

/// Pairs the messages of two streams until either ends. Use it to compare two streams, or to join
/// questions with answers.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::stream::{data_source, zip};
///
/// let mut graph = Graph::new("pairs");
/// let (names, ages) = (graph.add("names", data_source(["Ada", "Grace"])), graph.add("ages", data_source([36, 85])));
/// let zip = graph.add("zip", zip);
/// graph.link(names.outbox, zip.left);
/// graph.link(ages.outbox, zip.right);
/// let pairs = graph.take(zip.pairs);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(pairs.into_iter().collect::<Vec<_>>(), [("Ada", 36), ("Grace", 85)]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn zip<A: Message, B: Message>(io: &mut ZipPorts<A, B>) -> Done {
    while let Some(left) = io.left.next().await
        && let Some(right) = io.right.next().await
    {
        io.pairs.send((left, right)).await?;
    }
    Ok(())
}
