//! Sends and receives datagrams (UDP, RFC 768).
//!
//! ```text
//! outgoing ──▶ ┌─────┐ ──▶ incoming
//!              │ udp │ ──▶ addresses    where it is bound
//!              └─────┘
//! ```

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_lite::future::{or, try_zip};
use kamea::{
    Component, End, Inbox, InboxHandle, Outbox, OutboxHandle, PipelineStart, Ports, Stage, stopping,
};
use tokio::net::UdpSocket;

/// More than the largest possible datagram, in bytes.
const LARGEST: usize = 64 * 1024;

/// A datagram, and its sender or receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The sender, or the receiver.
    pub peer: SocketAddr,
    /// The payload; over IPv4 at most 65,507 bytes.
    pub content: Bytes,
}

/// The ports of [`udp`].
#[derive(Debug, Ports)]
pub struct UdpPorts {
    /// Datagrams to send.
    pub outgoing: Option<Inbox<Datagram>>,
    /// Datagrams that have arrived.
    pub incoming: Option<Outbox<Datagram>>,
    /// The bound address, as soon as it is bound; with the port that the system chose if port 0 was
    /// requested.
    pub addresses: Option<Outbox<SocketAddr>>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind UDP to {address}: {error}")]
struct BindError {
    address: SocketAddr,
    error: io::Error,
}

/// Sends and receives datagrams at an address of this machine; port 0 for any. In a pipeline,
/// `outgoing` and `incoming` are the ends that are linked.
///
/// Datagrams may always arrive. So it ends when nobody takes them any more, when its graph stops,
/// or, if `incoming` is not linked, when there are no more datagrams to send. While downstream has
/// no space, datagrams wait in the buffer of the system, which drops further ones when it is full,
/// as UDP allows. A datagram that cannot be sent (too large, no route to the peer) is logged, and
/// the others are still sent.
///
/// # Faults
///
/// If the address cannot be used; the fault names it.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::{Datagram, udp};
///
/// let mut graph = Graph::new("datagrams");
/// let here = graph.add("here", udp("127.0.0.1:0".parse()?));
/// let (mut addresses, mut incoming) = (graph.take(here.addresses), graph.take(here.incoming));
/// let there = graph.add("there", udp("127.0.0.1:0".parse()?));
/// let outgoing = graph.feed(there.outgoing);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let peer = addresses.next_blocking().unwrap();
/// outgoing.send_blocking(Datagram { peer, content: "hello".into() }).unwrap();
/// assert_eq!(incoming.next_blocking().unwrap().content, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn udp(address: SocketAddr) -> impl Component<UdpPorts> + Clone + Send + Sync {
    async move |io: &mut UdpPorts| {
        let bound = UdpSocket::bind(address).await;
        let socket = bound.map_err(|error| BindError { address, error })?;
        let own = socket.local_addr()?;
        log::info!("Listening on {own}");
        if let Some(addresses) = &io.addresses {
            // The receiver of the address may have gone.
            let _ = addresses.send(own).await;
        }
        let is_sender = io.incoming.is_none();
        let sending = async {
            if let Some(outgoing) = &mut io.outgoing {
                while let Some(datagram) = outgoing.next().await {
                    send(&socket, &datagram).await;
                }
            }
            if is_sender { Err(End::Closed) } else { Ok(()) }
        };
        let receiving = async {
            match &io.incoming {
                Some(incoming) => receive(&socket, incoming).await,
                None => Ok(()),
            }
        };
        let stopped = async {
            stopping().await;
            Ok(())
        };
        let both = async { try_zip(sending, receiving).await.map(|_| ()) };
        or(stopped, both).await
    }
}

async fn send(socket: &UdpSocket, datagram: &Datagram) {
    if let Err(error) = socket.send_to(&datagram.content, datagram.peer).await {
        let (peer, length) = (datagram.peer, datagram.content.len());
        log::warn!("cannot send a datagram of {length} bytes to {peer}: {error}");
    }
}

async fn receive(socket: &UdpSocket, incoming: &Outbox<Datagram>) -> Result<(), End> {
    let mut buffer = vec![0; LARGEST];
    loop {
        match incoming.while_open(socket.recv_from(&mut buffer)).await? {
            Ok((count, peer)) => {
                let content = Bytes::copy_from_slice(&buffer[..count]);
                incoming.send(Datagram { peer, content }).await?;
            }
            // The error of an earlier datagram, which its receiver reported.
            Err(error) => log::debug!("a datagram was not delivered: {error}"),
        }
    }
}

impl PipelineStart for UdpPorts {
    type Head = InboxHandle<Datagram>;
    type Out = Datagram;

    fn ends(handles: UdpPortsHandles) -> (InboxHandle<Datagram>, OutboxHandle<Datagram>) {
        (handles.outgoing, handles.incoming)
    }
}

impl Stage<Datagram> for UdpPorts {
    type Tail = OutboxHandle<Datagram>;

    fn ends(handles: UdpPortsHandles) -> (InboxHandle<Datagram>, OutboxHandle<Datagram>) {
        (handles.outgoing, handles.incoming)
    }
}

#[cfg(test)]
mod tests;
