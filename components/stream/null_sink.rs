//! Drops messages.

use kamea::{Done, Message, Sink};

/// Takes all messages and drops them. Link it to a port whose messages you do not want, so that it
/// differs from a forgotten port.
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
