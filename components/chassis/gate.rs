//! A gate behind (or before) a part that is to end after some time.
//!
//! ```text
//!        ┌───────────────────────────────────┐
//!  inbox │ entry ──▶ the part ──▶ gate       │ outbox
//! ──────▶│   └────────moved────────▲         │──────▶
//!        └───────────────────────────────────┘
//! ```
//!
//! When its time is over, the gate ends. Then the part finds its outbox closed, and the entry finds
//! that nobody observes its messages any more and ends too. Both ends of the part are then closed.

use std::future::pending;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{Timer, now};
use kamea::{
    Component, Composite, Done, Graph, Inbox, Message, Outbox, Part, Pipe, PipeHandles, Ports,
    Sink, SinkHandles, Source, SourceHandles, TrySendError,
};

/// Ports that a gate can be attached to: those of a [`Pipe`], a [`Source`] or a [`Sink`].
#[diagnostic::on_unimplemented(
    message = "a component over the ports `{Self}` cannot be ended by time",
    note = "it has to be one over a `Pipe<A, B>`, a `Source<T>` or a `Sink<T>`; a graph of others can be made one with `Graph::expose`"
)]
pub trait Gated: Ports {
    #[doc(hidden)]
    fn gate(graph: &mut Graph, part: Self::Handles, limit: Limit) -> Self::Handles;
}

/// When a gate ends.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// This long after the last message that moved.
    Silence(Duration),
    /// This long after its start.
    Age(Duration),
}

pub(super) fn gated<P: Gated, Kind>(limit: Limit, part: impl Part<P, Kind>) -> Composite<P> {
    let mut graph = Graph::new("limited");
    let part = graph.add("part", part);
    let ports = P::gate(&mut graph, part, limit);
    graph.expose(ports)
}

impl<A: Message, B: Message> Gated for Pipe<A, B> {
    fn gate(graph: &mut Graph, part: PipeHandles<A, B>, limit: Limit) -> PipeHandles<A, B> {
        let entry = graph.add("entry", note_moves);
        let gate = graph.add("gate", pass_for(limit));
        graph.link(entry.outbox, part.inbox);
        graph.link(entry.moved, gate.moved).capacity(1);
        graph.link(part.outbox, gate.inbox);
        PipeHandles {
            inbox: entry.inbox,
            outbox: gate.outbox,
        }
    }
}

impl<T: Message> Gated for Source<T> {
    fn gate(graph: &mut Graph, part: SourceHandles<T>, limit: Limit) -> SourceHandles<T> {
        let gate = graph.add("gate", pass_for(limit));
        graph.link(part.outbox, gate.inbox);
        SourceHandles {
            outbox: gate.outbox,
        }
    }
}

impl<T: Message> Gated for Sink<T> {
    fn gate(graph: &mut Graph, part: SinkHandles<T>, limit: Limit) -> SinkHandles<T> {
        let gate = graph.add("gate", pass_for(limit));
        graph.link(gate.outbox, part.inbox);
        SinkHandles { inbox: gate.inbox }
    }
}

/// A message has moved.
#[derive(Debug)]
struct Moved;

#[derive(Debug, Ports)]
struct EntryPorts<T: Message> {
    inbox: Inbox<T>,
    outbox: Outbox<T>,
    moved: Outbox<Moved>,
}

async fn note_moves<T: Message>(io: &mut EntryPorts<T>) -> Done {
    loop {
        let Ok(Some(message)) = io.moved.while_open(io.inbox.next()).await else {
            return Ok(());
        };
        if let Err(TrySendError::Closed(_)) = io.moved.try_send(Moved) {
            return Ok(());
        }
        io.outbox.send(message).await?;
    }
}

#[derive(Debug, Ports)]
struct GatePorts<T: Message> {
    inbox: Inbox<T>,
    outbox: Outbox<T>,
    moved: Option<Inbox<Moved>>,
}

enum News<T> {
    Message(T),
    Moved,
    Over,
}

fn pass_for<T: Message>(limit: Limit) -> impl Component<GatePorts<T>> + Clone + Send + Sync {
    async move |io: &mut GatePorts<T>| {
        let mut timer = Timer::new();
        let (Limit::Silence(first) | Limit::Age(first)) = limit;
        set(&mut timer, first);
        loop {
            let over = async {
                timer.expired().await;
                News::Over
            };
            let moved = async {
                if let Some(moved) = &mut io.moved
                    && let Some(Moved) = moved.next().await
                {
                    return News::Moved;
                }
                // No more input; output is still possible.
                pending().await
            };
            let message = async { io.inbox.next().await.map_or(News::Over, News::Message) };
            let news = or(over, or(message, moved)).await;
            if let Limit::Silence(longest) = limit {
                set(&mut timer, longest);
            }
            match news {
                News::Moved => {}
                News::Over => return Ok(()),
                News::Message(message) => {
                    let over = async {
                        timer.expired().await;
                        Ok(true)
                    };
                    let sent = async { io.outbox.send(message).await.map(|()| false) };
                    if or(sent, over).await? {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// A time that is too far away to represent never comes.
fn set(timer: &mut Timer, wait: Duration) {
    if let Some(deadline) = now().checked_add(wait) {
        timer.set(deadline);
    }
}
