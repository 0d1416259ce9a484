//! The connections of one worker: accepted, counted, and held or refused.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kamea::{Done, Flows, Graph, GraphError, Sink, Template};

use super::Site;
use super::admission::{Admission, Admitted};
use super::connection::{Opened, hold_connection, refuse_connection};
use crate::file::Files;
use crate::net::{Accepted, Socket, accept, bind};

/// One listening socket for each worker: the system spreads the connections over them.
pub(super) fn listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // Sockets that share an address would silently share it with another server too; one that does not share finds it taken.
    let address = bind(address, false)?.local_addr()?;
    (0..count).map(|_| bind(address, true)).collect()
}

/// What runs on one worker: acceptors, and the connections that they accept.
pub(super) fn server_graph(
    listeners: impl Iterator<Item = TcpListener>,
    connections: Connections,
) -> Graph {
    let mut graph = Graph::new("server");
    let mut accepted = Vec::new();
    for listener in listeners {
        let name = listener
            .local_addr()
            .map_or("acceptor".to_owned(), |address| {
                format!("acceptor {address}")
            });
        accepted.push(graph.add(&name, accept(listener)).outbox);
    }
    let connections = graph.add("connections", serve_connections(connections));
    graph.merge(accepted, connections.inbox);
    graph
}

/// What the workers need to know to serve connections.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) site: Arc<Site>,
    pub(super) admission: Arc<Admission>,
    /// Holds a connection that was admitted.
    pub(super) holder: Template<Arrival>,
    /// Says to a connection that it is one too many.
    pub(super) refuser: Template<Arrival>,
}

/// How many connections are told at once, on each worker, that they are too many. The others are closed and told nothing.
const REFUSALS: usize = 64;

/// Holds each accepted connection until it ends; one too many is told so.
fn serve_connections(
    connections: Connections,
) -> impl AsyncFnMut(&mut Sink<Accepted>) -> Done + Send + 'static {
    async move |io: &mut Sink<Accepted>| {
        let site = &connections.site;
        let files = Rc::new(Files::open(&site.docroot, &site.files)?);
        let (held, refused) = (Flows::new(), Flows::new());
        while let Some(accepted) = io.inbox.next().await {
            let arrival = Arrival {
                admitted: connections.admission.admit(accepted.peer.ip()),
                socket: Rc::new(Socket::new(accepted)),
                files: files.clone(),
            };
            if arrival.admitted.is_some() {
                held.spawn(connections.holder.start(arrival));
            } else if refused.count() < REFUSALS {
                refused.spawn(connections.refuser.start(arrival));
            }
        }
        held.finished().await;
        refused.finished().await;
        Ok(())
    }
}

/// A connection that has just come: the seed of the component that holds or refuses it.
pub(super) struct Arrival {
    socket: Rc<Socket>,
    files: Rc<Files>,
    admitted: Option<Admitted>,
}

pub(super) fn holder(
    connection: Template<Opened>,
    keep_alive: Duration,
) -> Result<Template<Arrival>, GraphError> {
    let mut graph = Graph::template("held connection");
    graph.add_seeded("holder", move |arrival: &mut Arrival| {
        let (socket, files) = (arrival.socket.clone(), arrival.files.clone());
        let admitted = arrival.admitted.take();
        hold_connection(socket, files, connection.clone(), keep_alive, admitted)
    });
    graph.into_template()
}

pub(super) fn refuser(refusal: Template<Opened>) -> Result<Template<Arrival>, GraphError> {
    let mut graph = Graph::template("refused connection");
    graph.add_seeded("refuser", move |arrival: &mut Arrival| {
        refuse_connection(
            arrival.socket.clone(),
            arrival.files.clone(),
            refusal.clone(),
        )
    });
    graph.into_template()
}
