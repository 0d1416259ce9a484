//! A connected TCP socket, as the reader and the writer of a connection share it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;

use rustix::fs::sendfile;
use rustix::net::sockopt::set_tcp_cork;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

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

/// How long a connection is not looked at again that has not ended, though something has come.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A connected socket. It is watched by the worker that it is on only once it has to be waited for: a peer that sends its
/// request at once and then goes costs no more calls than need be.
#[derive(Debug)]
pub struct Socket {
    stream: RefCell<Stream>,
    peer: SocketAddr,
    /// Whether the last read took less than it could: nothing was left then.
    drained: Cell<bool>,
    finished: Cell<Option<Finish>>,
    /// What is known of the peer.
    known: Cell<Known>,
    /// Whether a peer that has sent everything still waits for whatever it asked for.
    half_close: Cell<bool>,
    /// More is known of the peer.
    noted: Notify,
}

/// What is known of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// It may send more.
    Here,
    /// It has sent everything. It may still read.
    Ended,
    /// The connection is broken.
    Lost,
}

#[derive(Debug)]
enum Stream {
    Bare(net::TcpStream),
    Watched(Rc<TcpStream>),
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
            known: Cell::new(Known::Here),
            half_close: Cell::new(false),
            noted: Notify::new(),
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
            stream: RefCell::new(Stream::Watched(Rc::new(stream))),
            peer: server,
            drained: Cell::new(false),
            finished: Cell::new(None),
            known: Cell::new(Known::Here),
            half_close: Cell::new(false),
            noted: Notify::new(),
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
            Stream::Watched(stream) => hand_over(&**stream, text),
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
                (None, read) => {
                    match &read {
                        Ok(0) => self.note(Known::Ended),
                        Ok(_) => {}
                        Err(_) => self.note(Known::Lost),
                    }
                    return Poll::Ready(read);
                }
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

    /// Takes a peer that has sent everything for one that still waits for the responses.
    pub fn allow_half_close(&self) {
        self.half_close.set(true);
    }

    /// Waits until nobody waits for what is being made for this peer: the connection is broken, or the
    /// peer has sent everything, which most clients do only when they go. Watches the connection, also
    /// while nobody reads it.
    pub async fn gone(&self) {
        self.gone_or(async {
            match self.watched() {
                Some(stream) => self.look(&stream).await,
                None => pending().await,
            }
        })
        .await;
    }

    /// Like [`gone`](Self::gone), as far as those who read or write the connection find out.
    pub async fn found_gone(&self) {
        self.gone_or(pending()).await;
    }

    async fn gone_or(&self, look: impl Future<Output = ()>) {
        let mut look = pin!(look);
        loop {
            // Made before the look: what happens between the two is not missed.
            let noted = self.noted.notified();
            if self.is_gone() {
                return;
            }
            or(noted, &mut look).await;
        }
    }

    fn is_gone(&self) -> bool {
        match self.known.get() {
            Known::Here => false,
            Known::Ended => !self.half_close.get(),
            Known::Lost => true,
        }
    }

    fn note(&self, known: Known) {
        if known > self.known.get() {
            self.known.set(known);
            self.noted.notify_waiters();
        }
    }

    /// Watches for the end of the connection, in whichever way it comes.
    async fn look(&self, stream: &TcpStream) {
        while self.known.get() < Known::Lost {
            match stream.ready(Interest::READABLE | Interest::ERROR).await {
                Ok(ready) if ready.is_error() => self.note(Known::Lost),
                Ok(ready) if ready.is_read_closed() => self.note(Known::Ended),
                Ok(_) => {}
                Err(_) => self.note(Known::Lost),
            }
            // Bytes that nobody reads yet, or an end that is known, would be seen again at once.
            sleep(BETWEEN_LOOKS).await;
        }
        pending().await
    }

    /// The connection, watched from now on.
    fn watched(&self) -> Option<Rc<TcpStream>> {
        self.watch().ok()?;
        match &*self.stream.borrow() {
            Stream::Watched(stream) => Some(stream.clone()),
            _ => None,
        }
    }

    fn watch(&self) -> io::Result<()> {
        let mut stream = self.stream.borrow_mut();
        if let Stream::Bare(_) = *stream
            && let Stream::Bare(bare) = std::mem::replace(&mut *stream, Stream::Lost)
        {
            *stream = Stream::Watched(Rc::new(TcpStream::from_std(bare)?));
        }
        Ok(())
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
            Stream::Watched(stream) => set_tcp_cork(&**stream, is_on),
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
                Err(error) => {
                    if is_of_the_connection(&error) {
                        self.note(Known::Lost);
                    }
                    return Err(error);
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
        self.watch()?;
        match &*self.stream.borrow() {
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
            Stream::Watched(stream) => rustix::net::shutdown(&**stream, Shutdown::Write),
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

/// Whether an error says that the connection is broken; others are of a file that was to be sent.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut
    )
}
