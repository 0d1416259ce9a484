//! A connected TCP socket, as the reader and the writer of a connection share it.

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker, ready};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Accepted;

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

/// A connected socket, registered with the worker that it is on.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    peer: SocketAddr,
    finished: Cell<Option<Finish>>,
}

impl Socket {
    /// Takes an accepted connection.
    pub fn new(accepted: Accepted) -> Self {
        Self {
            stream: accepted.stream,
            peer: accepted.peer,
            finished: Cell::new(None),
        }
    }

    /// The address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
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
            let read = self.stream.try_io(Interest::READABLE, || {
                let (count, _) = rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::empty())?;
                if count > 0 && count < buffer.len() {
                    // A short read has emptied the socket: that it would block now needs no second call.
                    short = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            match (short, read) {
                (Some(count), _) | (None, Ok(count)) => return Poll::Ready(Ok(count)),
                // What is not ready is not called at all: tokio knows it from the last call or event.
                (None, Err(error)) if is_passing(&error) => {
                    ready!(self.stream.poll_read_ready(cx))?;
                }
                (None, Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether unread bytes, or the peer's end, are known to wait. Asks nobody.
    pub fn has_input(&self) -> bool {
        self.stream
            .poll_read_ready(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    /// Writes some of `bytes`; gives how many. With `more`, the system may wait for what follows before it sends.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection.
    pub async fn write(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let flags = if more {
            SendFlags::NOSIGNAL | SendFlags::MORE
        } else {
            SendFlags::NOSIGNAL
        };
        self.when_writable(|| rustix::net::send(&self.stream, bytes, flags))
            .await
    }

    /// Sends up to `count` bytes of `file` from `offset` without reading them; gives how many, 0 if the file has no more.
    ///
    /// # Errors
    ///
    /// Whatever the system says of the connection or the file.
    pub async fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        self.when_writable(|| {
            rustix::fs::sendfile(&self.stream, file, Some(&mut { offset }), count)
        })
        .await
    }

    async fn when_writable(
        &self,
        mut call: impl FnMut() -> rustix::io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match self.stream.try_io(Interest::WRITABLE, || Ok(call()?)) {
                Err(error) if is_passing(&error) => {
                    poll_fn(|cx| self.stream.poll_write_ready(cx)).await?;
                }
                outcome => return outcome,
            }
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
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
    }
}

/// Whether to try again: nothing is there, or a signal came.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
