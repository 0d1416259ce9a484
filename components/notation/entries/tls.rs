//! TLS: no text can hold a certificate yet.

use bytes::Bytes;
use kamea::Pipe;

use super::{Entry, component};
use crate::tls::{DecryptPorts, EncryptPorts, EncryptStreamPorts, HandshakePorts};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "tls.accept" = accept_tls in "tls/accept_tls.rs" over HandshakePorts,
            needs "the session of a connection; the web server makes it"
        },
        component! {
            "tls.decrypt" = decrypt in "tls/decrypt.rs" over DecryptPorts,
            needs "the session of a connection; `WebServer::tls` and `tls_server` make it"
        },
        component! {
            "tls.encrypt" = encrypt in "tls/encrypt.rs" over EncryptPorts,
            needs "the session of a connection; `WebServer::tls` makes it"
        },
        component! {
            "tls.encrypt_stream" = encrypt_stream in "tls/encrypt_stream.rs" over EncryptStreamPorts,
            needs "the session of a connection; `tls_server` makes it"
        },
        component! {
            "tls.server" = tls_server in "tls/part.rs" over Pipe<Bytes, Bytes>,
            needs "a certificate with its key"
        },
        component! {
            "tls.client" = tls_client in "tls/part.rs" over Pipe<Bytes, Bytes>,
            needs "the certificates that it trusts"
        },
    ]
}
