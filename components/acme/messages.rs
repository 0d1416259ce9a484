//! The messages between the schedule and what speaks to the authority.

use kamea_components::tls::Certificate;

use crate::{AcmeError, Name, Store};

/// How the authority checks that a name leads to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// A file, by http at port 80 (RFC 8555 section 8.3).
    Http01,
    /// A certificate, by a handshake at port 443 (RFC 8737).
    TlsAlpn01,
}

impl Challenge {
    /// Its name.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_acme::Challenge;
    ///
    /// assert_eq!(Challenge::Http01.as_str(), "http-01");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

/// What the authority is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Task {
    /// A certificate for a name.
    Order {
        /// The name.
        name: Name,
        /// How the authority is to check it.
        challenge: Challenge,
        /// The certificate that it replaces (RFC 9773 section 5).
        replaces: Option<Certificate>,
    },
    /// When a certificate should be renewed (ARI, RFC 9773).
    AskWhen(Certificate),
}

/// What has come of a task, together with when it ended: `Err` says why nothing has.
#[derive(Debug)]
pub struct Outcome(pub Result<Reply, AcmeError>);

/// What the authority has given.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// A new certificate, which is kept.
    Ordered(Certificate),
    /// When to renew; `None` if the authority does not say.
    When(Option<Window>),
}

/// When a certificate should be renewed, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub start: i64,
    /// The last moment.
    pub end: i64,
    /// In how many seconds to ask again.
    pub ask_again: i64,
}

/// A name that is to have a certificate.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The name.
    pub name: Name,
    /// The certificate that it has; `None` if it has none.
    pub certificate: Option<Certificate>,
}

impl Wanted {
    /// A name, with the certificate that is kept for it. Blocks.
    #[must_use]
    pub fn new(name: Name, store: &Store) -> Self {
        let certificate = store.certificate(&name);
        Self { name, certificate }
    }
}
