//! A connected TCP socket that the reader and the writer of a connection share.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::net::{self, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use kamea::time::{sleep, turn};

use rustix::fs::sendfile;
use rustix::net::sockopt::set_tcp_cork;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use super::connection::Connection;
use super::{Accepted, ByteStream, ChildHandle, NextProtocol, Transport, hand_over};
use crate::stream::poll_into_buffer;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The peer has sent everything: close.
    Close,
    /// The peer may still be sending: let it read the last response before its bytes are refused
    /// (RFC 9112 section 9.6).
    Linger,
    /// The response could not be completed: reset the connection, so that the peer notices.
    Cut,
}

/// How long the check for the end of a connection pauses when bytes arrived instead.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How long a peer that has sent everything is still expected to wait for its responses, while
/// nothing is sent to it. A peer that has closed its connection looks the same until it is sent
/// something.
const GRACE: Duration = Duration::from_secs(1);

/// How long a handler may take beyond that. It may have stopped without a response.
const HANDLER_GRACE: Duration = Duration::from_secs(10);

/// A connected socket. Its worker watches it only once somebody has to wait for it: a peer that
/// sends its request at once and then leaves costs no unnecessary calls.
#[derive(Debug)]
pub struct Socket {
    stream: RefCell<Stream>,
    peer: Cell<SocketAddr>,
    /// Whether the last read was shorter than its buffer: then nothing was left.
    drained: Cell<bool>,
    finished: Cell<Option<Finish>>,
    /// The known state of the peer.
    known: Cell<Known>,
    /// Whether a peer that has sent everything still waits for the responses.
    half_close: Cell<bool>,
    /// Whether a component reads the connection, and so notices its end.
    is_read: Cell<bool>,
    /// Whether a response was given up because its peer is gone.
    is_cancelled: Cell<bool>,
    /// When bytes were last sent.
    wrote: Cell<Option<Instant>>,
    /// Whether bytes wait until the peer reads. If it had gone, the connection would be broken.
    is_blocked: Cell<bool>,
    /// Notified when the state of the peer changes.
    noted: Notify,
    /// What follows the present protocol, once it is known.
    next: RefCell<Option<Box<Next>>>,
}

/// What follows the present protocol of a connection.
#[derive(Debug, Default)]
pub(crate) struct Next {
    /// The protocol; `None` if only bytes were returned.
    pub(crate) protocol: Option<NextProtocol>,
    /// The bytes that were read, but belong to the next protocol.
    pub(crate) unread: BytesMut,
    /// The bytes after these, as the socket has received them: over TLS, these are records.
    pub(crate) untaken: BytesMut,
}

/// The known state of a peer.
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

