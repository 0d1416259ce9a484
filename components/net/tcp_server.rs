//! A TCP server: a protocol and an address.
//!
//! ```text
//! ┌──────────────────────────────────┐
//! │ acceptor ──▶ connections         │──▶ addresses    where it listens
//! │   each: reader ▶ protocol ▶ writer│
//! └──────────────────────────────────┘
//! ```

use std::io;
use std::net::{SocketAddr, TcpListener};

use bytes::Bytes;
use kamea::{Component, Composite, Graph, Outbox, Part, Pipe, Ports, unblock};

use super::accept::{next_accepted, watch};
use super::listen::look_up;
use super::serve_connections::serve_each;
use super::{Accepted, Listen, ServerPorts, ServerPortsHandles, bind};

/// Serves each connection with its own component, created by `protocol`: its inbox receives what
/// the client sends, and its output is sent to the client. The protocol may be a component, a line
/// of components (`|| pipeline!(..)`), or a component that blocks. It does not need to know about
/// sockets.
///
/// A connection runs on any worker, and its error or panic ends only this connection. A client that
/// has finished sending still receives the output that is on its way (half-close). A client that
/// does not read slows only its own protocol (backpressure), until it has [stalled](Listen::stall)
/// for too long. When the graph is stopped, no more connections are accepted, the inboxes of the
/// protocols end, and their remaining output is sent.
///
/// There is no idle timeout: the protocol decides how long a client may be silent.
///
/// # Faults
///
/// If the address cannot be used; the fault names it.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::tcp_server;
/// use kamea_components::stream::echo;
///
/// let mut graph = Graph::new("echoes");
/// let server = graph.add("server", tcp_server("127.0.0.1:0", || echo));
/// let mut addresses = graph.take(server.addresses);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let mut client = TcpStream::connect(addresses.next_blocking().unwrap())?;
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// let mut heard = String::new();
/// client.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tcp_server<C, Kind>(
    listen: impl Into<Listen<String>>,
    protocol: impl Fn() -> C + Send + 'static,
) -> Composite<ServerPorts<SocketAddr>>
where
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    let Listen {
        address, limits, ..
    } = listen.into();
    let mut graph = Graph::new("tcp_server");
    let acceptor = graph.add("acceptor", accept_at(address));
    let connections = graph.add(
        "connections",
        serve_each(limits, move |_: &Accepted| protocol()),
    );
    graph.link(acceptor.accepted, connections.inbox);
    graph.expose(ServerPortsHandles {
        addresses: acceptor.addresses,
    })
}

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
struct ListenError {
    address: String,
    error: io::Error,
}

#[derive(Debug, Ports)]
struct AcceptorPorts {
    accepted: Outbox<Accepted>,
    addresses: Option<Outbox<SocketAddr>>,
}

fn accept_at(address: String) -> impl Component<AcceptorPorts> + Send {
    async move |io: &mut AcceptorPorts| {
        let listener = listen_at(address.clone()).await;
        let listener = listener.map_err(|error| ListenError {
            address: address.clone(),
            error,
        })?;
        let own = listener.local_addr()?;
        log::info!("Listening on {own}");
        if let Some(addresses) = &io.addresses {
            // The receiver of the address may have gone.
            let _ = addresses.send(own).await;
        }
        let listener = watch(listener)?;
        loop {
            io.accepted.send(next_accepted(&listener).await?).await?;
        }
    }
}

async fn listen_at(address: String) -> io::Result<TcpListener> {
    // The look-up of a name may take some time.
    unblock(move || {
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in look_up(&address)? {
            outcome = bind(address, false);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    })
    .await
}
