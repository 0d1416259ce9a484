//! A connection that an application takes over, for a WebSocket: its raw bytes go through a pair of
//! sockets. The application answers the handshake itself.
//!
//! ```text
//! client ◀─▶ reader, writer ◀─▶ relay_bytes ◀═ pair of sockets ═▶ worker process (simple-websocket)
//! ```

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::time::sleep;
use kamea::{Component, Done, End, Pipe, Receiver, stopping};
use rustix::net::{Shutdown, shutdown};
use tokio::net::UnixStream;

use super::pool::Job;
use crate::chassis::NoPorts;
use crate::http::{Limits, Reply, ResponseDecoder, ResponseHead};
use crate::net::NextProtocol;
use crate::stream::read_into_buffer;
use crate::web::{Body, Response};

/// What the worker is told over the socket: that it has the connection.
const HAD: &[u8] = b"U";

/// Reads the answer to a handshake from the application, passes it to the client, and hands the
/// connection over. The connection ends when `is_held` does.
pub(super) fn answer_upgrade(
    socket: OwnedFd,
    job: Job,
    is_held: Receiver<Infallible>,
    within: Duration,
) -> impl Component<NoPorts> + Send {
    let mut parts = Some((socket, job, is_held));
    async move |_: &mut NoPorts| {
        let Some((socket, job, is_held)) = parts.take() else {
            return Ok(());
        };
        let late = async {
            sleep(within).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match or(read_answer(socket), late).await {
            Ok((head, rest, socket)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                let relay = relay_bytes(socket, rest, is_held);
                job.conclude(Ok(Response {
                    exchange: job.exchange,
                    head,
                    body: Body::Upgrade(NextProtocol::new("wsgi websocket", relay)),
                }));
            }
            Ok((head, ..)) => {
                log::error!(
                    "WSGI: a request for a WebSocket was answered {}",
                    head.status
                );
                let explanation = "the application did not accept the WebSocket";
                job.fail(StatusCode::BAD_GATEWAY, explanation);
            }
            Err(error) => {
                log::error!("WSGI: a request for a WebSocket was not answered: {error}");
                let explanation = "the application ended before it answered";
                job.fail(StatusCode::BAD_GATEWAY, explanation);
            }
        }
        Ok(())
    }
}

fn watch(socket: OwnedFd) -> io::Result<UnixStream> {
    let socket = net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Returns the head of the answer, and the bytes that came behind it.
async fn read_answer(socket: OwnedFd) -> io::Result<(ResponseHead, Bytes, OwnedFd)> {
    let socket = watch(socket)?;
    write(&socket, Bytes::from_static(HAD)).await?;
    let mut decoder = ResponseDecoder::new(Limits::default());
    decoder.expect(&Method::GET);
    loop {
        if let Some(Reply::Head(head, _)) = decoder.next().map_err(io::Error::other)? {
            let rest = match decoder.next() {
                Ok(Some(Reply::Chunk(rest))) => rest,
                _ => Bytes::new(),
            };
            let head = ResponseHead {
                fields: head.fields,
                ..ResponseHead::new(head.status)
            };
            return Ok((head, rest, socket.into_std()?.into()));
        }
        let bytes = read(&socket).await?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.feed(bytes);
    }
}

/// Passes bytes between a client and an application. It ends when the application has closed its
/// end, when its process is replaced, and when the server stops.
fn relay_bytes(
    socket: OwnedFd,
    first: Bytes,
    is_held: Receiver<Infallible>,
) -> impl Component<Pipe<Bytes, Bytes>> + Send {
    let mut parts = Some((socket, first, is_held));
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let Some((socket, first, mut is_held)) = parts.take() else {
            return Ok(());
        };
        let socket = watch(socket)?;
        if !first.is_empty() {
            io.outbox.send(first).await?;
        }
        let Pipe { inbox, outbox } = io;
        let up = async {
            while let Some(bytes) = inbox.next().await {
                write(&socket, bytes).await?;
            }
            // The client has gone. The application may still want to say something to the log.
            shutdown(&socket, Shutdown::Write).map_err(io::Error::from)?;
            pending::<Done>().await
        };
        let down = async {
            loop {
                let bytes = read(&socket).await?;
                if bytes.is_empty() {
                    return Ok(());
                }
                outbox.send(bytes).await?;
            }
        };
        let replaced = async {
            is_held.next().await;
            Ok(())
        };
        let stopped = async {
            stopping().await;
            Ok(())
        };
        match or(or(up, down), or(replaced, stopped)).await {
            // A process that has ended, or has closed its end.
            Err(End::Error(error)) if error.is::<io::Error>() => {
                log::debug!("WSGI: a WebSocket has ended: {error}");
                Ok(())
            }
            done => done,
        }
    }
}

/// Returns the next bytes, none at the end.
async fn read(socket: &UnixStream) -> io::Result<Bytes> {
    loop {
        socket.readable().await?;
        match read_into_buffer(|buffer| socket.try_read(buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn write(socket: &UnixStream, mut bytes: Bytes) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(&bytes) {
            Ok(count) => bytes.advance(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
