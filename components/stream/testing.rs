//! Common parts of the tests of these components.

use futures_lite::future::{poll_once, zip};
use kamea::testing::block_on;
use kamea::{Component, Fault, Graph, Message, Pipe};

/// The output of a component for `messages`, and how its graph ends. Each message is sent as soon
/// as there is space.
pub(crate) fn run<A: Message, B: Message>(
    component: impl Component<Pipe<A, B>> + Send,
    messages: impl IntoIterator<Item = A>,
) -> (Vec<B>, Result<(), Fault>) {
    let mut graph = Graph::new("alone");
    let part = graph.add("part", component);
    let (inbox, mut outbox) = (graph.feed(part.inbox), graph.take(part.outbox));
    let feed = async move {
        for message in messages {
            if inbox.send(message).await.is_err() {
                break;
            }
        }
    };
    let take = async {
        let mut taken = Vec::new();
        while let Some(message) = outbox.next().await {
            taken.push(message);
        }
        taken
    };
    block_on(async {
        let flow = graph.start().unwrap();
        let (outcome, ((), taken)) = zip(flow, zip(feed, take)).await;
        (taken, outcome)
    })
}

/// Feeds a component whose output nobody takes until it takes no more messages, then takes all its
/// output. Returns how many it took, and the output.
pub(crate) fn stuck<A: Message, B: Message>(
    component: impl Component<Pipe<A, B>> + Send,
    message: impl Fn(u32) -> A,
) -> (u32, Vec<B>) {
    let mut graph = Graph::new("stuck");
    let part = graph.add("part", component);
    let (inbox, mut outbox) = (graph.feed(part.inbox), graph.take(part.outbox));
    block_on(async {
        let mut flow = graph.start().unwrap();
        let mut accepted = 0;
        let mut offer = || {
            let is_taken = inbox.try_send(message(accepted)).is_ok();
            accepted += u32::from(is_taken);
            assert!(accepted < 10_000, "nothing holds it up");
            is_taken
        };
        loop {
            if !offer() {
                assert!(poll_once(&mut flow).await.is_none(), "it goes on");
                if !offer() {
                    break;
                }
            }
        }
        drop(inbox);
        let take = async {
            let mut taken = Vec::new();
            while let Some(message) = outbox.next().await {
                taken.push(message);
            }
            taken
        };
        let (outcome, taken) = zip(flow, take).await;
        outcome.unwrap();
        (accepted, taken)
    })
}

/// `bytes` in pieces of `size`.
pub(crate) fn pieces(bytes: &[u8], size: usize) -> Vec<bytes::Bytes> {
    let pieces = bytes.chunks(size);
    pieces.map(bytes::Bytes::copy_from_slice).collect()
}
