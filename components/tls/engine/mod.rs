//! The TLS protocol, by rustls: the only folder that names it.

mod challenge;
mod client;
mod error;
mod keys;
mod resolver;
mod server;
mod session;
mod tickets;

pub use challenge::ChallengeCertificates;
pub use client::ClientTls;
pub use error::TlsError;
pub(in crate::tls) use keys::check_pair;
pub use server::{ClientAuth, MinimalVersion, ServerTls, TlsOptions};
pub use session::{Facts, Session};
pub use tickets::TicketKeys;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The cryptography. One value for the whole process, so that connections share its tables.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}
