//! Hands a connection over to another process, with a text that says how to serve it.
//!
//! ```text
//!  the server                                        the process
//!  hand_over ──▶ ChildHandle ══ a Unix socket ══ standard input ──▶ take_over
//! ```
//!
//! The socket between the two processes stays open for as long as the server wants the process to
//! run. When it is closed, the process should end too. Unlike a signal, this cannot arrive too
//! early, and it also works when the server is killed.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use super::Accepted;

/// The limit for the text that goes with a connection, in bytes: both go in one message, which must
/// fit into the buffer of a socket.
pub const LARGEST_TEXT: usize = 64 * 1024;

/// The first byte of the message that carries the connection; without it an empty text would look
/// like the end.
const CONNECTION: &[u8] = b"c";

/// The link between a server and the process that received a connection. Dropping it asks the
/// process to end.
#[derive(Debug)]
#[must_use]
pub struct ChildHandle(#[expect(dead_code, reason = "it is held open")] OwnedFd);

/// What a process has received.
#[derive(Debug)]
pub struct TakenOver {
    /// The connection.
    pub accepted: Accepted,
    /// The text that says how to serve it.
    pub text: Vec<u8>,
    /// The link between this process and its server.
    pub parent: ParentWatch,
}

/// The other end of a [`ChildHandle`].
#[derive(Debug)]
pub struct ParentWatch(OwnedFd);

impl ParentWatch {
    /// Blocks until the server wants this process to end, or has ended itself.
    pub fn wait(&self) {
        // Nothing more is sent: any result means the end.
        let _ = rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut [0; 1]));
    }
}

/// Prepares to hand a connection over: returns the standard input for the process that will serve
/// it. The connection is still ours too: it stays open until we have closed it.
///
/// # Errors
///
/// If `text` is longer than [`LARGEST_TEXT`], or the system has too few descriptors.
///
/// # Examples
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use kamea_components::net::{hand_over, take_over};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (connection, peer) = listener.accept()?;
///
/// let (child, stdin) = hand_over(&connection, b"politely")?;
/// let taken = take_over(stdin)?; // in the other process
/// assert_eq!((taken.accepted.peer, &taken.text[..]), (peer, &b"politely"[..]));
/// drop(child);
/// taken.parent.wait();
/// # drop(client);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn hand_over(connection: impl AsFd, text: &[u8]) -> io::Result<(ChildHandle, OwnedFd)> {
    if text.len() > LARGEST_TEXT {
        let wrong = format!("{} bytes are too many to hand over", text.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, wrong));
    }
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let connection = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&connection));
    let message = [IoSlice::new(CONNECTION), IoSlice::new(text)];
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(&ours, &message, &mut rights, flags)?;
    Ok((ChildHandle(ours), theirs))
}

/// Receives the connection that [`hand_over`] has sent. Blocks until it has arrived.
///
/// # Errors
///
/// If nothing was handed over, or the peer of the connection has gone meanwhile.
pub fn take_over(stdin: OwnedFd) -> io::Result<TakenOver> {
    let mut text = vec![0; CONNECTION.len() + LARGEST_TEXT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        &stdin,
        &mut [IoSliceMut::new(&mut text)],
        &mut rights,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let connection = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let is_whole = !received.flags.contains(ReturnFlags::TRUNC);
    text.truncate(received.bytes);
    let text = text.strip_prefix(CONNECTION).filter(|_| is_whole);
    let (Some(connection), Some(text)) = (connection, text) else {
        let wrong = "standard input is no server that hands a connection over";
        return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
    };
    let stream = TcpStream::from(connection);
    stream.set_nonblocking(true)?;
    Ok(TakenOver {
        accepted: Accepted {
            peer: stream.peer_addr()?,
            stream: stream.into(),
        },
        text: text.to_vec(),
        parent: ParentWatch(stdin),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn any_text_up_to_the_bound_arrives_whole() {
        let (_client, connection) = connection();
        for length in [0, 1, 4096, LARGEST_TEXT] {
            let text: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let (_child, stdin) = hand_over(&connection, &text).unwrap();
            assert_eq!(take_over(stdin).unwrap().text, text, "{length}");
        }
        let error = hand_over(&connection, &vec![0; LARGEST_TEXT + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_connection_closes_when_both_have_closed_it() {
        let (mut client, connection) = connection();
        let (child, stdin) = hand_over(&connection, b"").unwrap();
        drop(connection);
        let taken = take_over(stdin).unwrap();
        drop(child);
        taken.parent.wait();
        drop(taken);
        assert_eq!(io::Read::read(&mut client, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_is_no_server_hands_nothing_over() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert!(take_over(null.into()).is_err());
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::net::send(&ours, b"c text", SendFlags::empty()).unwrap();
        let error = take_over(theirs).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
