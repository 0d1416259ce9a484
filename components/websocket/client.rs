//! A WebSocket client, over TCP or TLS.
//!
//! ```text
//!          ┌ websocket_client ──────────────────────────────────┐
//!          │ connection ─bytes▶ handshake ─▶ receive ───────────┼─▶ outbox
//!          │      ▲                   ╎           ╎ pongs       │
//!          │      │                   ▼           ▼             │
//! inbox ───┼──────────────────────▶ send ─bytes▶ connection     │
//!          └────────────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use bytes::Bytes;
use kamea::{Composite, Graph, Pipe, PipeHandles};

use super::part::add_halves;
use super::{Message, Role, WebSocketOptions, request_opening};
use crate::http::{Url, UrlError};
use crate::net::tcp_client;
use crate::tls::{ClientTls, TlsError, tls_client};

/// Why there is no client.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text is not the URL of a WebSocket.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The system has no authorities to trust, or no certificate can be for this host.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

/// Connects to a WebSocket, `ws://host:port/path`, or `wss://host:port/path` over TLS: sends the
/// messages that come in, and passes on what the server sends. The connection closes with code 1000
/// when no more messages come in.
///
/// Over TLS, the certificate must be for the host, and one that [`WebSocketOptions::tls`] trusts:
/// by default, one that an authority of the system has signed.
///
/// # Errors
///
/// [`ClientError`], if it is not the URL of a WebSocket, or TLS cannot be used.
///
/// # Faults
///
/// [`ConnectionError`](crate::net::ConnectionError) without a connection, [`TlsError`] without TLS,
/// [`OpeningError`](super::OpeningError) without a WebSocket.
///
/// # Examples
///
/// ```no_run
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::one_shot;
/// use kamea_components::websocket::{Message, WebSocketOptions, websocket_client};
///
/// let mut graph = Graph::new("asking");
/// let client = websocket_client("ws://127.0.0.1:9001/echo", WebSocketOptions::default())?;
/// let (_, answers) = pipeline!(graph, one_shot(Message::text("hello")) => client);
/// let answers = graph.take(answers);
/// # let _ = answers;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn websocket_client(
    url: &str,
    options: WebSocketOptions,
) -> Result<Composite<Pipe<Message, Message>>, ClientError> {
    let url = Url::websocket(url)?;
    let mut graph = Graph::new("websocket_client");
    let connection = add_connection(&mut graph, &url, options.tls.as_ref())?;
    let handshake = request_opening(url, options.handshake.clone());
    let handshake = graph.add("handshake", handshake);
    let (receive, send) = add_halves(&mut graph, Role::Client, &options, None);
    graph.link(connection.outbox, handshake.bytes);
    graph.link(handshake.rest, receive.bytes);
    graph.link(handshake.receiver, receive.agreed);
    graph.link(handshake.sender, send.opening);
    graph.link(receive.controls, send.controls).capacity(2);
    graph.feedback(send.bytes, connection.inbox);
    Ok(graph.expose(PipeHandles {
        inbox: send.messages,
        outbox: receive.messages,
    }))
}

/// How long a client tries to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The application protocol (RFC 7301): a handshake over HTTP/2 would be another one (RFC 8441).
const PROTOCOL: &str = "http/1.1";

fn add_connection(
    graph: &mut Graph,
    url: &Url,
    tls: Option<&ClientTls>,
) -> Result<PipeHandles<Bytes, Bytes>, TlsError> {
    let server = url.server();
    if !url.is_https() {
        return Ok(graph.add("connection", tcp_client(server, CONNECT_WITHIN)));
    }
    let tls = tls.cloned().map_or_else(ClientTls::trusting_system, Ok)?;
    let tls = tls.protocols(&[PROTOCOL]);
    let connection = tls_client(&tls, &server, CONNECT_WITHIN)?;
    Ok(graph.add("connection", connection))
}

#[cfg(test)]
mod tests;
