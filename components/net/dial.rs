//! A client connection that is opened when there is something to send, and opened again after it
//! has ended.
//!
//! ```text
//!  outgoing ──▶ ┌──────┐
//!               │ dial │ ──▶ events    sent requests, received bytes, ends
//!  hang_ups ─ ▶ └──────┘
//! ```

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, Inbox, Outbox, Ports};

use super::Socket;

/// The ports of [`dial`].
#[derive(Debug, Ports)]
pub struct DialPorts {
    /// The bytes to send.
    pub outgoing: Inbox<Outgoing>,
    /// Connections to close.
    pub hang_ups: Inbox<HangUp>,
    /// The events of connections, in order.
    pub events: Outbox<DialEvent>,
}

/// Bytes to send over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The bytes.
    pub bytes: Bytes,
    /// How many requests they contain. Bytes without a request are for the connection that is open:
    /// without one they are dropped.
    pub requests: usize,
}

/// Closes the connection with this number, if it is still open. Bytes that arrive on it later are
/// not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangUp(pub u64);

/// An event of a connection.
#[derive(Debug)]
pub enum DialEvent {
    /// The next requests are being sent: the connection accepts their bytes from now on.
    Sending {
        /// The number of the connection, counted from 1.
        connection: u64,
        /// How many requests.
        requests: usize,
        /// The time of the event.
        at: Instant,
    },
    /// Bytes have arrived.
    Received {
        /// The number of the connection.
        connection: u64,
        /// The bytes, never empty.
        bytes: Bytes,
        /// The time of the event.
        at: Instant,
    },
    /// A connection has ended, and not because of a [`HangUp`].
    Ended {
        /// The number of the connection.
        connection: u64,
        /// How it ended.
        how: Ending,
        /// The time of the event.
        at: Instant,
    },
    /// No connection could be opened for the next requests: they are not sent.
    Unreachable {
        /// How many requests.
        requests: usize,
        /// The reason.
        error: io::Error,
        /// The time at which it failed.
        at: Instant,
    },
}

