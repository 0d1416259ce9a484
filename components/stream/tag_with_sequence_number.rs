//! Numbers messages.

use kamea::{Component, Message, Pipe};

/// Numbers messages from 0, to sort them later or to notice missing ones. After a restart it
/// continues to count.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{data_source, tag_with_sequence_number};
///
/// let mut graph = Graph::new("numbered");
/// let (_, tagged) = pipeline!(graph, data_source(["a", "b"]) => tag_with_sequence_number());
/// let tagged = graph.take(tagged);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(tagged.into_iter().collect::<Vec<_>>(), [(0, "a"), (1, "b")]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tag_with_sequence_number<T: Message>()
-> impl Component<Pipe<T, (u64, T)>> + Clone + Send + Sync {
    let mut number = 0;
    async move |io: &mut Pipe<T, (u64, T)>| {
        while let Some(message) = io.inbox.next().await {
            let tagged = (number, message);
            number += 1;
            io.outbox.send(tagged).await?;
        }
        Ok(())
    }
}
