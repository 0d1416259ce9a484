//! TLS: a client, and the parts that need a session. The server `tls` is with the others of the
//! network.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use kamea::Pipe;

use super::{Entry, component};
use crate::notation::servers::secure_client;
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
            needs "the connection of a client; `tls` accepts them"
        },
        component! {
            "tls_client" = tls_client in "tls/part.rs" {
                /// The server: host:port, or `:9443`. Its certificate must be for this host.
                server: String,
                /// The PEM file of the authorities to trust, instead of those of the system.
                ca: Option<PathBuf>,
                /// Whether every certificate is accepted, also that of an attacker: for tests.
                insecure: bool = "no",
                /// How long it may take to connect.
                connect_within: Duration = "10s",
                => secure_client(&server, ca.as_deref(), insecure, connect_within)?
            }
        },
    ]
}
