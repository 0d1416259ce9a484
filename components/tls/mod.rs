//! TLS 1.2 and 1.3 (RFC 5246, RFC 8446) as components: one decrypts what the socket receives, one
//! encrypts what is sent. The components between the two notice nothing.
//!
//! ```text
//! reader ──▶ decrypt ──▶ ... ──▶ encrypt ──▶ writer
//!               └╌╌ answers ╌╌╌╌╌╌▲
//! ```
//!
//! Both share the [`Session`] of their connection. The protocol itself is that of rustls, without
//! I/O; only the folder `engine` names it.

mod accept_tls;
mod census;
mod certificate;
mod decrypt;
mod encrypt;
mod encrypt_stream;
mod engine;
mod pace;
mod part;
mod records;
mod renewal;
mod self_signed;
mod shared;
mod stream;

pub use accept_tls::{HandshakePorts, HandshakePortsHandles, accept_tls};
pub use census::{BegunHandshake, FailedHandshake, Handshakes, TlsCensus};
pub use certificate::{Certificate, CertificateError};
pub use decrypt::{DecryptPorts, DecryptPortsHandles, decrypt};
pub use encrypt::{EncryptPorts, EncryptPortsHandles, encrypt};

pub use encrypt_stream::{EncryptStreamPorts, EncryptStreamPortsHandles, encrypt_stream};
pub use engine::{
    ChallengeCertificates, ClientAuth, ClientTls, Facts, MinimalVersion, ServerTls, Session,
    TicketKeys, TlsError, TlsOptions,
};
pub(crate) use part::add_tls;
pub use part::{tls_client, tls_server};
pub use renewal::{Renewal, RenewalState};
pub use self_signed::{challenge_certificate, self_signed};
pub use shared::SharedSession;
pub use stream::connect_tls;

#[cfg(test)]
mod tests;