/// The result of a read or write.
enum End<'a> {
    System(BorrowedFd<'a>),
    Other(&'a dyn ByteStream),
}

impl Socket {
    /// Wraps an accepted connection.
    pub fn new(accepted: Accepted) -> Self {
        let stream = match accepted.stream {
            Transport::Tcp(stream) => Stream::Bare(stream),
            Transport::Other(stream) => Stream::Other(stream),
        };
        Self::of(stream, accepted.peer)
    }

    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or refuses the connection.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self::of(Stream::Watched(Rc::new(stream)), server))
    }

    /// Connects to a server of the same machine, over a Unix socket. It has no address: that of
    /// [`peer`](Self::peer) is unspecified.
    ///
    /// # Errors
    ///
    /// If nothing listens at `path`, or the system does not permit the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::net::Socket;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("socket");
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// kamea::testing::block_on(async {
    ///     let socket = Socket::connect_unix(&path).await?;
    ///     assert_eq!(socket.write(b"hello", false).await?, 5);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # drop(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn connect_unix(path: impl AsRef<Path>) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?.into_std()?;
        // To the event queue a socket is a socket, whatever its family.
        let stream = TcpStream::from_std(OwnedFd::from(stream).into())?;
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok(Self::of(Stream::Watched(Rc::new(stream)), nowhere))
    }

    fn of(stream: Stream, peer: SocketAddr) -> Self {
        Self {
            stream: RefCell::new(stream),
            peer: Cell::new(peer),
            drained: Cell::new(false),
            finished: Cell::new(None),
            known: Cell::new(Known::Here),
            half_close: Cell::new(false),
            is_read: Cell::new(true),
            is_cancelled: Cell::new(false),
            wrote: Cell::new(None),
            is_blocked: Cell::new(false),
            noted: Notify::new(),
            next: RefCell::default(),
        }
    }

    /// Prepares to hand the connection over to another process: see [`hand_over`].
    ///
    /// # Errors
    ///
    /// Like [`hand_over`].
    pub fn hand_over(&self, text: &[u8]) -> io::Result<(ChildHandle, OwnedFd)> {
        match &*self.stream.borrow() {
            Stream::Bare(stream) => hand_over(stream, text),
            Stream::Watched(stream) => hand_over(&**stream, text),
            Stream::Other(_) => Err(io::ErrorKind::Unsupported.into()),
            Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Returns the address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer.get()
    }

    /// Counts this address as that of the peer from now on: a trusted peer has said whose
    /// connection it is.
    pub fn speak_for(&self, peer: SocketAddr) {
        self.peer.set(peer);
    }

    /// Returns the address of this end.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection.
    pub fn local(&self) -> io::Result<SocketAddr> {
        match &*self.stream.borrow() {
            Stream::Bare(stream) => stream.local_addr(),
            Stream::Watched(stream) => stream.local_addr(),
            Stream::Other(stream) => Ok(stream.local()),
            Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads the bytes that have arrived, at least one; returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Like [`read`](Self::read), for a hand-written future.
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
                    // A second call to find out that it would block is not needed.
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

    /// Waits until bytes have arrived, and leaves them unread (`MSG_PEEK`, recv(2)). Returns false
    /// at the end of the stream.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection; [`io::ErrorKind::Unsupported`] for one that the
    /// system does not know.
    pub async fn has_arrived(&self) -> io::Result<bool> {
        poll_fn(|cx| {
            loop {
                let peeked = self.try_io(Interest::READABLE, |end| match end {
                    End::System(socket) => Ok(recv(socket, &mut [0; 1], RecvFlags::PEEK)?.0),
                    End::Other(_) => Err(io::ErrorKind::Unsupported.into()),
                });
                match peeked {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.poll_ready(cx, Interest::READABLE))?;
                    }
                    peeked => return Poll::Ready(peeked.map(|count| count > 0)),
                }
            }
        })
        .await
    }

    /// Whether unread bytes, or the end of the stream, are known to wait. Makes no system call.
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

    /// Assumes that a peer that has sent everything still waits for the responses, for any time.
    pub fn allow_half_close(&self) {
        self.half_close.set(true);
    }

    /// Notes that the peer has sent everything, as a protocol above the socket says.
    pub(crate) fn has_ended(&self) {
        self.note(Known::Ended);
    }

    /// Waits until the peer no longer waits for its response: the connection is broken, or the peer
    /// has sent everything and been sent nothing for a second, which most clients do only when they
    /// leave. Watches the connection, also while nobody reads it.
    pub async fn gone(&self) {
        or(self.is_gone(), self.look()).await;
    }

    /// Like [`gone`](Self::gone), but learns it from the tasks that read or write the connection,
    /// and watches the connection only once nobody reads it any more.
    pub async fn found_gone(&self) {
        let look = async {
            self.noted_that(|| !self.is_read.get()).await;
            // What is made quickly needs no watch.
            sleep(BETWEEN_LOOKS).await;
            self.look().await
        };
        or(self.is_gone(), look).await;
    }

    async fn is_gone(&self) {
        let ended = async {
            self.noted_that(|| self.known.get() >= Known::Ended).await;
            if self.half_close.get() {
                return pending().await;
            }
            self.silence().await;
        };
        or(self.noted_that(|| self.known.get() == Known::Lost), ended).await;
    }

    /// Waits until nothing has been sent, and nothing has waited to be sent, for [`GRACE`] from
    /// now.
    async fn silence(&self) {
        let mut since = turn();
        loop {
            sleep(GRACE.saturating_sub(turn() - since)).await;
            let wrote = self.wrote.get().filter(|wrote| *wrote > since);
            since = match wrote {
                _ if self.is_blocked.get() => turn(),
                Some(wrote) => wrote,
                None => return,
            };
        }
    }

    /// Declares that a response is given up because its peer is gone.
    pub fn cancel(&self) {
        self.is_cancelled.set(true);
        self.noted.notify_waiters();
    }

    /// Waits until a response is known to be given up, or may be given up because its peer has gone
    /// for long: no later one can be sent then.
    pub async fn cancelled(&self) {
        let gone = async {
            self.found_gone().await;
            sleep(HANDLER_GRACE).await;
        };
        or(self.noted_that(|| self.is_cancelled.get()), gone).await;
    }

    /// Declares whether a component reads the connection.
    pub(super) fn set_read(&self, is_read: bool) {
        self.is_read.set(is_read);
        self.noted.notify_waiters();
    }

    /// Waits for a state of which the waiters are notified.
    async fn noted_that(&self, is_so: impl Fn() -> bool) {
        loop {
            // Created before the check, so that a change in between is not missed.
            let noted = self.noted.notified();
            if is_so() {
                return;
            }
            noted.await;
        }
    }

    fn note(&self, known: Known) {
        if known > self.known.get() {
            self.known.set(known);
            self.noted.notify_waiters();
        }
    }

    /// Watches for the end of the connection, of any kind.
    async fn look(&self) {
        let Some(stream) = self.watched() else {
            return pending().await;
        };
        while self.known.get() < Known::Lost {
            match stream.ready(Interest::READABLE | Interest::ERROR).await {
                Ok(ready) if ready.is_error() => self.note(Known::Lost),
                Ok(ready) if ready.is_read_closed() => self.note(Known::Ended),
                Ok(_) => {}
                Err(_) => self.note(Known::Lost),
            }
            // Unread bytes, or a known end, would be reported again at once.
            sleep(BETWEEN_LOOKS).await;
        }
        pending().await
    }

    /// Returns the connection, watched from now on.
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

    /// Writes some of `bytes`; returns how many. With `more`, the system may wait for the next
    /// bytes before it sends.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection.
    pub async fn write(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.when_writable(|end| match end {
            End::System(socket) => Ok(send(socket, bytes, send_flags(more))?),
            End::Other(stream) => stream.write(bytes),
        })
        .await
    }

    /// Writes some of `slices`, one after another; returns how many bytes. With `more`, the system
    /// may wait for the next bytes.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection.
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

    /// Sends up to `count` bytes of `file` from `offset` without reading them; returns how many, 0
    /// if the file has no more.
    ///
    /// # Errors
    ///
    /// The error of the system for the connection or the file.
    pub async fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        self.when_writable(|end| match end {
            End::System(socket) => Ok(sendfile(socket, file, Some(&mut { offset }), count)?),
            End::Other(stream) => stream.send_file(file, offset, count),
        })
        .await
    }

    /// Tells the system to hold back incomplete segments until this is switched off (`TCP_CORK`,
    /// tcp(7)): for a file that takes many calls.
    pub fn cork(&self, is_on: bool) {
        // If this fails, only some speed is lost.
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
                    self.is_blocked.set(true);
                    poll_fn(|cx| self.poll_ready(cx, Interest::WRITABLE)).await?;
                    self.is_blocked.set(false);
                }
                Err(error) => {
                    if is_of_the_connection(&error) {
                        self.note(Known::Lost);
                    }
                    return Err(error);
                }
                outcome => {
                    self.wrote.set(Some(turn()));
                    return outcome;
                }
            }
        }
    }

    /// Makes a non-blocking call. On a watched socket that is known not to be ready, it skips the
    /// call.
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

    /// Waits until the socket is ready, as far as the worker that watches it knows.
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

    /// Declares that nothing more will be written: the connection is not kept open.
    pub fn finish(&self, finish: Finish) {
        self.finished.set(Some(finish));
    }

    /// Returns how the connection is to end, once nothing more will be written.
    pub fn finished(&self) -> Option<Finish> {
        self.finished.get()
    }

    /// Sets the protocol that follows when the graph of the present one has ended.
    pub fn continue_with(&self, protocol: NextProtocol) {
        let mut next = self.next.borrow_mut();
        next.get_or_insert_default().protocol = Some(protocol);
    }

    /// Returns bytes that were read, but belong to the next protocol. They are kept in the order of
    /// the calls.
    pub(crate) fn unread(&self, bytes: &[u8]) {
        let mut next = self.next.borrow_mut();
        next.get_or_insert_default().unread.extend_from_slice(bytes);
    }

    /// Returns bytes of the socket that nobody has taken.
    pub(crate) fn untaken(&self, bytes: &[u8]) {
        let mut next = self.next.borrow_mut();
        next.get_or_insert_default()
            .untaken
            .extend_from_slice(bytes);
    }

    /// Takes what follows the present protocol, if anything follows.
    pub(crate) fn take_next(&self) -> Option<Box<Next>> {
        self.next.take()
    }

    /// The same connection for a graph of its own; `None` if it is lost.
    pub(super) fn into_connection(self) -> Option<Connection> {
        match self.stream.into_inner() {
            Stream::Bare(stream) => Some(OwnedFd::from(stream).into()),
            Stream::Watched(stream) => Some(Rc::try_unwrap(stream).ok()?.into()),
            Stream::Other(stream) => Some(Transport::Other(stream).into()),
            Stream::Lost => None,
        }
    }

    /// The transport of this connection, for another user of it; `None` if it is lost, or its
    /// worker cannot let it go.
    pub fn into_transport(self) -> Option<Transport> {
        match self.stream.into_inner() {
            Stream::Bare(stream) => Some(Transport::Tcp(stream)),
            Stream::Watched(stream) => {
                let stream = Rc::try_unwrap(stream).ok()?.into_std().ok()?;
                Some(Transport::Tcp(stream))
            }
            Stream::Other(stream) => Some(Transport::Other(stream)),
            Stream::Lost => None,
        }
    }

    /// Returns the bytes that have arrived, at least one; empty at the end of the stream.
    ///
    /// # Errors
    ///
    /// The error of the system for this connection.
    pub async fn receive(&self) -> io::Result<Bytes> {
        poll_fn(|cx| poll_into_buffer(|buffer| self.poll_read(cx, buffer))).await
    }

    /// Tells the peer that no more bytes will follow. The peer may still send.
    pub fn shut_down_writing(&self) {
        // A peer that has already gone cannot receive this.
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

/// With `more`, the system may wait for the next bytes before it sends.
fn send_flags(more: bool) -> SendFlags {
    if more {
        SendFlags::NOSIGNAL | SendFlags::MORE
    } else {
        SendFlags::NOSIGNAL
    }
}

/// Whether an error says that the connection is broken; other errors concern a file that was to be
/// sent.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut
    )
}
