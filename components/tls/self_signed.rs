//! A certificate that signs itself, for a laptop or a test.

use bytes::Bytes;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use super::{Certificate, CertificateError};

/// How long it is valid. Mozilla's recommendations and some browsers refuse longer ones.
const DAYS: i64 = 365;

/// Makes a certificate with an ECDSA P-256 key for these names and addresses, signed by itself:
/// clients do not trust it until somebody tells them to. It is valid for 365 days.
///
/// # Errors
///
/// If a name is not a name of the DNS.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::self_signed;
///
/// let certificate = self_signed(&["localhost", "127.0.0.1"])?;
/// assert!(certificate.covers("localhost") && certificate.covers("127.0.0.1"));
/// assert_eq!(certificate.days_left(), 364);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn self_signed(names: &[&str]) -> Result<Certificate, CertificateError> {
    let now = OffsetDateTime::now_utc();
    // A clock that is a little slow must not refuse it.
    let begin = now - Duration::hours(1);
    made_for(names, begin, begin + Duration::days(DAYS))
}

/// The same with a validity of its own.
pub(super) fn made_for(
    names: &[&str],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> Result<Certificate, CertificateError> {
    let wrong = |error: rcgen::Error| CertificateError::Make(error.to_string());
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut subject = DistinguishedName::new();
    let first = names.first().map_or("localhost", String::as_str);
    subject.push(DnType::CommonName, first);
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params.distinguished_name = subject;
    params.not_before = not_before;
    params.not_after = not_after;
    // Some clients want it although the issuer is itself.
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Certificate::new(
        vec![Bytes::copy_from_slice(certificate.der())],
        Some(key.serialize_der().into()),
    )
}
