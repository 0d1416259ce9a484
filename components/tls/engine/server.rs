//! How a server speaks TLS.

use std::sync::{Arc, PoisonError, RwLock};

use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::server::{
    NoServerSessionStorage, UnbufferedServerConnection, VerifierBuilderError, WebPkiClientVerifier,
};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::challenge::ChallengeCertificates;
use super::resolver::{Resolver, chosen};
use super::tickets::Tickets;
use super::{TicketKeys, TlsError, provider};
use crate::tls::{Certificate, TlsCensus};

/// Whether clients must show a certificate (mutual TLS).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    Off,
    /// They are asked. Those that show one must have it signed by one of these.
    Optional(Vec<Certificate>),
    /// They must show one that one of these has signed.
    Required(Vec<Certificate>),
}

/// The oldest version that is spoken. TLS 1.0 and 1.1 are not available (RFC 8996).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MinimalVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

/// What a server needs to speak TLS.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{MinimalVersion, ServerTls, TlsOptions, self_signed};
///
/// let mut options = TlsOptions::new(vec![self_signed(&["localhost"])?]);
/// options.minimal_version = MinimalVersion::Tls13;
/// let tls = ServerTls::new(options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The certificates with their keys. A client gets the first one that covers the name that it
    /// asks for (RFC 6066 section 3), otherwise the first one.
    pub certificates: Vec<Certificate>,
    /// Whether clients must show a certificate.
    pub client_auth: ClientAuth,
    /// The oldest version that is spoken.
    pub minimal_version: MinimalVersion,
    /// The application protocols, the preferred one first (RFC 7301).
    pub protocols: Vec<String>,
    /// What answers the challenges of a certificate authority, if there is one.
    pub challenges: Option<ChallengeCertificates>,
}

impl TlsOptions {
    /// HTTP/1.1 over TLS 1.2 and 1.3 with these certificates; clients show none.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self {
            certificates,
            client_auth: ClientAuth::default(),
            minimal_version: MinimalVersion::default(),
            protocols: vec!["http/1.1".to_owned()],
            challenges: None,
        }
    }
}

/// How a server speaks TLS. All its connections share it, on every worker, together with the keys
/// of session tickets: a client may resume its session on another worker (RFC 8446 section 2.2).
///
/// A clone is the same: what [`replace`](Self::replace) changes, it changes for all.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// What new handshakes use.
    current: Arc<RwLock<Current>>,
    census: TlsCensus,
}

/// What a handshake uses from its begin to its end.
#[derive(Debug, Clone)]
struct Current {
    config: Arc<ServerConfig>,
    certificates: Arc<[Certificate]>,
    /// What decides whether a session may be resumed.
    context: Vec<u8>,
    /// The keys of session tickets; `None` if there are no tickets.
    keys: Option<TicketKeys>,
}

impl ServerTls {
    /// Prepares the options.
    ///
    /// # Errors
    ///
    /// If there is no certificate, or a key does not match its certificate.
    pub fn new(options: TlsOptions) -> Result<Self, TlsError> {
        Ok(Self::of(Current::new(options, Some(TicketKeys::new()?))?))
    }

    fn of(current: Current) -> Self {
        Self {
            current: Arc::new(RwLock::new(current)),
            census: TlsCensus::default(),
        }
    }

    /// Uses other options from now on, in this value and in all its clones. Connections stay open,
    /// and clients can resume their sessions, unless the options change which certificates they
    /// must show.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); the options that are in force then stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::tls::{ServerTls, TlsOptions, self_signed};
    ///
    /// let tls = ServerTls::new(TlsOptions::new(vec![self_signed(&["old.example"])?]))?;
    /// let served = tls.clone();
    /// tls.replace(TlsOptions::new(vec![self_signed(&["new.example"])?]))?;
    /// assert_eq!(served.certificates()[0].names(), ["new.example"]);
    /// assert!(tls.replace(TlsOptions::new(Vec::new())).is_err());
    /// assert_eq!(served.certificates()[0].names(), ["new.example"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(&self, options: TlsOptions) -> Result<(), TlsError> {
        let new = Current::new(options, self.current().keys)?;
        self.census.note_certificates(&new.certificates);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The same, with the ticket keys of `other`: clients of both can resume their sessions after a
    /// reload, unless it has changed which certificates they must show.
    #[must_use]
    pub fn with_tickets_of(self, other: &Self) -> Self {
        let keys = other.current().keys;
        self.with_tickets(keys)
    }

    /// The same, with these ticket keys.
    #[must_use]
    pub fn with_ticket_keys(self, keys: &TicketKeys) -> Self {
        self.with_tickets(Some(keys.clone()))
    }

