//! The component of a node.

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Inbox, Outbox, Ports, stopping};
use serde_json::Value;

use super::{Input, Node};

/// The ports of [`keep_node`].
#[derive(Debug, Ports)]
pub struct NodePorts {
    /// Links, commands and news.
    pub inputs: Inbox<Input>,
    /// Events for the pages.
    pub events: Outbox<Value>,
    /// How many texts the user has written, for the component that brings them to the disk.
    pub written: Outbox<u64>,
}

/// How many inputs are taken before the events are sent.
const TURN: usize = 64;

/// Keeps a node. It ends when its graph is stopped, or nobody can send inputs any more; then it
/// closes all links.
pub fn keep_node(node: Node) -> impl Component<NodePorts> + Send {
    let mut node = node;
    let mut written = 0;
    async move |io: &mut NodePorts| {
        enum Next {
            Input(Option<Box<Input>>),
            Tick,
            Stop,
        }
        loop {
            let input = async { Next::Input(io.inputs.next().await.map(Box::new)) };
            let due = node.next_tick();
            let tick = async {
                sleep(due.saturating_duration_since(now())).await;
                Next::Tick
            };
            let stop = async {
                stopping().await;
                Next::Stop
            };
            match or(stop, or(tick, input)).await {
                Next::Input(None) | Next::Stop => break,
                Next::Tick => node.tick()?,
                Next::Input(Some(input)) => {
                    node.take(*input)?;
                    for _ in 1..TURN {
                        match io.inputs.try_next() {
                            Some(input) => node.take(input)?,
                            None => break,
                        }
                    }
                }
            }
            if node.log().written() > written {
                written = node.log().written();
                // If one waits already, these texts go to the disk with it.
                let _ = io.written.try_send(written);
            }
            for event in node.take_events() {
                // A node without pages goes on.
                let _ = io.events.send(event).await;
            }
        }
        node.leave_all();
        Ok(())
    }
}