impl DialEvent {
    /// Returns how many bytes arrived with this event.
    pub fn received(&self) -> usize {
        match self {
            Self::Received { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ending {
    /// The server has closed it.
    Finished,
    /// Reading from the server failed: the server may have reset the connection.
    Read(io::Error),
    /// The server does not accept bytes any more.
    Write(io::Error),
}

/// The first pause after a failed attempt to connect; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends its input to a server. It opens the connection when it is needed, and opens a new one
/// after it has ended. It tries all addresses of the server, one after another, within
/// `connect_within` in total; the address that answered is the first to be tried the next time.
///
/// After a failed attempt to connect there is a pause, so that a server that is down is not called
/// all the time.
///
/// It ends when the input and the last connection have ended, or when nobody receives its events
/// any more.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::{DialEvent, Outgoing, dial};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let addresses = [server.local_addr()?];
/// # let serving = std::thread::spawn(move || {
/// let (mut connection, _) = server.accept()?;
/// connection.read_exact(&mut [0; 4])?;
/// connection.write_all(b"because")?;
/// # std::io::Result::Ok(())
/// # });
///
/// let mut graph = Graph::new("asking");
/// let dial = graph.add("dial", dial(addresses, Duration::from_secs(10)));
/// let (outgoing, _hang_ups) = (graph.feed(dial.outgoing), graph.feed(dial.hang_ups));
/// let mut events = graph.take(dial.events);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// outgoing.send_blocking(Outgoing { bytes: "why?".into(), requests: 1 }).map_err(|_| "it has ended")?;
/// assert!(matches!(events.next_blocking(), Some(DialEvent::Sending { connection: 1, requests: 1, .. })));
/// assert!(matches!(events.next_blocking(), Some(DialEvent::Received { bytes, .. }) if bytes == "because"));
/// # serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If there is no address.
pub fn dial(
    addresses: impl Into<Arc<[SocketAddr]>>,
    connect_within: Duration,
) -> impl Component<DialPorts> + Clone + Send + Sync {
    dial_any(addresses, Socket::connect, connect_within)
}

/// Like [`dial`], but `connect` opens the connection to an address: over TLS, for example, by
/// [`connect_tls`](crate::tls::connect_tls).
///
/// # Panics
///
/// If there is no address.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::Graph;
/// use kamea_components::net::{Socket, dial_any};
///
/// let connect = async |address| {
///     println!("connecting to {address}");
///     Socket::connect(address).await
/// };
/// let addresses = ["192.0.2.1:80".parse()?, "192.0.2.2:80".parse()?];
/// let mut graph = Graph::new("asking");
/// let dial = graph.add("dial", dial_any(addresses, connect, Duration::from_secs(10)));
/// # drop((graph.feed(dial.outgoing), graph.feed(dial.hang_ups), graph.take(dial.events)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn dial_any<Connect>(
    addresses: impl Into<Arc<[SocketAddr]>>,
    connect: Connect,
    connect_within: Duration,
) -> impl Component<DialPorts> + Clone + Send + Sync
where
    Connect: AsyncFn(SocketAddr) -> io::Result<Socket> + Clone + Send + Sync + 'static,
{
    let addresses = addresses.into();
    assert!(!addresses.is_empty(), "a server has an address");
    async move |io: &mut DialPorts| {
        let first = Cell::new(0);
        let connect = async || connect_to_any(&addresses, &connect, &first).await;
        run(io, connect, connect_within).await
    }
}

/// Like [`dial`], but `connect` opens its connections: over a [simulated
/// network](crate::simulated::Network), for example.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::Graph;
/// use kamea_components::net::dial_by;
/// use kamea_components::simulated::{Conditions, Network};
///
/// let network = Network::new(Conditions::default);
/// let connect = async move || network.connect("192.0.2.1:80".parse().unwrap()).await;
/// let mut graph = Graph::new("simulated");
/// let dial = graph.add("dial", dial_by(connect, Duration::from_secs(10)));
/// # drop((graph.feed(dial.outgoing), graph.feed(dial.hang_ups), graph.take(dial.events)));
/// ```
pub fn dial_by<Connect>(
    connect: Connect,
    connect_within: Duration,
) -> impl Component<DialPorts> + Clone + Send + Sync
where
    Connect: AsyncFn() -> io::Result<Socket> + Clone + Send + Sync + 'static,
{
    async move |io: &mut DialPorts| run(io, &connect, connect_within).await
}

/// Connects to the address with the number `first`, or else tries the other ones in turn.
async fn connect_to_any(
    addresses: &[SocketAddr],
    connect: impl AsyncFn(SocketAddr) -> io::Result<Socket>,
    first: &Cell<usize>,
) -> io::Result<Socket> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for number in 0..addresses.len() {
        let number = (first.get() + number) % addresses.len();
        outcome = connect(addresses[number]).await;
        if outcome.is_ok() {
            first.set(number);
            break;
        }
    }
    outcome
}

async fn run(
    io: &mut DialPorts,
    connect: impl AsyncFn() -> io::Result<Socket>,
    connect_within: Duration,
) -> Done {
    let (mut connection, mut pause) = (0, PAUSE);
    while let Some(piece) = io.events.while_open(io.outgoing.next()).await? {
        if piece.requests == 0 {
            continue;
        }
        let late = async {
            sleep(connect_within).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match io.events.while_open(or(connect(), late)).await? {
            Ok(socket) => {
                (connection, pause) = (connection + 1, PAUSE);
                run_call(io, socket, connection, piece).await?;
            }
            Err(error) => {
                let event = DialEvent::Unreachable {
                    requests: piece.requests,
                    error,
                    at: now(),
                };
                io.events.send(event).await?;
                io.events.while_open(sleep(pause)).await?;
                pause = LONGEST_PAUSE.min(2 * pause);
            }
        }
    }
    Ok(())
}

/// Sends and receives over a connection until it ends.
async fn run_call(io: &mut DialPorts, socket: Socket, connection: u64, first: Outgoing) -> Done {
    let DialPorts {
        outgoing,
        hang_ups,
        events,
    } = io;
    // The reason why nothing can be sent any more, if there is one. What the server sent before
    // that must still be read.
    let failed = Cell::new(None);
    let sending = async {
        let mut next = Some(first);
        while let Some(piece) = next {
            let event = DialEvent::Sending {
                connection,
                requests: piece.requests,
                at: now(),
            };
            events.send(event).await?;
            if let Err(error) = write_whole(&socket, &piece.bytes).await {
                failed.set(Some(error));
                break;
            }
            next = outgoing.next().await;
        }
        pending().await
    };
    let receiving = async {
        loop {
            let how = match socket.receive().await {
                Ok(bytes) if !bytes.is_empty() => {
                    let event = DialEvent::Received {
                        connection,
                        bytes,
                        at: now(),
                    };
                    events.send(event).await?;
                    continue;
                }
                Ok(_) => Ending::Finished,
                Err(error) => Ending::Read(error),
            };
            let event = DialEvent::Ended {
                connection,
                how: failed.take().map_or(how, Ending::Write),
                at: now(),
            };
            return Ok(events.send(event).await?);
        }
    };
    let hung_up = async {
        while let Some(HangUp(which)) = hang_ups.next().await {
            if which == connection {
                return Ok(());
            }
        }
        // Nobody is left to receive it.
        pending().await
    };
    let call = or(or(hung_up, sending), receiving);
    events.while_open(call).await?
}

async fn write_whole(socket: &Socket, bytes: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        sent += socket.write(&bytes[sent..], false).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
