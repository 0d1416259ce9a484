//! Receives the messages of a topic of a backplane.

use std::convert::Infallible;

use futures_lite::future::or;
use kamea::{
    Component, Inbox, InboxHandle, Message, Outbox, OutboxHandle, PipelineStart, Ports, Stage,
    heeds_stop,
};

use super::Backplane;

/// The ports of [`subscribe_to`].
#[derive(Debug, Ports)]
pub struct SubscribePorts<T: Message> {
    /// Carries only the end: if it is linked, the subscription ends with it, after the messages
    /// published by then.
    pub end: Option<Inbox<Infallible>>,
    /// The published messages.
    pub outbox: Outbox<T>,
}

/// Receives the messages of a topic, from the moment of this call: a message published before its
/// graph runs is not lost. [`Backplane::slow`] sets what happens if the subscriber is slow.
///
/// It may start a line, or follow a [`publish_to`](super::publish_to); then it ends with that.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, map, pipeline};
/// use kamea_components::chassis::{Backplane, Slow, subscribe_to};
///
/// let plane = Backplane::new();
/// let mut graph = Graph::new("latest");
/// let latest = plane.slow(Slow::DropOldest);
/// let (_, shouted) = pipeline!(graph, subscribe_to(&latest, "news") => map(|news: &str| news.to_uppercase()));
/// # drop(latest);
/// let mut shouted = graph.take(shouted);
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// # kamea::testing::block_on(async {
/// plane.publisher("news").publish("hello").await.unwrap();
/// # });
/// plane.close();
/// assert_eq!(shouted.next_blocking().as_deref(), Some("HELLO"));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn subscribe_to<T: Message + Clone>(
    plane: &Backplane<T>,
    topic: &str,
) -> impl Component<SubscribePorts<T>> + Send + use<T> {
    let mut subscription = plane.subscribe(topic);
    heeds_stop(async move |io: &mut SubscribePorts<T>| {
        loop {
            // Published messages come before the end.
            let end = or(io.outbox.closed(), ended(io.end.as_mut()));
            let next = or(subscription.next_until_drained(), async {
                end.await;
                None
            });
            let Some(message) = next.await else {
                return Ok(());
            };
            io.outbox.send(message).await?;
            while let Some(message) = subscription.next_taken() {
                io.outbox.send(message).await?;
            }
        }
    })
}

/// Waits for the end of an inbox without messages; for ever if it is not linked.
async fn ended(inbox: Option<&mut Inbox<Infallible>>) {
    match inbox {
        Some(inbox) => {
            inbox.next().await;
        }
        None => std::future::pending().await,
    }
}

impl<T: Message> PipelineStart for SubscribePorts<T> {
    type Head = ();
    type Out = T;

    fn ends(handles: SubscribePortsHandles<T>) -> ((), OutboxHandle<T>) {
        ((), handles.outbox)
    }
}

impl<T: Message> Stage<Infallible> for SubscribePorts<T> {
    type Tail = OutboxHandle<T>;

    fn ends(handles: SubscribePortsHandles<T>) -> (InboxHandle<Infallible>, OutboxHandle<T>) {
        (handles.end, handles.outbox)
    }
}
