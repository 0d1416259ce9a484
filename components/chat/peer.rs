//! A whole peer: its node, its links, and what opens and accepts them.
//!
//! ```text
//!  acceptor ──▶ accepted: a peer_link each ──┐
//!                                            ├──▶ node ──▶ events
//!  dialer ────▶ dialed: a peer_link each ────┘     │
//!     ▲────────────── news of links and contacts ──┘
//! ```

use std::io;
use std::net::SocketAddr;

use kamea::{Component, Composite, Graph, Sender, Source, SourceHandles, link};
use kamea_components::net::{Accepted, serve_connections, serve_connections_of_many};
use serde_json::Value;

use crate::link::{Role, Speaker, peer_link};
use crate::log::sync_history;
use crate::node::{Input, Node, keep_node};
use crate::{Entropy, Identity, Log, LogError, PeerName, dial_peers};

/// How many news may wait for the component that connects to peers.
const NEWS: usize = 4_000;

/// How many inputs may wait for the node; then the links wait.
const INPUTS: usize = 64;

/// How many connections from one network of another machine are accepted.
const MOST_OF_NETWORK: usize = 32;

/// Who a peer is, and where its random bytes come from.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// The secret key.
    pub identity: Identity,
    /// The name.
    pub name: PeerName,
    /// [`system_random`](crate::system_random), except in simulations.
    pub entropy: Entropy,
}

/// Makes a peer. Its outbox gives the events for the pages; the sender takes commands, and news
/// from the tracker. `accept` gives connections of others, and `connect` opens connections:
/// [`net::accept`](kamea_components::net::accept) and [`connect_tcp`](crate::connect_tcp), or those
/// of a simulated network.
///
/// # Errors
///
/// If the log cannot be read.
pub fn chat_peer<Connect>(
    options: PeerOptions,
    log: Log,
    accept: impl Component<Source<Accepted>> + Send,
    connect: Connect,
) -> Result<(Composite<Source<Value>>, Sender<Input>), LogError>
where
    Connect: AsyncFn(SocketAddr) -> io::Result<Accepted> + Clone + Send + Sync + 'static,
{
    let PeerOptions {
        identity,
        name,
        entropy,
    } = options;
    let (dialer, news) = link(NEWS);
    let (inputs, queue) = link(INPUTS);
    let disk = log.disk();
    let node = Node::new(identity.clone(), name.clone(), log, entropy, Some(dialer))?;
    let mut graph = Graph::new("chat_peer");
    let node = graph.add("node", keep_node(node));
    graph.feed_from(queue, node.inputs);
    let disk = graph.add("disk", sync_history(disk));
    graph.link(node.written, disk.inbox).capacity(1);
    let speaker = Speaker {
        name,
        node: inputs.clone(),
    };
    let links = |role| {
        let (identity, speaker) = (identity.clone(), speaker.clone());
        move || peer_link(role, identity.clone(), entropy, speaker.clone())
    };
    let acceptor = graph.add("acceptor", accept);
    let accepted = graph.add(
        "accepted",
        serve_connections_of_many(MOST_OF_NETWORK, links(Role::Responder)),
    );
    graph.link(acceptor.outbox, accepted.inbox);
    let dialer = graph.add("dialer", dial_peers(connect));
    graph.feed_from(news, dialer.news);
    let dialed = graph.add("dialed", serve_connections(links(Role::Initiator)));
    graph.link(dialer.dialed, dialed.inbox);
    let events = SourceHandles {
        outbox: node.events,
    };
    Ok((graph.expose(events), inputs))
}
