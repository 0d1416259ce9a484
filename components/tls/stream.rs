//! TLS over another stream, as a stream: for clients that open connections by themselves.

use std::fs::File;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_lite::future::poll_fn;
use tokio::net::TcpStream;

use super::records::BATCH;
use super::{ClientTls, Session, TlsError};
use crate::net::{Accepted, ByteStream, Socket, Transport};

/// How many bytes of records are read at once.
const READ: usize = 16 * 1024;

/// Connects to a server of this name or address over TLS, and makes the handshake. The result can
/// be used like a connection without TLS, by [`dial_any`](crate::net::dial_any) for example.
///
/// A graph of its own shows what goes through it, so
/// [`tls_client`](super::tls_client) is better wherever one connection is all that is wanted.
///
/// # Errors
///
/// If the server cannot be reached, or [`TlsError`] as the source of the error: the handshake has
/// failed. Our alert has been sent then.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kamea_components::net::dial_any;
/// use kamea_components::tls::{ClientTls, connect_tls, self_signed};
///
/// let tls = ClientTls::trusting(&self_signed(&["localhost"])?)?;
/// let connect = async move |address| connect_tls(&tls, "localhost", address).await;
/// let dial = dial_any(["127.0.0.1:9234".parse()?], connect, Duration::from_secs(10));
/// # drop(dial);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn connect_tls(tls: &ClientTls, name: &str, address: SocketAddr) -> io::Result<Socket> {
    let session = Session::client(tls, name).map_err(failed)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TlsStream::connect(session, stream).await?;
    Ok(Socket::new(Accepted {
        stream: Transport::Other(Box::new(stream)),
        peer: address,
    }))
}

/// TLS over another stream. Dropping it sends a `close_notify`, if there is room for it.
#[derive(Debug)]
pub(super) struct TlsStream<Stream: ByteStream> {
    stream: Stream,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    session: Session,
    /// Plaintext that has arrived.
    unread: Bytes,
    /// Records that have not been sent.
    unsent: Vec<u8>,
    has_closed: bool,
    /// What the next read returns.
    error: Option<io::Error>,
}

fn failed(error: TlsError) -> io::Error {
    let kind = match error {
        TlsError::Truncated => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

impl<Stream: ByteStream> TlsStream<Stream> {
    /// Makes the handshake of a client.
    pub(super) async fn connect(mut session: Session, stream: Stream) -> io::Result<Self> {
        let hello = session.take_outgoing().into();
        let state = State {
            session,
            unread: Bytes::new(),
            unsent: hello,
            has_closed: false,
            error: None,
        };
        let tls = Self {
            stream,
            state: Mutex::new(state),
        };
        loop {
            poll_fn(|cx| tls.poll_flush(cx)).await?;
            if !tls.state().session.is_handshaking() {
                // What has arrived behind the handshake is no message for it.
                return Ok(tls);
            }
            poll_fn(|cx| {
                loop {
                    match tls.state().receive(&tls.stream) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            ready!(tls.stream.poll_readable(cx));
                        }
                        received => return Poll::Ready(received),
                    }
                }
            })
            .await?;
        }
    }

    /// No operation under the lock can leave the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the records that have not been sent.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.state().flush(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_writable(cx));
                }
                flushed => return Poll::Ready(flushed),
            }
        }
    }
}

impl State {
    /// Reads records. `WouldBlock` if none have arrived.
    fn receive(&mut self, stream: &impl ByteStream) -> io::Result<()> {
        let mut records = [0; READ];
        let count = stream.read(&mut records)?;
        if count == 0 {
            return Err(failed(match self.session.is_handshaking() {
                true => TlsError::Left,
                false => TlsError::Truncated,
            }));
        }
        let received = self.session.receive(&records[..count]);
        self.unread = self.session.take_plaintext();
        self.unsent.extend_from_slice(&self.session.take_outgoing());
        if received.is_err() {
            // Our alert, if there is room for it.
            let _ = self.flush(stream);
        }
        received.map_err(failed)
    }

    /// Whether there is something for a reader. What has arrived may be a message of TLS itself,
    /// such as a session ticket: that is taken, and is nothing for a reader.
    fn has_input(&mut self, stream: &impl ByteStream) -> bool {
        loop {
            let session = &self.session;
            let is_over = session.has_peer_closed() || self.error.is_some();
            if is_over || !self.unread.is_empty() || session.has_plaintext() {
                return true;
            }
            if !stream.has_input() {
                return false;
            }
            match self.receive(stream) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => self.error = Some(error),
            }
        }
    }

    fn flush(&mut self, stream: &impl ByteStream) -> io::Result<()> {
        let mut unsent = &self.unsent[..];
        let flushed = loop {
            if unsent.is_empty() {
                break Ok(());
            }
            match stream.write(unsent) {
                Ok(count) => unsent = &unsent[count..],
                Err(error) => break Err(error),
            }
        };
        let count = self.unsent.len() - unsent.len();
        self.unsent.drain(..count);
        if self.unsent.is_empty() {
            // A connection at rest holds no buffer.
            self.unsent = Vec::new();
        }
        flushed
    }

    fn close(&mut self, stream: &impl ByteStream) {
        if !mem::replace(&mut self.has_closed, true) && self.session.close(&mut self.unsent).is_ok()
        {
            // Without room for it, the peer sees that the connection is truncated.
            let _ = self.flush(stream);
        }
    }
}

impl<Stream: ByteStream> ByteStream for TlsStream<Stream> {
    fn local(&self) -> SocketAddr {
        self.stream.local()
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        while state.unread.is_empty() {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.session.has_peer_closed() {
                return Ok(0);
            }
            state.unread = state.session.take_plaintext();
            if state.unread.is_empty() {
                state.receive(&self.stream)?;
            }
        }
        let count = buffer.len().min(state.unread.len());
        state.unread.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Nobody else may wait until they can be sent. If that fails, so does the next read.
        let _ = self.poll_flush(cx);
        if self.has_input() {
            return Poll::Ready(());
        }
        self.stream.poll_readable(cx)
    }

    fn has_input(&self) -> bool {
        self.state().has_input(&self.stream)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.flush(&self.stream)?;
        let count = bytes.len().min(BATCH);
        let State {
            session, unsent, ..
        } = &mut *state;
        session.encrypt(&bytes[..count], unsent).map_err(failed)?;
        match state.flush(&self.stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let mut plaintext = vec![0; count.min(BATCH)];
        let count = file.read_at(&mut plaintext, offset)?;
        match count {
            0 => Ok(0),
            count => self.write(&plaintext[..count]),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_writable(cx)
    }

    fn shut_down_writing(&self) {
        self.state().close(&self.stream);
        self.stream.shut_down_writing();
    }
}

impl<Stream: ByteStream> Drop for TlsStream<Stream> {
    fn drop(&mut self) {
        self.state().close(&self.stream);
    }
}

#[cfg(test)]
mod tests;
