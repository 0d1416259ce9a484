//! A connection that is a byte stream in each direction, of any address family. Its reader and its
//! writer share it. Both can move to any worker before they start.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_lite::future::or;
use kamea::time::{Timer, now};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, sendmsg, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{ByteStream, Transport};
use crate::stream::read_into_buffer;

/// How many messages one call writes at most.
const GATHERED: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Stream>);

#[derive(Debug)]
enum Stream {
    System {
        /// Until a worker watches it.
        bare: Mutex<Option<OwnedFd>>,
        /// To the event queue a socket is a socket, whatever its family.
        watched: OnceLock<TcpStream>,
    },
    Other(Box<dyn ByteStream>),
}

impl From<OwnedFd> for Connection {
    /// Wraps a connected socket that is in non-blocking mode.
    fn from(socket: OwnedFd) -> Self {
        Self(Arc::new(Stream::System {
            bare: Mutex::new(Some(socket)),
            watched: OnceLock::new(),
        }))
    }
}

impl From<TcpStream> for Connection {
    /// Wraps a socket that its worker watches already.
    fn from(stream: TcpStream) -> Self {
        Self(Arc::new(Stream::System {
            bare: Mutex::default(),
            watched: OnceLock::from(stream),
        }))
    }
}

impl From<Transport> for Connection {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp(stream) => OwnedFd::from(stream).into(),
            Transport::Other(stream) => Self(Arc::new(Stream::Other(stream))),
        }
    }
}

impl Connection {
    /// Returns the bytes that have arrived, at least one; empty at the end of the stream.
    pub(super) async fn read(&self) -> io::Result<Bytes> {
        self.read_some(usize::MAX).await
    }

    /// The same, with at most `most` bytes, at least one.
    pub(super) async fn read_some(&self, most: usize) -> io::Result<Bytes> {
        poll_fn(|cx| self.poll_read(cx, most.max(1))).await
    }

    fn poll_read(&self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Bytes>> {
        loop {
            let read = read_into_buffer(|buffer| {
                let most = most.min(buffer.len());
                self.try_read(&mut buffer[..most])
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &*self.0 {
                    Stream::System { .. } => ready!(self.watched()?.poll_read_ready(cx))?,
                    Stream::Other(stream) => ready!(stream.poll_readable(cx)),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.0 {
            Stream::System { .. } => {
                let socket = self.watched()?;
                let mut short = None;
                let read = socket.try_io(Interest::READABLE, || {
                    let count = recv(socket, &mut *buffer, RecvFlags::empty())?.0;
                    if (1..buffer.len()).contains(&count) {
                        // A second call to find out that it would block is not needed.
                        short = Some(count);
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    Ok(count)
                });
                short.map_or(read, Ok)
            }
            Stream::Other(stream) => stream.read(buffer),
        }
    }

    /// Writes `first` and everything that `more` returns now, in as few calls as possible.
    ///
    /// # Errors
    ///
    /// `TimedOut` if the peer reads nothing for `stall`; otherwise the error of the system for this
    /// connection.
    pub(super) async fn write(
        &self,
        first: Bytes,
        mut more: impl FnMut() -> Option<Bytes>,
        stall: Duration,
    ) -> io::Result<()> {
        let (mut pieces, mut timer) = (VecDeque::from([first]), Timer::new());
        loop {
            while pieces.len() < GATHERED
                && let Some(piece) = more()
            {
                pieces.push_back(piece);
            }
            pieces.retain(|piece| !piece.is_empty());
            if pieces.is_empty() {
                return Ok(());
            }
            if let Some(deadline) = now().checked_add(stall) {
                timer.set(deadline);
            }
            let late = async {
                timer.expired().await;
                Err(io::ErrorKind::TimedOut.into())
            };
            let written = or(poll_fn(|cx| self.poll_write(cx, &pieces)), late).await?;
            take_off(&mut pieces, written);
        }
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        pieces: &VecDeque<Bytes>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = match &*self.0 {
                Stream::System { .. } => {
                    let socket = self.watched()?;
                    let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
                    let mut nothing = SendAncillaryBuffer::default();
                    socket.try_io(Interest::WRITABLE, || {
                        Ok(sendmsg(socket, &slices, &mut nothing, SendFlags::NOSIGNAL)?)
                    })
                }
                Stream::Other(stream) => stream.write(&pieces[0]),
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &*self.0 {
                    Stream::System { .. } => ready!(self.watched()?.poll_write_ready(cx))?,
                    Stream::Other(stream) => ready!(stream.poll_writable(cx)),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Tells the peer that no more bytes will follow (half-close). The peer may still send.
    pub(super) fn shut_down_writing(&self) {
        match &*self.0 {
            Stream::System { .. } => {
                if let Ok(socket) = self.watched() {
                    // A peer that has already gone cannot receive this.
                    let _ = shutdown(socket, Shutdown::Write);
                }
            }
            Stream::Other(stream) => stream.shut_down_writing(),
        }
    }

    /// Returns the socket, watched by the worker that calls this first.
    fn watched(&self) -> io::Result<&TcpStream> {
        let Stream::System { bare, watched } = &*self.0 else {
            return Err(Errno::NOTSOCK.into());
        };
        if watched.get().is_none()
            && let Some(bare) = bare.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = watched.set(TcpStream::from_std(bare.into())?);
        }
        watched.get().ok_or(io::ErrorKind::NotConnected.into())
    }
}

/// Removes the bytes that were written.
fn take_off(pieces: &mut VecDeque<Bytes>, mut count: usize) {
    while let Some(piece) = pieces.front_mut() {
        if count < piece.len() {
            piece.advance(count);
            break;
        }
        count -= piece.len();
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_been_written_is_taken_off_wherever_it_ends() {
        let all = b"onetwothree";
        for count in 0..=all.len() {
            let mut pieces: VecDeque<_> = ["one", "two", "three"].map(Bytes::from).into();
            take_off(&mut pieces, count);
            let left: Vec<_> = pieces.iter().flatten().copied().collect();
            assert_eq!(left, &all[count..]);
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }
    }
}
