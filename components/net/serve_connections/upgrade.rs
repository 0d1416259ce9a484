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
use kamea::{Graph, Part, Pipe, Policy};

use super::{Connection, Peer, read, write};
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
    wire: Box<dyn FnOnce(Connected, &mut Graph) + Send>,
}

/// A connection that changes its protocol.
struct Connected {
    connection: Connection,
    peer: Peer,
    first: Bytes,
    stall: Duration,
}

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
        let wire = |connected: Connected, graph: &mut Graph| {
            let Connected {
                connection,
                peer,
                first,
                stall,
            } = connected;
            let reader = graph.add("reader", read(connection.clone(), peer, first));
            let protocol = graph.add("protocol", protocol);
            let writer = graph.add("writer", write(connection, peer, stall, ()));
            let link = graph.link(reader.outbox, protocol.inbox);
            link.measure(Bytes::len);
            let link = graph.link(protocol.outbox, writer.inbox);
            link.measure(Bytes::len);
        };
        Self {
            name: name.into(),
            wire: Box::new(wire),
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
        let connected = Connected {
            connection: socket.into_connection()?,
            peer,
            first,
            stall,
        };
        (self.wire)(connected, &mut graph);
        Some(graph)
    }
}
