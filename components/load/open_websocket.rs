//! Opens a WebSocket over a connection of a load: its handshake is part of connecting.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

use crate::http::{Fields, Url};
use crate::net::{Accepted, ByteStream, Socket, Transport};
use crate::websocket::{ClientHandshake, HandshakeOptions};

/// Makes the handshake of a WebSocket over a connection, with further fields in its request. What
/// the server has sent behind its response is read from the result first.
///
/// If the options have compression, the server must agree to it, with a window of any size for its
/// own messages and the largest for ours.
///
/// # Errors
///
/// If the connection is lost, the server refuses, or its response is invalid.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kamea_components::http::{Fields, Url};
/// use kamea_components::load::open_websocket;
/// use kamea_components::net::{Socket, dial_any};
/// use kamea_components::websocket::HandshakeOptions;
///
/// let url = Url::websocket("ws://127.0.0.1:9001/echo")?;
/// let connect = async move |address| {
///     let socket = Socket::connect(address).await?;
///     open_websocket(socket, &url, &HandshakeOptions::default(), &Fields::new()).await
/// };
/// let dial = dial_any(["127.0.0.1:9001".parse()?], connect, Duration::from_secs(10));
/// # drop(dial);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn open_websocket(
    socket: Socket,
    url: &Url,
    options: &HandshakeOptions,
    fields: &Fields,
) -> io::Result<Socket> {
    let mut handshake = ClientHandshake::new(url, options.clone(), fields.clone());
    let request = handshake.request().clone();
    let mut sent = 0;
    while sent < request.len() {
        sent += socket.write(&request[sent..], false).await?;
    }
    let (deflate, rest) = loop {
        if let Some(agreed) = handshake.next().map_err(io::Error::other)? {
            break agreed;
        }
        let bytes = socket.receive().await?;
        if bytes.is_empty() {
            let why = "the server has ended the connection during the handshake";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        handshake.feed(bytes);
    };
    let is_compressed = deflate.is_some_and(|agreed| agreed.client_max_window_bits == 15);
    if options.deflate.is_some() && !is_compressed {
        let why = "the server has not agreed to permessage-deflate";
        return Err(io::Error::other(why));
    }
    match rest.is_empty() {
        true => Ok(socket),
        false => put_back(socket, rest),
    }
}

/// The connection, from which these bytes are read first.
fn put_back(socket: Socket, bytes: Bytes) -> io::Result<Socket> {
    let peer = socket.peer();
    let stream: Box<dyn ByteStream> = match socket.into_transport() {
        Some(Transport::Tcp(stream)) => Box::new(TcpStream::from_std(stream)?),
        Some(Transport::Other(stream)) => stream,
        None => return Err(io::ErrorKind::NotConnected.into()),
    };
    let unread = Mutex::new(bytes);
    Ok(Socket::new(Accepted {
        stream: Transport::Other(Box::new(ReadAhead { stream, unread })),
        peer,
    }))
}

/// A connection of which some bytes have been read already.
#[derive(Debug)]
struct ReadAhead {
    stream: Box<dyn ByteStream>,
    unread: Mutex<Bytes>,
}

impl ReadAhead {
    /// No operation under the lock can leave the bytes half changed.
    fn unread(&self) -> MutexGuard<'_, Bytes> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ByteStream for ReadAhead {
    fn local(&self) -> SocketAddr {
        self.stream.local()
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut unread = self.unread();
        if unread.is_empty() {
            return self.stream.read(buffer);
        }
        let count = buffer.len().min(unread.len());
        unread.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.unread().is_empty() {
            true => self.stream.poll_readable(cx),
            false => Poll::Ready(()),
        }
    }

    fn has_input(&self) -> bool {
        !self.unread().is_empty() || self.stream.has_input()
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let mut bytes = vec![0; count.min(16 * 1024)];
        let count = file.read_at(&mut bytes, offset)?;
        self.stream.write(&bytes[..count])
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_writable(cx)
    }

    fn shut_down_writing(&self) {
        self.stream.shut_down_writing();
    }
}
