//! Passes messages on.

use kamea::{Done, Message, Pipe};

/// Passes on each message unchanged: the protocol of an echo server, or a placeholder.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{echo, one_shot};
///
/// let mut graph = Graph::new("hall");
/// let (_, heard) = pipeline!(graph, one_shot("hello") => echo => echo);
/// let heard = graph.take(heard);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["hello"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn echo<T: Message>(io: &mut Pipe<T, T>) -> Done {
    while let Some(message) = io.inbox.next().await {
        io.outbox.send(message).await?;
    }
    Ok(())
}
