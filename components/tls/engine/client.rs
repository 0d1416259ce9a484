//! How a client speaks TLS.

use std::sync::Arc;

use bytes::Bytes;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::keys::certified_key;
use super::{TlsError, provider};
use crate::tls::Certificate;

/// How a client speaks TLS: whom it trusts, and who it says it is.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::{ClientTls, self_signed};
///
/// let own = self_signed(&["localhost"])?;
/// let tls = ClientTls::trusting(&own)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts the servers whose certificate this one has signed; it may be the server's own.
    ///
    /// # Errors
    ///
    /// If the certificate cannot be used as a root.
    pub fn trusting(certificate: &Certificate) -> Result<Self, TlsError> {
        Self::trusting_all([certificate])
    }

    /// Trusts the servers whose certificate one of these has signed.
    ///
    /// # Errors
    ///
    /// If one of the certificates cannot be used as a root.
    pub fn trusting_all<'a>(
        certificates: impl IntoIterator<Item = &'a Certificate>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            for der in certificate.chain() {
                roots.add(CertificateDer::from(der.to_vec()))?;
            }
        }
        Self::with_roots(roots)
    }

    fn with_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::of(config))
    }

    /// Trusts the servers whose certificate one of these authorities has signed, as DER: those that
    /// the system trusts, for example. What cannot be used is left out.
    ///
    /// # Errors
    ///
    /// If none of them can be used.
    pub fn trusting_roots(roots: impl IntoIterator<Item = Bytes>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        let roots = roots.into_iter();
        store.add_parsable_certificates(roots.map(|der| CertificateDer::from(der.to_vec())));
        if store.is_empty() {
            return Err(TlsError::Options("there is no authority to trust".into()));
        }
        Self::with_roots(store)
    }

    /// Trusts the servers whose certificate an authority of the system has signed: those of the
    /// files that the package `ca-certificates` installs, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    ///
    /// # Errors
    ///
    /// If the system has none.
    pub fn trusting_system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let roots = found.certs.iter().map(|der| Bytes::copy_from_slice(der));
        Self::trusting_roots(roots).map_err(|_| {
            let why = found.errors.first().map(|error| format!(": {error}"));
            let why = why.unwrap_or_default();
            TlsError::Options(format!("the system has no certificates to trust{why}"))
        })
    }

    /// Trusts every server, also an unknown one: for tests and measurements alone.
    ///
    /// # Errors
    ///
    /// None that a caller can cause.
    pub fn trusting_anyone() -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        Ok(Self::of(config))
    }

    fn of(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// Offers these application protocols (RFC 7301), the preferred one first.
    #[must_use]
    pub fn protocols(&self, protocols: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        Self::of(config)
    }

    /// Shows this certificate to servers that ask for one.
    ///
    /// # Errors
    ///
    /// If the certificate has no key, or the key does not match.
    pub fn identity(&self, certificate: &Certificate) -> Result<Self, TlsError> {
        let mut config = ClientConfig::clone(&self.config);
        let key = certified_key(certificate)?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key));
        Ok(Self::of(config))
    }

    /// Makes a full handshake for each connection: no session is resumed.
    #[must_use]
    pub fn without_resumption(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::disabled();
        Self::of(config)
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }
}

/// Two are equal if one is a clone of the other.
impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for ClientTls {}

/// Checks no certificate. Signatures of the handshake are checked nevertheless.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
