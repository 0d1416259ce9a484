//! The handshake by which an authority checks that a name leads to this server (RFC 8737).

use std::fmt;
use std::sync::Arc;

use rustls::server::ClientHello;

use crate::tls::Certificate;

/// Gives the certificate that an authority asks for by a handshake, to validate a name (RFC 8737).
/// It gets the name, in lower case. It may block for as long as it takes to read a small file.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{
///     ChallengeCertificates, ServerTls, TlsOptions, challenge_certificate, self_signed,
/// };
///
/// let answer = challenge_certificate("example.org", &[7; 32])?;
/// let mut options = TlsOptions::new(vec![self_signed(&["example.org"])?]);
/// options.challenges = Some(ChallengeCertificates::new(move |name| {
///     (name == "example.org").then(|| answer.clone())
/// }));
/// let tls = ServerTls::new(options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ChallengeCertificates(Arc<Find>);

type Find = dyn Fn(&str) -> Option<Certificate> + Send + Sync;

impl ChallengeCertificates {
    /// The application protocol of such a handshake.
    pub const PROTOCOL: &'static str = "acme-tls/1";

    /// Asks `find` for each of them; `None` refuses the handshake.
    pub fn new(find: impl Fn(&str) -> Option<Certificate> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(super) fn find(&self, name: &str) -> Option<Certificate> {
        (self.0)(&name.to_ascii_lowercase())
    }
}

impl fmt::Debug for ChallengeCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeCertificates")
            .finish_non_exhaustive()
    }
}

/// Whether a client speaks nothing but the protocol of challenges (RFC 8737 section 3).
pub(super) fn is_challenge(hello: &ClientHello<'_>) -> bool {
    let Some(mut offered) = hello.alpn() else {
        return false;
    };
    let challenge = ChallengeCertificates::PROTOCOL.as_bytes();
    offered.next() == Some(challenge) && offered.next().is_none()
}
