//! The control socket of a worker: the reports of a process, and the sockets that it hands over.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::process::printable;

/// A report of a process.
#[derive(Debug)]
pub(super) enum Told {
    /// The queue of its requests; the lifeline that keeps it alive; the ledger of the requests that
    /// it has begun.
    Queue {
        queue: OwnedFd,
        lifeline: OwnedFd,
        ledger: OwnedFd,
    },
    /// A new channel of a thread. It replaces a channel whose response nobody wanted any more: that
    /// of request `last`, or of no request.
    Channel { socket: OwnedFd, last: u64 },
    /// The application takes over the connection of a request: over this socket.
    Upgraded { socket: OwnedFd, number: u64 },
    /// It has loaded the application.
    Ready,
    /// It could not load the application.
    NotLoaded(String),
    /// Its source has changed.
    Changed,
    /// It has not begun this request, because nobody waits for it any more.
    Skipped(u64),
    /// It has dropped all requests after this one. If it is 0, it has dropped none.
    GivenBack(u64),
}

/// The longest message, in bytes.
const LONGEST: usize = 8 * 1024;

/// Our end of the control socket.
#[derive(Debug)]
pub(super) struct Control(UnixStream);

impl Control {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        // The event queue treats all sockets alike, though this one keeps the boundaries of
        // messages.
        let socket = net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self(UnixStream::from_std(socket)?))
    }

    /// The next report of the process; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the report is invalid.
    pub(super) async fn hear(&self) -> io::Result<Option<Told>> {
        loop {
            self.0.readable().await?;
            let received = self.0.try_io(Interest::READABLE, || Ok(receive(&self.0)?));
            match received {
                Ok((message, _)) if message.is_empty() => return Ok(None),
                Ok((message, handed)) => {
                    let nonsense = || {
                        io::Error::new(io::ErrorKind::InvalidData, "it says what makes no sense")
                    };
                    return read(&message, handed).map(Some).ok_or_else(nonsense);
                }
                // A process that was killed leaves its messages unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a command to the process. The process reads all commands, sooner or later.
    pub(super) fn say(&self, what: u8) -> io::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match send(&self.0, &[what], flags) {
            // Either enough commands are queued, or the process reads no more.
            Ok(_) | Err(Errno::AGAIN | Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn receive(control: impl AsFd) -> rustix::io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut message = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut message)];
    let received = recvmsg(control, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let handed = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(handed) => Some(handed),
        _ => None,
    });
    let handed = handed.flatten().collect();
    message.truncate(received.bytes);
    Ok((message, handed))
}

fn read(message: &[u8], handed: Vec<OwnedFd>) -> Option<Told> {
    let (kind, rest) = message.split_first()?;
    let number = || Some(u64::from_be_bytes(rest.try_into().ok()?));
    let mut handed = handed.into_iter();
    Some(match kind {
        b'Q' => Told::Queue {
            queue: handed.next()?,
            lifeline: handed.next()?,
            ledger: handed.next()?,
        },
        b'C' => Told::Channel {
            socket: handed.next()?,
            last: number()?,
        },
        b'U' => Told::Upgraded {
            socket: handed.next()?,
            number: number()?,
        },
        b'R' => Told::Ready,
        b'L' => Told::NotLoaded(printable(rest)),
        b'M' => Told::Changed,
        b'B' => Told::GivenBack(number()?),
        b'K' => Told::Skipped(number()?),
        _ => return None,
    })
}
