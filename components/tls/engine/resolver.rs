//! Which certificate a client gets.

use std::cell::Cell;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsError;
use super::challenge::{ChallengeCertificates, is_challenge};
use super::keys::{certified_key, challenge_key};
use crate::tls::Certificate;

/// Chooses the certificate for a name. Its dates are checked at each use, and not by a timer: a
/// valid one is preferred.
#[derive(Debug)]
pub(super) struct Resolver {
    certificates: Arc<[Certificate]>,
    /// Each with its OCSP response, and without it.
    keys: Vec<(Arc<CertifiedKey>, Arc<CertifiedKey>)>,
    challenges: Option<ChallengeCertificates>,
}

/// What the resolver has chosen: rustls shows the hello to it alone.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The name in the hello.
    pub(super) name: Option<String>,
    /// The certificate; `None` if that is the one of a challenge.
    pub(super) certificate: Option<Certificate>,
}

thread_local! {
    /// For the hello that this thread processes.
    static CHOSEN: Cell<Option<Chosen>> = const { Cell::new(None) };
}

/// Takes what was chosen for the last client hello on this thread.
pub(super) fn take_chosen() -> Option<Chosen> {
    CHOSEN.take()
}

impl Resolver {
    pub(super) fn new(
        certificates: Arc<[Certificate]>,
        challenges: Option<ChallengeCertificates>,
    ) -> Result<Self, TlsError> {
        let keys = certificates.iter().map(|certificate| {
            let key = certified_key(certificate)?;
            let mut bare = CertifiedKey::clone(&key);
            bare.ocsp = None;
            Ok((key, Arc::new(bare)))
        });
        let keys: Vec<_> = keys.collect::<Result<_, TlsError>>()?;
        if keys.is_empty() {
            return Err(TlsError::Options("TLS needs a certificate".to_owned()));
        }
        Ok(Self {
            certificates,
            keys,
            challenges,
        })
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        if let Some(challenges) = &self.challenges
            && is_challenge(&hello)
        {
            let certificate = None;
            CHOSEN.set(Some(Chosen { name, certificate }));
            let found = challenges.find(hello.server_name()?)?;
            return challenge_key(&found).ok();
        }
        let index = chosen(&self.certificates, hello.server_name());
        let certificate = self.certificates.get(index);
        CHOSEN.set(Some(Chosen {
            name,
            certificate: certificate.cloned(),
        }));
        let (key, bare) = self.keys.get(index)?;
        // Clients refuse a response that is out of date; most do without one.
        let is_current = certificate?.is_ocsp_current_at(now());
        Some(if is_current { key } else { bare }.clone())
    }
}

/// The index of the certificate for a name: the first valid one that covers it, then the first one
/// that covers it, then the first one.
pub(super) fn chosen(certificates: &[Certificate], name: Option<&str>) -> usize {
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
