//! Publishes its input to a topic of a backplane.

use std::convert::Infallible;

use kamea::{Component, EndHandle, Inbox, InboxHandle, Message, Outbox, Ports, Stage};

use super::Backplane;

/// The ports of [`publish_to`].
#[derive(Debug, Ports)]
pub struct PublishPorts<T: Message> {
    /// The messages to publish.
    pub inbox: Inbox<T>,
    /// Carries only the end, for a component that is to end with this one: a
    /// [`subscribe_to`](super::subscribe_to) behind it.
    pub end: Option<Outbox<Infallible>>,
}

/// Publishes its input to a topic. Waits for slow subscribers, if their policy is to wait. Also
/// ends when the backplane is closed.
///
/// It may be the last stage of a line. Or a [`subscribe_to`](super::subscribe_to) follows, and its
/// end travels to that.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source, pipeline};
/// use kamea_components::chassis::{Backplane, publish_to, subscribe_to};
///
/// let plane = Backplane::new();
/// let mut graph = Graph::new("one to two");
/// let greet = async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?);
/// pipeline!(graph, greet => publish_to(&plane, "greetings"));
/// let a = graph.add("a", subscribe_to(&plane, "greetings"));
/// let b = graph.add("b", subscribe_to(&plane, "greetings"));
/// let (a, b) = (graph.take(a.outbox), graph.take(b.outbox));
/// drop(plane);
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(a.into_iter().chain(b).collect::<Vec<_>>(), ["hello", "hello"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn publish_to<T: Message>(
    plane: &Backplane<T>,
    topic: &str,
) -> impl Component<PublishPorts<T>> + Send + use<T> {
    let line = plane.line(topic);
    async move |io: &mut PublishPorts<T>| {
        line.begin();
        while let Some(message) = io.inbox.next().await {
            line.publisher.publish(message).await?;
        }
        Ok(())
    }
}

impl<T: Message> Stage<T> for PublishPorts<T> {
    type Tail = EndHandle;

    fn ends(handles: PublishPortsHandles<T>) -> (InboxHandle<T>, EndHandle) {
        (handles.inbox, EndHandle(handles.end))
    }
}
