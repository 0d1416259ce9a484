//! A component for each connection: the base of every server.
//!
//! ```text
//! connections ──▶ serve_connections        for each:  reader ──▶ protocol ──▶ writer
//! ```

use std::fmt;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{
    Children, Closed, Component, Graph, Message, Part, Pipe, Pipeline, Placement, Policy, Sink,
    Source,
};

use super::connection::Connection;
use super::listen::Limits;
use super::{Accepted, Admission};

mod upgrade;

pub use upgrade::NextProtocol;

/// How long the peer may continue to send after nobody takes its bytes any more. After that they
/// are refused.
const LINGER: Duration = Duration::from_secs(2);

/// Serves each connection with its own component, created by `protocol`: its inbox receives what
/// the client sends, and its output is sent to the client. The protocol may be a component, a line
/// of components (`|| pipeline!(..)`), or a component that blocks.
///
/// This is [`tcp_server`](super::tcp_server) without its acceptor, for connections from elsewhere:
/// a simulated network, for example. It has the default limits of [`Listen`](super::Listen). It
/// ends when its input and all connections have ended.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use kamea::{Scheduler, pipeline};
/// use kamea_components::net::{accept, bind, serve_connections};
/// use kamea_components::stream::echo;
///
/// let listener = bind("127.0.0.1:0".parse()?, false)?;
/// let address = listener.local_addr()?;
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(pipeline!(accept(listener) => serve_connections(|| echo)))?;
///
/// let mut client = TcpStream::connect(address)?;
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// let mut heard = String::new();
/// client.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve_connections<C, Kind>(
    protocol: impl Fn() -> C + Send + 'static,
) -> impl Component<Sink<Accepted>> + Send
where
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    serve_connections_by(move |_: &Accepted| protocol())
}

/// Like [`serve_connections`], for connections that bring something along: `protocol` sees it.
pub(crate) fn serve_connections_by<M, C, Kind>(
    protocol: impl Fn(&M) -> C + Send + 'static,
) -> impl Component<Sink<M>> + Send
where
    M: Message + Into<Arrival>,
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    serve_each(Limits::default(), protocol)
}

/// As [`serve_connections`], with up to `most_of_one` connections of each client of another
/// machine: few addresses cannot take all places. Clients of this machine have places of their own,
/// as many in total again. A client is what [`client_of`](super::client_of) says.
///
/// # Examples
///
/// ```no_run
/// use kamea::{Scheduler, pipeline};
/// use kamea_components::net::{accept, bind, serve_connections_of_many};
/// use kamea_components::stream::echo;
///
/// let listener = bind("0.0.0.0:9000".parse()?, false)?;
/// let server = serve_connections_of_many(32, || echo);
/// Scheduler::with_workers(1).run(pipeline!(accept(listener) => server))?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve_connections_of_many<C, Kind>(
    most_of_one: usize,
    protocol: impl Fn() -> C + Send + 'static,
) -> impl Component<Sink<Accepted>> + Send
where
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    let limits = Limits {
        connections_per_remote: Some(most_of_one),
        ..Limits::default()
    };
    serve_each(limits, move |_: &Accepted| protocol())
}

/// A connection, and the address of its client.
#[derive(Debug)]
pub(crate) struct Arrival {
    connection: Connection,
    peer: Peer,
}

#[derive(Debug, Clone, Copy)]
enum Peer {
    Address(SocketAddr),
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Local => f.write_str("a local client"),
        }
    }
}

impl From<Accepted> for Arrival {
    fn from(accepted: Accepted) -> Self {
        Self {
            connection: accepted.stream.into(),
            peer: Peer::Address(accepted.peer),
        }
    }
}

/// Creates a connection over a Unix socket.
impl From<OwnedFd> for Arrival {
    fn from(socket: OwnedFd) -> Self {
        Self {
            connection: socket.into(),
            peer: Peer::Local,
        }
    }
}

enum News<M> {
    Arrived(Option<M>),
    /// A connection has ended. If it failed, the policy of its graph has reported the fault.
    Ended,
}

