//! A client's connection that is made when there is something to be sent, and made anew after it has ended.
//!
//! ```text
//!  outgoing ──▶ ┌──────┐
//!               │ dial │ ──▶ events    what was sent, what came, how it ended
//!  hang_ups ─ ▶ └──────┘
//! ```

use std::cell::Cell;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, End, Inbox, Outbox, Ports};

use super::{Socket, read_some};

/// The ports of [`dial`].
#[derive(Debug, Ports)]
pub struct DialPorts {
    /// What is to be sent.
    pub outgoing: Inbox<Outgoing>,
    /// Connections that are to be closed.
    pub hang_ups: Inbox<HangUp>,
    /// What happens to connections, in the order in which it does.
    pub events: Outbox<DialEvent>,
}

/// Bytes to be sent over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The bytes.
    pub bytes: Bytes,
    /// How many requests they are.
    pub requests: usize,
}

/// Closes the connection with this number, if it is still there. What comes in over it after that is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangUp(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum DialEvent {
    /// The next requests are being sent: the connection takes their bytes from now on.
    Sending {
        /// The number of the connection, counted from 1.
        connection: u64,
        /// How many requests.
        requests: usize,
        /// When.
        at: Instant,
    },
    /// Bytes have come.
    Received {
        /// Over which connection.
        connection: u64,
        /// The bytes, never none.
        bytes: Bytes,
        /// When.
        at: Instant,
    },
    /// A connection has ended, for no [`HangUp`].
    Ended {
        /// Which.
        connection: u64,
        /// How.
        how: Ending,
        /// When.
        at: Instant,
    },
    /// There was no connection for the next requests: they are not sent.
    Unreachable {
        /// How many requests.
        requests: usize,
        /// Why not.
        error: io::Error,
        /// When that was known.
        at: Instant,
    },
}

impl DialEvent {
    /// How many bytes have come with it.
    pub fn received(&self) -> usize {
        match self {
            Self::Received { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// How a connection has ended.
#[derive(Debug)]
pub enum Ending {
    /// The server has finished.
    Finished,
    /// What the server sends could not be read: it has cut the connection, perhaps.
    Read(io::Error),
    /// The server does not take any more.
    Write(io::Error),
}

/// How long the first pause after a connection that did not come to be is; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a pause is at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends what comes in to a server over a connection that is made when it is needed, and made anew after it has ended. All addresses of the
/// server are tried, one after another, for as long as `connect_within` in all; the one that answered is the first the next time.
///
/// After a connection that did not come to be there is a pause, so that a server which is not there is not asked all the time.
///
/// It ends when nothing more comes in and the last connection has ended, or when nobody wants to hear its events any more.
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
    let addresses = addresses.into();
    assert!(!addresses.is_empty(), "a server has an address");
    async move |io: &mut DialPorts| {
        let first = Cell::new(0);
        let connect = async || connect_to_any(&addresses, &first).await;
        run(io, connect, connect_within).await
    }
}

/// Like [`dial`], but makes its connections by `connect`: over a [simulated network](crate::simulated::Network), for example.
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

/// Connects to the address with the number `first`, or else to one of those behind it, and before it.
async fn connect_to_any(addresses: &[SocketAddr], first: &Cell<usize>) -> io::Result<Socket> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for number in 0..addresses.len() {
        let number = (first.get() + number) % addresses.len();
        outcome = Socket::connect(addresses[number]).await;
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
    while let Some(piece) = unless_unwanted(&io.events, io.outgoing.next()).await? {
        let late = async {
            sleep(connect_within).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match unless_unwanted(&io.events, or(connect(), late)).await? {
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
                unless_unwanted(&io.events, sleep(pause)).await?;
                pause = LONGEST_PAUSE.min(2 * pause);
            }
        }
    }
    Ok(())
}

/// Waits for something, as long as anybody wants to hear of it.
async fn unless_unwanted<T>(
    events: &Outbox<DialEvent>,
    something: impl Future<Output = T>,
) -> Result<T, End> {
    let something = async { Ok(something.await) };
    or(something, unwanted(events)).await
}

async fn unwanted<T>(events: &Outbox<DialEvent>) -> Result<T, End> {
    events.closed().await;
    Err(End::Closed)
}

/// Sends and receives over a connection until it ends.
async fn run_call(io: &mut DialPorts, socket: Socket, connection: u64, first: Outgoing) -> Done {
    let DialPorts {
        outgoing,
        hang_ups,
        events,
    } = io;
    // Why nothing can be sent any more, if so. What the server has said before that is still to be read.
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
            let how = match read_some(&socket).await {
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
        // Nobody is left who could want it to.
        pending().await
    };
    or(or(hung_up, sending), or(receiving, unwanted(events))).await
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
