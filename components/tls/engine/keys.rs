//! Certificates and their keys, in the form that rustls uses.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{TlsError, provider};
use crate::tls::{Certificate, CertificateError};

/// The certificate and its key, checked to match.
pub(super) fn certified_key(certificate: &Certificate) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = chain_and_key(certificate)?;
    let mut certified = CertifiedKey::from_der(chain, key, &provider())?;
    certified.ocsp = certificate.ocsp().map(<[u8]>::to_vec);
    Ok(Arc::new(certified))
}

/// The certificate of a challenge and its key. They are not checked to match: that check refuses
/// the extension that makes it one, because it is critical (RFC 8737 section 3).
pub(super) fn challenge_key(certificate: &Certificate) -> Result<Arc<CertifiedKey>, TlsError> {
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