pub(super) fn serve_each<M, C, Kind>(
    limits: Limits,
    protocol: impl Fn(&M) -> C + Send + 'static,
) -> impl Component<Sink<M>> + Send
where
    M: Message + Into<Arrival>,
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    let admission = Admission::new(limits.connections, limits.connections_per_client);
    let most_of_remote = limits.connections_per_remote;
    let remote = most_of_remote.map(|most| Admission::new(limits.connections, most));
    async move |io: &mut Sink<M>| {
        let mut connections = Children::new();
        loop {
            let arrived = async { News::Arrived(io.inbox.next().await) };
            let ended = async {
                match connections.next_end().await {
                    Some(_) => News::Ended,
                    None => pending().await,
                }
            };
            let message = match or(ended, arrived).await {
                News::Ended => continue,
                News::Arrived(None) => break,
                News::Arrived(Some(message)) => message,
            };
            let protocol = protocol(&message);
            let arrival: Arrival = message.into();
            let client = match arrival.peer {
                Peer::Address(address) => address.ip(),
                Peer::Local => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            };
            let admission = match &remote {
                Some(remote) if !client.to_canonical().is_loopback() => remote,
                _ => &admission,
            };
            match admission.admit(client) {
                Some(admitted) => {
                    let graph = connection_graph(arrival, admitted, protocol, limits.stall);
                    connections.start(Placement::Any, graph)?;
                }
                None => log::debug!("{} | Too many connections", arrival.peer),
            }
        }
        connections.stop();
        while connections.next_end().await.is_some() {}
        Ok(())
    }
}

fn connection_graph<C, Kind>(
    arrival: Arrival,
    guard: impl Send + 'static,
    protocol: C,
    stall: Duration,
) -> Graph
where
    C: Part<Pipe<Bytes, Bytes>, Kind>,
{
    let Arrival { connection, peer } = arrival;
    let mut graph = Graph::new("connection");
    graph.supervise(move |fault| {
        log::error!("{peer} | {fault}");
        Policy::Stop
    });
    let reader = read(connection.clone(), peer, Bytes::new(), usize::MAX);
    Pipeline::start(&mut graph, "reader", reader)
        .then("protocol", protocol)
        .then("writer", write(connection, peer, stall, guard));
    graph
}

/// Reads until the peer has finished, or nobody takes its bytes any more: at most so many bytes at
/// once. `first` was read before.
fn read(
    connection: Connection,
    peer: Peer,
    first: Bytes,
    at_once: usize,
) -> impl Component<Source<Bytes>> + Send {
    let mut first = Some(first);
    async move |io: &mut Source<Bytes>| {
        if let Some(first) = first.take().filter(|first| !first.is_empty()) {
            // If nobody takes it, the loop notices.
            let _ = io.outbox.send(first).await;
        }
        loop {
            match io.outbox.while_open(connection.read_some(at_once)).await {
                Ok(Ok(bytes)) if bytes.is_empty() => return Ok(()),
                Ok(Ok(bytes)) => {
                    // If nobody takes it, the next round notices.
                    let _ = io.outbox.send(bytes).await;
                }
                Ok(Err(error)) => {
                    // A peer that resets its connection has finished too.
                    log::debug!("{peer} | {error}");
                    return Ok(());
                }
                Err(Closed(())) => break,
            }
        }
        // Closing with unread bytes would reset the connection, and the peer could lose the last
        // bytes that were sent to it.
        let drain = async { while connection.read().await.is_ok_and(|bytes| !bytes.is_empty()) {} };
        or(drain, sleep(LINGER)).await;
        Ok(())
    }
}

/// Writes until the input ends, or the peer reads nothing any more. `guard` is dropped when it
/// ends.
fn write(
    connection: Connection,
    peer: Peer,
    stall: Duration,
    guard: impl Send + 'static,
) -> impl Component<Sink<Bytes>> + Send {
    async move |io: &mut Sink<Bytes>| {
        let _ = &guard;
        while let Some(bytes) = io.inbox.next().await {
            let more = || io.inbox.try_next();
            if let Err(error) = connection.write(bytes, more, stall).await {
                log::debug!("{peer} | {error}");
                return Ok(());
            }
        }
        connection.shut_down_writing();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
