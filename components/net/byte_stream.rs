//! The transport of a connection that the operating system does not know.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};

use rustix::fs::sendfile;
use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A connection that is not a socket of the system, such as that of a [simulated
/// network](crate::simulated::Network). A [`Socket`](super::Socket) uses it like one.
///
/// A call that would have to wait fails with [`io::ErrorKind::WouldBlock`].
pub trait ByteStream: fmt::Debug + Send + Sync {
    /// Returns the address of this end.
    fn local(&self) -> SocketAddr;

    /// Reads some of the bytes that have arrived; returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing has arrived; other errors mean that the connection is broken.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Waits until there is something to read.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether bytes, or the end of the stream, have arrived.
    fn has_input(&self) -> bool;

    /// Writes some of `bytes`; returns how many.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no space; other errors mean that the connection is broken.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes some of `slices`, one after another; returns how many bytes.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write).
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        first.map_or(Ok(0), |slice| self.write(slice))
    }

    /// Sends up to `count` bytes of a file from `offset`; returns how many, 0 if the file has no
    /// more.
    ///
    /// # Errors
    ///
    /// Like [`write`](Self::write); also if the file cannot be read.
    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize>;

    /// Waits until there is space to write.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Tells the peer that no more bytes will follow.
    fn shut_down_writing(&self);
}

/// A connection of TCP, watched by the worker that has opened it: for streams that stand on another
/// one, such as TLS.
impl ByteStream for TcpStream {
    fn local(&self) -> SocketAddr {
        let unknown = (Ipv4Addr::UNSPECIFIED, 0).into();
        self.local_addr().unwrap_or(unknown)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_read_ready(cx).map(drop)
    }

    fn has_input(&self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        self.poll_read_ready(cx).is_ready()
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, || {
            Ok(sendfile(self, file, Some(&mut { offset }), count)?)
        })
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_write_ready(cx).map(drop)
    }

    fn shut_down_writing(&self) {
        // The peer may have gone.
        let _ = shutdown(self, Shutdown::Write);
    }
}
