//! Sends one message.

use kamea::{Component, Message, Source};

/// Sends one message and ends.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::stream::one_shot;
///
/// let mut graph = Graph::new("greeting");
/// let greeting = graph.add("greeting", one_shot("hello"));
/// let greeting = graph.take(greeting.outbox);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(greeting.into_iter().collect::<Vec<_>>(), ["hello"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn one_shot<T: Message + Clone>(message: T) -> impl Component<Source<T>> + Clone + Send {
    async move |io: &mut Source<T>| Ok(io.outbox.send(message.clone()).await?)
}
