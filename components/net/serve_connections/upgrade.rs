//! The protocol that follows on a connection after an upgrade (RFC 9110 section 7.8).
//!
//! ```text
//! bytes that were read ahead ─┐
//!                socket ══ reader ──▶ protocol ──▶ writer ══ socket
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kamea::{Graph, Part, Pipe, PipeHandles, Policy};

use super::{Peer, read, write};
use crate::net::Socket;

/// What continues on a connection after its present protocol: a component over bytes, as
/// [`serve_connections`](super::serve_connections) takes it.
///
/// # Examples
///
/// ```
/// use kamea_components::net::NextProtocol;
/// use kamea_components::stream::echo;
///
/// let next = NextProtocol::new("echo", echo);
/// assert_eq!(format!("{next:?}"), "NextProtocol(\"echo\")");
/// ```
pub struct NextProtocol {
    name: Arc<str>,
    wire: Wire,
    around: Option<Around>,
    /// How many bytes are read at once, at most.
    at_once: usize,
}

/// Adds the protocol to a graph, between these ends.
type Wire = Box<dyn FnOnce(Ends, &mut Graph) + Send>;

/// Adds the components between a socket and a protocol.
type Around = Box<dyn FnOnce(&mut Graph, Ends) -> Ends + Send>;

/// Two ends of links for a component over bytes: what arrives, and where to send.
pub(crate) type Ends = PipeHandles<Bytes, Bytes>;

impl fmt::Debug for NextProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NextProtocol").field(&self.name).finish()
    }
}

impl NextProtocol {
    /// Continues with `protocol`; `name` is the name of its graph in the census.
    pub fn new<C, Kind>(name: impl Into<Arc<str>>, protocol: C) -> Self
    where
        C: Part<Pipe<Bytes, Bytes>, Kind> + Send + 'static,
        Kind: 'static,
    {
        let wire = |socket: Ends, graph: &mut Graph| {
            let protocol = graph.add("protocol", protocol);
            let link = graph.link(socket.outbox, protocol.inbox);
            link.measure(Bytes::len);
            let link = graph.link(protocol.outbox, socket.inbox);
            link.measure(Bytes::len);
        };
        Self {
            name: name.into(),
            wire: Box::new(wire),
            around: None,
            at_once: usize::MAX,
        }
    }

    /// Sets how many bytes are read from the socket at once, at most. Default: 64 KiB.
    #[must_use]
    pub fn receive_bytes(self, bytes: usize) -> Self {
        let at_once = bytes;
        Self { at_once, ..self }
    }

    /// The same protocol inside another one, such as TLS: `around` adds the components between the
    /// socket and the protocol, and returns the ends for the latter.
    pub(crate) fn within(
        self,
        around: impl FnOnce(&mut Graph, Ends) -> Ends + Send + 'static,
    ) -> Self {
        Self {
            around: Some(Box::new(around)),
            ..self
        }
    }

    /// The graph that continues on a socket that nobody else uses any more; `None` if the
    /// connection is lost. `first` was read from it before, and `stall` is how long the peer may
    /// leave its bytes unread.
    pub(crate) fn graph(self, socket: Socket, first: Bytes, stall: Duration) -> Option<Graph> {
        let peer = Peer::Address(socket.peer());
        let mut graph = Graph::new(self.name);
        graph.supervise(move |fault| {
            log::error!("{peer} | {fault}");
            Policy::Stop
        });
        let connection = socket.into_connection()?;
        let reader = read(connection.clone(), peer, first, self.at_once);
        let reader = graph.add("reader", reader);
        let writer = graph.add("writer", write(connection, peer, stall, ()));
        let mut ends = PipeHandles {
            inbox: writer.inbox,
            outbox: reader.outbox,
        };
        if let Some(around) = self.around {
            ends = around(&mut graph, ends);
        }
        (self.wire)(ends, &mut graph);
        Some(graph)
    }
}
