//! How a server speaks TLS.

use std::cell::Cell;
use std::sync::Arc;

use ring::digest;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, UnbufferedServerConnection,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::challenge::{ChallengeCertificates, is_challenge};
use super::tickets::Tickets;
use super::{TicketKeys, TlsError, provider};
use crate::tls::{Certificate, CertificateError, TlsCensus};

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
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certificates: Arc<[Certificate]>,
    tickets: Arc<Tickets>,
    census: TlsCensus,
}

impl ServerTls {
    /// Prepares the options.
    ///
    /// # Errors
    ///
    /// If there is no certificate, or a key does not match its certificate.
    pub fn new(options: TlsOptions) -> Result<Self, TlsError> {
        let certificates: Arc<[Certificate]> = options.certificates.into();
        let keys = certificates.iter().map(|certificate| {
            let key = certified_key(certificate)?;
            let mut bare = CertifiedKey::clone(&key);
            bare.ocsp = None;
            Ok((key, Arc::new(bare)))
        });
        let resolver = Resolver {
            certificates: certificates.clone(),
            keys: keys.collect::<Result<_, TlsError>>()?,
            challenges: options.challenges.clone(),
        };
        if resolver.keys.is_empty() {
            return Err(TlsError::Options("TLS needs a certificate".to_owned()));
        }
        let versions: &[_] = match options.minimal_version {
            MinimalVersion::Tls12 => &[&TLS13, &TLS12],
            MinimalVersion::Tls13 => &[&TLS13],
        };
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
        let context = context(&options.client_auth);
        let builder = match options.client_auth {
            ClientAuth::Off => builder.with_no_client_auth(),
            ClientAuth::Optional(roots) => builder.with_client_cert_verifier(
                verifier(&roots)?
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| TlsError::Options(error.to_string()))?,
            ),
            ClientAuth::Required(roots) => builder.with_client_cert_verifier(
                verifier(&roots)?
                    .build()
                    .map_err(|error| TlsError::Options(error.to_string()))?,
            ),
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
        let keys = TicketKeys::new()?;
        let tickets = Arc::new(Tickets { keys, context });
        config.ticketer = tickets.clone();
        let config = Arc::new(config);
        // Later sessions are made of the same options.
        UnbufferedServerConnection::new(config.clone())?;
        Ok(Self {
            config,
            certificates,
            tickets,
            census: TlsCensus::default(),
        })
    }

    /// The same, with the ticket keys of `other`: clients of both can resume their sessions after a
    /// reload, unless it has changed which certificates they must show.
    #[must_use]
    pub fn with_tickets_of(self, other: &Self) -> Self {
        self.with_ticket_keys(&other.tickets.keys)
    }

    /// The same, with these ticket keys.
    #[must_use]
    pub fn with_ticket_keys(mut self, keys: &TicketKeys) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        self.tickets = Arc::new(Tickets {
            keys: keys.clone(),
            context: self.tickets.context.clone(),
        });
        config.ticketer = self.tickets.clone();
        self.config = Arc::new(config);
        self
    }

    /// Without session tickets: every handshake is a full one.
    #[must_use]
    pub fn without_tickets(mut self) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.ticketer = Arc::new(NoTickets);
        config.send_tls13_tickets = 0;
        self.config = Arc::new(config);
        self
    }

    /// The certificates, in order.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
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
    pub fn certificate_for(&self, name: Option<&str>) -> &Certificate {
        &self.certificates[chosen(&self.certificates, name)]
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
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

/// The certificate and its key, checked to match.
pub(super) fn certified_key(certificate: &Certificate) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = chain_and_key(certificate)?;
    let mut certified = CertifiedKey::from_der(chain, key, &provider())?;
    certified.ocsp = certificate.ocsp().map(<[u8]>::to_vec);
    Ok(Arc::new(certified))
}

/// The certificate of a challenge and its key. They are not checked to match: that check refuses
/// the extension that makes it one, because it is critical (RFC 8737 section 3).
fn challenge_key(certificate: &Certificate) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = chain_and_key(certificate)?;
    let key = provider().key_provider.load_private_key(key)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn chain_and_key(
    certificate: &Certificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificate.chain().iter();
    let chain = chain.map(|der| CertificateDer::from(der.to_vec()));
    let Some(key) = certificate.key() else {
        return Err(TlsError::Options("a certificate has no key".to_owned()));
    };
    let key = PrivateKeyDer::try_from(key.to_vec())
        .map_err(|error| TlsError::Options(error.to_owned()))?;
    Ok((chain.collect(), key))
}

/// Checks that a key belongs to its certificate.
pub(in crate::tls) fn check_pair(certificate: &Certificate) -> Result<(), CertificateError> {
    match certified_key(certificate) {
        Ok(_) => Ok(()),
        Err(error) => Err(CertificateError::Pair(error.to_string())),
    }
}

/// Chooses the certificate for a name. Its dates are checked at each use, and not by a timer: a
/// valid one is preferred.
#[derive(Debug)]
struct Resolver {
    certificates: Arc<[Certificate]>,
    /// Each with its OCSP response, and without it.
    keys: Vec<(Arc<CertifiedKey>, Arc<CertifiedKey>)>,
    challenges: Option<ChallengeCertificates>,
}

thread_local! {
    /// The name in the hello that this thread processes: rustls shows it to the resolver alone.
    static ASKED_NAME: Cell<Option<String>> = const { Cell::new(None) };
}

/// Takes the name that the last client hello on this thread had.
pub(super) fn take_asked_name() -> Option<String> {
    ASKED_NAME.take()
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED_NAME.set(hello.server_name().map(str::to_owned));
        if let Some(challenges) = &self.challenges
            && is_challenge(&hello)
        {
            let found = challenges.find(hello.server_name()?)?;
            return challenge_key(&found).ok();
        }
        let index = chosen(&self.certificates, hello.server_name());
        let (key, bare) = self.keys.get(index)?;
        // Clients refuse a response that is out of date; most do without one.
        let is_current = self.certificates[index].is_ocsp_current_at(now());
        Some(if is_current { key } else { bare }.clone())
    }
}

/// The index of the certificate for a name: the first valid one that covers it, then the first one
/// that covers it, then the first one.
fn chosen(certificates: &[Certificate], name: Option<&str>) -> usize {
    let Some(name) = name else { return 0 };
    let now = now();
    let covers = |certificate: &&Certificate| certificate.covers(name);
    let covering = || certificates.iter().enumerate().filter(|(_, it)| covers(it));
    covering()
        .find(|(_, certificate)| certificate.is_valid_at(now))
        .or_else(|| covering().next())
        .map_or(0, |(index, _)| index)
}

/// In seconds since 1970.
fn now() -> i64 {
    time::UtcDateTime::now().unix_timestamp()
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
