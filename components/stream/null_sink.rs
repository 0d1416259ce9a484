//! Where messages end that nobody wants.

use kamea::{Done, Message, Sink};

/// Takes all messages, and does nothing with them: for a port that has to be linked. It is told from a forgotten one.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::stream::{data_source, null_sink};
///
/// let mut graph = Graph::new("unheard");
/// pipeline!(graph, data_source(1..=100) => null_sink);
/// Scheduler::with_workers(1).run(graph)?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn null_sink<T: Message>(io: &mut Sink<T>) -> Done {
    while io.inbox.next().await.is_some() {}
    Ok(())
}
