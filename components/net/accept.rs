//! The acceptor: accepts the connections of a listening socket.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Component, End, Source};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::io::Interest;

use super::{ByteStream, Seldom};

/// A connection that has just been accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection, in non-blocking mode. It belongs to no worker yet.
    pub stream: Transport,
    /// The address of the peer.
    pub peer: SocketAddr,
}

/// The transport of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    Tcp(TcpStream),
    /// A connection that the operating system does not know.
    Other(Box<dyn ByteStream>),
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

/// How long the acceptor pauses when the system has no descriptors or memory for another
/// connection.
const REST: Duration = Duration::from_millis(50);

/// The errors of all listening sockets: what they report is a shortage of the whole process.
static ERRORS: Seldom = Seldom::new();

/// How many connections may wait to be accepted (backlog).
const BACKLOG: i32 = 4096;

/// Creates a listening socket. With `shared`, several sockets may listen at the same address, and
/// the system spreads new connections over them (SO_REUSEPORT).
///
/// # Errors
///
/// If the address cannot be used: it is taken, not of this machine, or not allowed.
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use kamea_components::net::bind;
///
/// let listener = bind("127.0.0.1:0".parse()?, false)?;
/// let taken = bind(listener.local_addr()?, false).unwrap_err();
/// assert_eq!(taken.kind(), ErrorKind::AddrInUse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    if address.is_ipv6() {
        // Each address family has its own listener, so that one may be missing.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // The connections inherit it, which saves a call for each of them.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Accepts connections until nobody takes them any more.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::{accept, bind};
///
/// let listener = bind("127.0.0.1:0".parse()?, false)?;
/// let address = listener.local_addr()?;
/// let mut graph = Graph::new("acceptor alone");
/// let acceptor = graph.add("acceptor", accept(listener));
/// let mut connections = graph.take(acceptor.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let client = std::net::TcpStream::connect(address)?;
/// let accepted = connections.next_blocking().unwrap();
/// assert_eq!(accepted.peer, client.local_addr()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn accept(listener: TcpListener) -> impl Component<Source<Accepted>> + Send {
    let (mut unwatched, mut watched) = (Some(listener), None);
    async move |io: &mut Source<Accepted>| {
        if let Some(listener) = unwatched.take() {
            watched = Some(watch(listener)?);
        }
        let listener = watched.as_ref();
        let listener = listener.ok_or_else(|| End::fault("its socket could not be watched"))?;
        loop {
            let accepted = io.outbox.while_open(next_accepted(listener)).await?;
            io.outbox.send(accepted?).await?;
        }
    }
}

/// Registers a listening socket with the event queue of the worker.
pub(super) fn watch(listener: impl Into<OwnedFd>) -> io::Result<tokio::net::TcpStream> {
    // To the event queue all sockets are alike; tokio's own listener would register every
    // connection at once.
    tokio::net::TcpStream::from_std(listener.into().into())
}

/// Waits for the next connection. If the wait is cancelled, no connection is lost.
///
/// # Errors
///
/// If the socket can no longer be watched, because the worker ends.
pub(super) async fn next_accepted(listener: &tokio::net::TcpStream) -> io::Result<Accepted> {
    let accepted = next_by(listener, accept_one).await?;
    log::debug!("Accepted connection from {}", accepted.peer);
    Ok(accepted)
}

/// Converts the result of `accept` on a socket of any family; see [`next_accepted`].
pub(super) async fn next_by<T>(
    listener: &tokio::net::TcpStream,
    accept: impl Fn(&tokio::net::TcpStream) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        listener.readable().await?;
        match listener.try_io(Interest::READABLE, || accept(listener)) {
            Ok(accepted) => return Ok(accepted),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_of_one_connection(&error) => {
                log::debug!("a connection was lost before it was accepted");
            }
            Err(error) => {
                if let Some(more) = ERRORS.note() {
                    log::error!("no connection can be accepted now: {error}{more}");
                }
                sleep(REST).await;
            }
        }
    }
}

fn accept_one(listener: &tokio::net::TcpStream) -> io::Result<Accepted> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, peer) = rustix::net::acceptfrom_with(listener, flags)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    Ok(Accepted {
        stream: TcpStream::from(stream).into(),
        // A client that has already gone has no address any more.
        peer: peer.ok_or(io::ErrorKind::ConnectionAborted)?,
    })
}

/// Whether an error concerns only the connection that was to be accepted (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    let of_one = [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
        Errno::PERM,
    ];
    errno.is_some_and(|errno| of_one.contains(&errno))
}
