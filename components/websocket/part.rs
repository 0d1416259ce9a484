//! A WebSocket around a part over messages: a protocol for `tcp_server`.
//!
//! ```text
//! ┌ websocket ──────────────────────────────────────────────────┐
//! │ bytes ─▶ handshake ─▶ receive ─messages▶ YOUR PART ─messages▶ send ─▶ bytes
//! │              ╎           └────────pongs, closes──────────────▲  │
//! │              └────────────────bytes of the handshake─────────┘  │
//! └─────────────────────────────────────────────────────────────┘
//! ```

use bytes::Bytes;
use kamea::{
    Composite, Graph, Inbox, InboxHandle, Outbox, OutboxHandle, Part, Pipe, PipeHandles, Policy,
    Ports,
};

use super::{
    Close, Deflate, Delivery, HandshakeOptions, Limits, Message, Patience, ReceivePortsHandles,
    Role, SendPortsHandles, accept_opening, receive_messages, send_messages,
};
use crate::tls::ClientTls;

/// How to serve or open a WebSocket.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::{Limits, WebSocketOptions};
///
/// let limits = Limits { message: 16 << 20, ..Limits::default() };
/// let options = WebSocketOptions { limits, ..WebSocketOptions::default() };
/// assert!(options.handshake.protocols.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebSocketOptions {
    /// What the handshake accepts.
    pub handshake: HandshakeOptions,
    /// How much the peer may send.
    pub limits: Limits,
    /// How long a silent peer is waited for.
    pub patience: Patience,
    /// Whether messages are passed on whole, or in pieces.
    pub delivery: Delivery,
    /// How many bytes a web server reads from the socket at once, at most. Less saves memory where
    /// parts are slow, and costs more calls. Default: 64 KiB.
    pub receive_bytes: Option<usize>,
    /// Which servers a client trusts over `wss`. Default: those whose certificate an authority of
    /// the system has signed.
    pub tls: Option<ClientTls>,
}

/// Messages in line for the peer, or for the part.
const CAPACITY: usize = 16;

/// Serves one WebSocket by a part over messages. The outside is bytes, so it is a protocol for
/// [`tcp_server`](crate::net::tcp_server) and for any other connection of bytes.
///
/// The part ends when the peer closes. When the part ends, the connection closes with code 1000.
/// A peer that does not read slows the part down, and so whatever feeds it.
///
/// # Examples
///
/// ```no_run
/// use kamea::Graph;
/// use kamea_components::net::tcp_server;
/// use kamea_components::stream::echo;
/// use kamea_components::websocket::{WebSocketOptions, websocket};
///
/// let mut graph = Graph::new("echoes");
/// graph.add("server", tcp_server("127.0.0.1:9001", || websocket(WebSocketOptions::default(), echo)));
/// ```
pub fn websocket<Kind>(
    options: WebSocketOptions,
    part: impl Part<Pipe<Message, Message>, Kind>,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("websocket");
    let handshake = graph.add("handshake", accept_opening(options.handshake.clone()));
    let (receive, send) = add_halves(&mut graph, Role::Server, &options, None);
    graph.link(handshake.rest, receive.bytes);
    graph.link(handshake.receiver, receive.agreed);
    graph.link(handshake.sender, send.opening);
    let part = graph.add("part", part);
    supervise(&mut graph);
    graph.link(graph.faults(), send.faults);
    graph.link(receive.controls, send.controls).capacity(2);
    link_messages(&mut graph, receive.messages, part.inbox);
    link_messages(&mut graph, part.outbox, send.messages);
    graph.expose(PipeHandles {
        inbox: handshake.bytes,
        outbox: send.bytes,
    })
}

/// The ports of a part that also sees, and says, how its connection closes.
#[derive(Debug, Ports)]
pub struct WebSocketPorts {
    /// The messages of the peer. They end with the connection.
    pub messages: Inbox<Message>,
    /// Messages for the peer. Their end closes the connection.
    pub replies: Outbox<Message>,
    /// Why the messages have ended, before their end.
    pub closed: Inbox<Close>,
    /// Closes the connection behind the replies that wait.
    pub closes: Outbox<Close>,
}

/// Serves one WebSocket whose handshake is done, by a part over messages: the connection has agreed
/// to `deflate`. Otherwise it is like [`websocket`].
pub fn upgraded_websocket<Kind>(
    options: &WebSocketOptions,
    deflate: Option<Deflate>,
    part: impl Part<Pipe<Message, Message>, Kind>,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("websocket");
    let (receive, send) = add_halves(&mut graph, Role::Server, options, deflate);
    let part = graph.add("part", part);
    let ends = PartEnds {
        messages: part.inbox,
        replies: part.outbox,
        close: None,
    };
    join(graph, receive, send, ends)
}

/// Like [`upgraded_websocket`], for a part that also sees, and says, how its connection closes.
pub fn upgraded_websocket_with_close<Kind>(
    options: &WebSocketOptions,
    deflate: Option<Deflate>,
    part: impl Part<WebSocketPorts, Kind>,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("websocket");
    let (receive, send) = add_halves(&mut graph, Role::Server, options, deflate);
    let part = graph.add("part", part);
    let ends = PartEnds {
        messages: part.messages,
        replies: part.replies,
        close: Some((part.closed, part.closes)),
    };
    join(graph, receive, send, ends)
}

/// Adds the two halves of a connection.
pub(super) fn add_halves(
    graph: &mut Graph,
    role: Role,
    options: &WebSocketOptions,
    agreed: Option<Deflate>,
) -> (ReceivePortsHandles, SendPortsHandles) {
    let receive = receive_messages(role, agreed, options);
    let send = send_messages(role, agreed, options.handshake.deflate.unwrap_or_default());
    (graph.add("receive", receive), graph.add("send", send))
}

/// The ends of the part that the messages go through.
struct PartEnds {
    messages: InboxHandle<Message>,
    replies: OutboxHandle<Message>,
    /// How the connection has closed, and how it is to close.
    close: Option<(InboxHandle<Close>, OutboxHandle<Close>)>,
}

/// Links the halves of a connection whose handshake is done, and the part between them.
fn join(
    mut graph: Graph,
    receive: ReceivePortsHandles,
    send: SendPortsHandles,
    part: PartEnds,
) -> Composite<Pipe<Bytes, Bytes>> {
    supervise(&mut graph);
    graph.link(graph.faults(), send.faults);
    graph.link(receive.controls, send.controls).capacity(2);
    if let Some((closed, closes)) = part.close {
        graph.link(receive.closed, closed);
        graph.link(closes, send.closes);
    }
    link_messages(&mut graph, receive.messages, part.messages);
    link_messages(&mut graph, part.replies, send.messages);
    graph.expose(PipeHandles {
        inbox: receive.bytes,
        outbox: send.bytes,
    })
}

fn link_messages(graph: &mut Graph, outbox: OutboxHandle<Message>, inbox: InboxHandle<Message>) {
    let link = graph.link(outbox, inbox).capacity(CAPACITY);
    link.measure(|message| message.payload().len());
}

/// A part that fails closes its connection by the book. Nothing else can go on after a fault.
fn supervise(graph: &mut Graph) {
    graph.supervise(|fault| {
        let component = fault.component();
        let is_of_part = component == "part" || component.starts_with("part/");
        log::error!("a WebSocket: {fault}");
        match is_of_part {
            true => Policy::CarryOn,
            false => Policy::Stop,
        }
    });
}

#[cfg(test)]
mod tests;
