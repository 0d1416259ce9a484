//! TLS around a part over bytes: a protocol for `tcp_server`, or a client.
//!
//! ```text
//! ┌ tls ────────────────────────────────────────┐
//! │ bytes ─▶ decrypt ─▶ YOUR PART ─▶ encrypt ─▶ bytes
//! │             └╌╌╌ answers ╌╌╌╌╌╌╌╌╌╌▲        │
//! └─────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use bytes::Bytes;
use kamea::{Composite, Graph, Part, Pipe, PipeHandles};

use super::{ClientTls, ServerTls, Session, SharedSession, TlsError, decrypt, encrypt_stream};
use crate::net::{complete_address, tcp_client};

/// Serves one connection over TLS by a part over bytes. The outside is bytes too, so it is a
/// protocol for [`tcp_server`](crate::net::tcp_server).
///
/// # Faults
///
/// [`TlsError`]: no handshake, a broken rule, or a truncated connection.
///
/// # Examples
///
/// ```no_run
/// use kamea::Graph;
/// use kamea_components::net::tcp_server;
/// use kamea_components::stream::echo;
/// use kamea_components::tls::{ServerTls, TlsOptions, self_signed, tls_server};
///
/// let tls = ServerTls::new(TlsOptions::new(vec![self_signed(&["localhost"])?]))?;
/// let mut graph = Graph::new("echoes");
/// graph.add("server", tcp_server("127.0.0.1:9443", move || tls_server(&tls, echo)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tls_server<Kind>(
    tls: &ServerTls,
    part: impl Part<Pipe<Bytes, Bytes>, Kind>,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("tls");
    let session = SharedSession::new(Session::server(tls));
    let halves = add_halves(&mut graph, &session);
    let part = graph.add("part", part);
    graph.link(halves.plaintext.outbox, part.inbox);
    graph.link(part.outbox, halves.plaintext.inbox);
    graph.expose(halves.records)
}

/// Connects to `host:port`, or to a port of this machine, over TLS: sends the bytes that come in,
/// and passes on what the server sends. The certificate must be for `host`.
///
/// # Errors
///
/// If `server` has no name or address that a certificate could be for.
///
/// # Faults
///
/// [`ConnectionError`](crate::net::ConnectionError) without a connection, [`TlsError`] without TLS.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kamea_components::tls::{ClientTls, self_signed, tls_client};
///
/// let tls = ClientTls::trusting(&self_signed(&["localhost"])?)?;
/// let client = tls_client(&tls, "localhost:9443", Duration::from_secs(10))?;
/// # let _ = client;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tls_client(
    tls: &ClientTls,
    server: &str,
    connect_within: Duration,
) -> Result<Composite<Pipe<Bytes, Bytes>>, TlsError> {
    let server = &*complete_address(server);
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let session = SharedSession::new(Session::client(tls, host)?);
    let mut graph = Graph::new("tls_client");
    let connection = graph.add("connection", tcp_client(server, connect_within));
    let halves = add_halves(&mut graph, &session);
    graph.link(connection.outbox, halves.records.inbox);
    graph.feedback(halves.records.outbox, connection.inbox);
    Ok(graph.expose(halves.plaintext))
}

/// The ends of the two components: on the side of the socket, and on that of the part.
struct Halves {
    records: PipeHandles<Bytes, Bytes>,
    plaintext: PipeHandles<Bytes, Bytes>,
}

/// Puts TLS between a socket and a protocol, with a session whose handshake has been made. The ends
/// are those of the socket, and those that are returned are for the protocol.
pub(crate) fn add_tls(
    graph: &mut Graph,
    session: &SharedSession,
    socket: PipeHandles<Bytes, Bytes>,
) -> PipeHandles<Bytes, Bytes> {
    let halves = add_halves(graph, session);
    let link = graph.link(socket.outbox, halves.records.inbox);
    link.measure(Bytes::len);
    let link = graph.link(halves.records.outbox, socket.inbox);
    link.measure(Bytes::len);
    halves.plaintext
}

fn add_halves(graph: &mut Graph, session: &SharedSession) -> Halves {
    let decrypt = graph.add("decrypt", decrypt(session.clone()));
    let encrypt = graph.add("encrypt", encrypt_stream(session.clone()));
    graph.link(decrypt.answers, encrypt.answers);
    Halves {
        records: PipeHandles {
            inbox: decrypt.records,
            outbox: encrypt.records,
        },
        plaintext: PipeHandles {
            inbox: encrypt.bytes,
            outbox: decrypt.bytes,
        },
    }
}