    /// Without session tickets: every handshake is a full one.
    #[must_use]
    pub fn without_tickets(self) -> Self {
        self.with_tickets(None)
    }

    fn with_tickets(self, keys: Option<TicketKeys>) -> Self {
        let current = self.current().with_tickets(keys);
        Self {
            current: Arc::new(RwLock::new(current)),
            ..self
        }
    }

    /// The certificates, in order.
    #[must_use]
    pub fn certificates(&self) -> Arc<[Certificate]> {
        self.current().certificates
    }

    /// The same, and a web server counts its handshakes in this census.
    #[must_use]
    pub fn counted_by(self, census: &TlsCensus) -> Self {
        Self {
            census: census.clone(),
            ..self
        }
    }

    /// The census of the handshakes of a web server, and of its certificates.
    #[must_use]
    pub fn census(&self) -> &TlsCensus {
        &self.census
    }

    /// The certificate that a client gets that asks for `name`.
    #[must_use]
    pub fn certificate_for(&self, name: Option<&str>) -> Certificate {
        let certificates = self.certificates();
        certificates[chosen(&certificates, name)].clone()
    }

    /// No operation under the lock can leave it half changed.
    fn current(&self) -> Current {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.read();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        current.config.clone()
    }
}

impl Current {
    fn new(options: TlsOptions, keys: Option<TicketKeys>) -> Result<Self, TlsError> {
        let certificates: Arc<[Certificate]> = options.certificates.into();
        let resolver = Resolver::new(certificates.clone(), options.challenges.clone())?;
        let versions: &[_] = match options.minimal_version {
            MinimalVersion::Tls12 => &[&TLS13, &TLS12],
            MinimalVersion::Tls13 => &[&TLS13],
        };
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
        let context = context(&options.client_auth);
        let invalid = |error: VerifierBuilderError| TlsError::Options(error.to_string());
        let builder = match options.client_auth {
            ClientAuth::Off => builder.with_no_client_auth(),
            ClientAuth::Optional(roots) => {
                let verifier = verifier(&roots)?.allow_unauthenticated();
                builder.with_client_cert_verifier(verifier.build().map_err(invalid)?)
            }
            ClientAuth::Required(roots) => {
                let verifier = verifier(&roots)?;
                builder.with_client_cert_verifier(verifier.build().map_err(invalid)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        let challenge = options.challenges.map(|_| ChallengeCertificates::PROTOCOL);
        let protocols = options.protocols.into_iter();
        // The last one: a client that offers others too wants one of these.
        config.alpn_protocols = protocols
            .chain(challenge.map(str::to_owned))
            .map(String::into_bytes)
            .collect();
        // Tickets keep no state here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let current = Self {
            config: Arc::new(config),
            certificates,
            context,
            keys: None,
        };
        let current = current.with_tickets(keys);
        // Later sessions are made of the same options.
        UnbufferedServerConnection::new(current.config.clone())?;
        Ok(current)
    }

    fn with_tickets(self, keys: Option<TicketKeys>) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        match &keys {
            Some(keys) => {
                config.ticketer = Arc::new(Tickets {
                    keys: keys.clone(),
                    context: self.context.clone(),
                });
            }
            None => {
                config.ticketer = Arc::new(NoTickets);
                config.send_tls13_tickets = 0;
            }
        }
        Self {
            config: Arc::new(config),
            keys,
            ..self
        }
    }
}

/// What decides whether a session may be resumed: whether clients must show a certificate, and whom
/// it must be from. Otherwise a ticket from before a reload would do instead of a certificate.
fn context(client_auth: &ClientAuth) -> Vec<u8> {
    let (kind, roots) = match client_auth {
        ClientAuth::Off => (0, &[][..]),
        ClientAuth::Optional(roots) => (1, &roots[..]),
        ClientAuth::Required(roots) => (2, &roots[..]),
    };
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&[kind]);
    for der in roots.iter().flat_map(Certificate::chain) {
        // The length tells where one ends.
        hash.update(&(der.len() as u64).to_be_bytes());
        hash.update(der);
    }
    hash.finish().as_ref().to_vec()
}

fn verifier(roots: &[Certificate]) -> Result<rustls::server::ClientCertVerifierBuilder, TlsError> {
    let mut store = RootCertStore::empty();
    for root in roots.iter().flat_map(Certificate::chain) {
        store.add(CertificateDer::from(root.to_vec()))?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(
        Arc::new(store),
        provider(),
    ))
}

/// Makes no tickets, and accepts none.
#[derive(Debug)]
struct NoTickets;

impl rustls::server::ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
