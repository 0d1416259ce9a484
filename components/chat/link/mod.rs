//! The link between two peers.
//!
//! ```text
//!             ┌ peer_link ──────────────────────────────────┐
//!  bytes ──▶  │ secure_link ──secured──▶ speak_peer ────────│──▶ Input      to the node
//!  bytes ◀──  │      ◀───────frames────────┘  ◀─────────────│─── ToLink    from the node
//!             └─────────────────────────────────────────────┘
//! ```

mod handshake;
mod records;
mod secure_link;
mod session;
mod speak_peer;

use bytes::Bytes;
use kamea::{Composite, Graph, Pipe, PipeHandles, Policy};

pub use handshake::{Handshake, LinkError, Role, Transport};
pub use records::Records;
pub use secure_link::{SecureLinkPorts, SecureLinkPortsHandles, Secured, secure_link};
pub use session::{Received, Session};
#[cfg(test)]
pub(crate) use speak_peer::{FromNode, queue};
pub use speak_peer::{PeerPorts, PeerPortsHandles, Speaker, ToLink, Up, speak_peer};

use crate::{Entropy, Identity};

/// How many frames may wait between the parts of a link.
const CAPACITY: usize = 4;

/// One connection to a peer: bytes outside, the node inside. It is a protocol for
/// [`serve_connections`](kamea_components::net::serve_connections).
pub fn peer_link(
    role: Role,
    identity: Identity,
    entropy: Entropy,
    speaker: Speaker,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("peer_link");
    let secure = graph.add("secure_link", secure_link(role, identity, entropy));
    let speak = graph.add("speak_peer", speak_peer(role, speaker));
    graph
        .link(secure.incoming, speak.secured)
        .capacity(CAPACITY);
    graph
        .feedback(speak.frames, secure.outgoing)
        .capacity(CAPACITY);
    graph.supervise(|fault| {
        log::warn!("a link to a peer: {fault}");
        Policy::Stop
    });
    graph.expose(PipeHandles {
        inbox: secure.received,
        outbox: secure.sending,
    })
}
