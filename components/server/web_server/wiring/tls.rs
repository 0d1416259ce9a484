//! The wiring of TLS: a component on each side of the socket, and a filter.
//!
//! ```text
//! reader ──▶ decrypt ──▶ parser ──▶ tls ──▶ ... ──▶ encoder ──▶ encrypt ──▶ writer
//!               └╌╌╌╌╌╌╌╌╌╌╌╌╌╌ answers ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▲
//! ```

use bytes::Bytes;
use kamea::{InboxHandle, OutboxHandle, Policy};

use super::outline::Outline;
use super::{Encoded, PIECES, WebServer};
use crate::http::Fields;
use crate::net::{WritePace, write_bytes};
use crate::server::Tls;
use crate::server::connection::Opened;
use crate::server::secure::{decrypt_requests, encrypt_responses, note_tls, redirect_to_https};
use crate::tls::SharedSession;
use crate::web::{Request, encode_responses};

impl WebServer {
    /// The filter of connections over TLS, or that which redirects the others to TLS.
    pub(super) fn wire_tls(
        &self,
        outline: &mut Outline,
        requests: OutboxHandle<Request>,
    ) -> OutboxHandle<Request> {
        let redirect = self.tls.as_ref().and_then(|tls| tls.redirect);
        let filter = match (&outline.tls, redirect) {
            (Some(_), _) => {
                let make = |connection: &mut Opened| note_tls(&session(connection));
                outline.add("tls", Policy::CarryOn, make)
            }
            (None, Some(port)) => {
                let make = move |_: &mut Opened| redirect_to_https(port);
                outline.add("redirect", Policy::CarryOn, make)
            }
            (None, None) => return requests,
        };
        outline.graph.link(requests, filter.requests);
        outline.failures.push(filter.failures);
        outline.responses.push(filter.responses);
        filter.passed
    }

    /// The fields of every response.
    pub(super) fn fields(&self, tls: Option<&Tls>) -> Fields {
        let fields = self.site.fields.clone();
        match tls.and_then(|tls| tls.strict_transport) {
            Some(age) => {
                let value = format!("max-age={}", age.as_secs());
                fields.with("Strict-Transport-Security", value)
            }
            None => fields,
        }
    }
}

/// The decrypting component between the reader and the parser; the encoder, the encrypting
/// component and the writer.
pub(super) fn wire_socket(
    outline: &mut Outline,
    pace: WritePace,
    records: OutboxHandle<Bytes>,
    bytes: InboxHandle<Bytes>,
) -> Encoded {
    let decrypt = outline.add("decrypt", Policy::CarryOn, |connection: &mut Opened| {
        decrypt_requests(session(connection), connection.socket.clone())
    });
    let encoder = outline.add("encoder", Policy::Stop, |connection: &mut Opened| {
        encode_responses(connection.socket.peer())
    });
    let encrypt = outline.add("encrypt", Policy::Stop, |connection: &mut Opened| {
        encrypt_responses(session(connection), connection.socket.clone())
    });
    let writer = outline.add("writer", Policy::Stop, move |connection: &mut Opened| {
        write_bytes(connection.socket.clone(), pace)
    });
    let graph = &mut outline.graph;
    graph.link(records, decrypt.records).measure(Bytes::len);
    graph.link(decrypt.bytes, bytes).measure(Bytes::len);
    graph.link(decrypt.answers, encrypt.answers);
    graph.link(encoder.pieces, encrypt.pieces).capacity(PIECES);
    graph.link(encrypt.records, writer.pieces).capacity(PIECES);
    graph.feedback(writer.sent, encrypt.written);
    graph.feedback(encrypt.sent, encoder.sent);
    Encoded {
        responses: encoder.responses,
        notices: encoder.notices,
        written: encoder.written,
    }
}

/// The session of a connection over TLS.
fn session(connection: &Opened) -> SharedSession {
    #[expect(
        clippy::expect_used,
        reason = "the holder starts this graph with a session alone"
    )]
    let session = connection
        .session
        .clone()
        .expect("a connection over TLS has a session");
    session
}
