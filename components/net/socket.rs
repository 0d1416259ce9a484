//! A connected TCP socket, as the reader and the writer of a connection share it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, Waker, ready};

use rustix::fs::sendfile;
use rustix::net::sockopt::set_tcp_cork;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{Accepted, ByteStream, Tether, Transport, hand_over};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The peer has said all it will: close.
    Close,
    /// The peer may still be sending: let it read the last response before its bytes are refused (RFC 9112 section 9.6).
    Linger,
    /// The response could not be completed: cut the connection, so that the peer notices.
    Cut,
}

/// A connected socket. It is watched by the worker that it is on only once it has to be waited for: a peer that sends its
/// request at once and then goes costs no more calls than need be.
#[derive(Debug)]
pub struct Socket {
    stream: RefCell<Stream>,
    peer: SocketAddr,
    /// Whether the last read took less than it could: nothing was left then.
    drained: Cell<bool>,
    finished: Cell<Option<Finish>>,
}

#[derive(Debug)]
enum Stream {
    Bare(net::TcpStream),
    Watched(TcpStream),
    /// Its registration failed.
    Lost,
    Other(Box<dyn ByteStream>),
}

/// What a call reads or writes.
enum End<'a> {
    System(BorrowedFd<'a>),
    Other(&'a dyn ByteStream),
}

impl Socket {
    /// Takes an accepted connection.
    pub fn new(accepted: Accepted) -> Self {
        Self {
            stream: RefCell::new(match accepted.stream {
                Transport::Tcp(stream) => Stream::Bare(stream),
                Transport::Other(stream) => Stream::Other(stream),
            }),
            peer: accepted.peer,
            drained: Cell::new(false),
            finished: Cell::new(None),
        }
    }

    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// If it does not answer, or does not want to.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: RefCell::new(Stream::Watched(stream)),
            peer: server,
            drained: Cell::new(false),
            finished: Cell::new(None),
        })
    }

    /// Prepares to hand the connection over to another process: see [`hand_over`].
    ///
    /// # Errors
    ///
    /// Like [`hand_over`].
    pub fn hand_over(&self, text: &[u8]) -> io::Result<(Tether, OwnedFd)> {
        match &*self.stream.borrow() {
            Stream::Bare(stream) => hand_over(stream, text),
            Stream::Watched(stream) => hand_over(stream, text),
            Stream::Other(_) => Err(io::ErrorKind::Unsupported.into()),
            Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection.
    pub fn local(&self) -> io::Result<SocketAddr> {
        match &*self.stream.borrow() {
            Stream::Bare(stream) => stream.local_addr(),
            Stream::Watched(stream) => stream.local_addr(),
            Stream::Other(stream) => Ok(stream.local()),
            Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what has arrived, at least one byte; 0 at the end of what the peer sends.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Like [`read`](Self::read), for a future made by hand.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut short = None;
            let read = self.try_io(Interest::READABLE, |end| {
                let count = match end {
                    End::System(socket) => recv(socket, &mut *buffer, RecvFlags::empty())?.0,
                    End::Other(stream) => stream.read(buffer)?,
                };
                self.drained.set(count < buffer.len());
                if self.drained.get() && count > 0 {
                    // That it would block now needs no second call to be known.
                    short = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            match (short, read) {
                (Some(count), _) => return Poll::Ready(Ok(count)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_ready(cx, Interest::READABLE))?;
                }
                (None, read) => return Poll::Ready(read),
            }
        }
    }

    /// Whether unread bytes, or the peer's end, are known to wait. Asks nobody.
    pub fn has_input(&self) -> bool {
        match &*self.stream.borrow() {
            Stream::Bare(_) => !self.drained.get(),
            Stream::Watched(stream) => stream
                .poll_read_ready(&mut Context::from_waker(Waker::noop()))
                .is_ready(),
            Stream::Other(stream) => stream.has_input(),
            Stream::Lost => false,
        }
    }

    /// Whether the worker watches it.
    pub fn is_watched(&self) -> bool {
        matches!(*self.stream.borrow(), Stream::Watched(_))
    }

    /// Writes some of `bytes`; gives how many. With `more`, the system may wait for what follows before it sends.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection.
    pub async fn write(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.when_writable(|end| match end {
            End::System(socket) => Ok(send(socket, bytes, send_flags(more))?),
            End::Other(stream) => stream.write(bytes),
        })
        .await
    }

    /// Writes some of `slices`, one after another; returns how many bytes. With `more`, the system may wait for what follows.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection.
    pub async fn write_vectored(&self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.when_writable(|end| match end {
            End::System(socket) => {
                let mut nothing = SendAncillaryBuffer::default();
                Ok(sendmsg(socket, slices, &mut nothing, send_flags(more))?)
            }
            End::Other(stream) => stream.write_vectored(slices),
        })
        .await
    }

    /// Sends up to `count` bytes of `file` from `offset` without reading them; gives how many, 0 if the file has no more.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection or the file.
    pub async fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        self.when_writable(|end| match end {
            End::System(socket) => Ok(sendfile(socket, file, Some(&mut { offset }), count)?),
            End::Other(stream) => stream.send_file(file, offset, count),
        })
        .await
    }

    /// Has the system hold back what does not fill a segment, until it is told otherwise (`TCP_CORK`, tcp(7)): for a file
    /// that goes out in many calls.
    pub fn cork(&self, is_on: bool) {
        // Where it fails, all that is lost is some speed.
        let _ = match &*self.stream.borrow() {
            Stream::Bare(stream) => set_tcp_cork(stream, is_on),
            Stream::Watched(stream) => set_tcp_cork(stream, is_on),
            Stream::Other(_) | Stream::Lost => Ok(()),
        };
    }

    async fn when_writable(
        &self,
        mut call: impl FnMut(End<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match self.try_io(Interest::WRITABLE, &mut call) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.poll_ready(cx, Interest::WRITABLE)).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Makes a call that does not wait. On a socket that is watched and known not to be ready it is not even made.
    fn try_io(
        &self,
        interest: Interest,
        mut call: impl FnMut(End<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let outcome = match &*self.stream.borrow() {
                Stream::Bare(stream) => call(End::System(stream.as_fd())),
                Stream::Watched(stream) => {
                    stream.try_io(interest, || call(End::System(stream.as_fd())))
                }
                Stream::Other(stream) => call(End::Other(&**stream)),
                Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits until it is ready, as far as the worker that watches it knows.
    fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        let mut stream = self.stream.borrow_mut();
        if let Stream::Bare(_) = *stream
            && let Stream::Bare(bare) = std::mem::replace(&mut *stream, Stream::Lost)
        {
            *stream = Stream::Watched(TcpStream::from_std(bare)?);
        }
        match &*stream {
            Stream::Watched(stream) if interest.is_readable() => stream.poll_read_ready(cx),
            Stream::Watched(stream) => stream.poll_write_ready(cx),
            Stream::Other(stream) if interest.is_readable() => stream.poll_readable(cx).map(Ok),
            Stream::Other(stream) => stream.poll_writable(cx).map(Ok),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Says that nothing more will be written: the connection is not to be kept.
    pub fn finish(&self, finish: Finish) {
        self.finished.set(Some(finish));
    }

    /// How the connection is to end, once nothing more will be written.
    pub fn finished(&self) -> Option<Finish> {
        self.finished.get()
    }

    /// Tells the peer that nothing more will come, while it may still send.
    pub fn shut_down_writing(&self) {
        // A peer that is gone already needs no telling.
        let _ = match &*self.stream.borrow() {
            Stream::Bare(stream) => rustix::net::shutdown(stream, Shutdown::Write),
            Stream::Watched(stream) => rustix::net::shutdown(stream, Shutdown::Write),
            Stream::Other(stream) => {
                stream.shut_down_writing();
                Ok(())
            }
            Stream::Lost => Ok(()),
        };
    }
}

/// With `more`, the system may wait for what follows before it sends.
fn send_flags(more: bool) -> SendFlags {
    if more {
        SendFlags::NOSIGNAL | SendFlags::MORE
    } else {
        SendFlags::NOSIGNAL
    }
}
