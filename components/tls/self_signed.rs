//! A certificate that signs itself: for a laptop, for a test, or for a challenge of an authority.

use bytes::Bytes;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
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
    let params = params_for(names, not_before, not_after)?;
    signed_by_itself(&params)
}

/// A certificate that shows an authority that `name` leads to this server: it has the SHA-256
/// digest of the answer to a challenge of the kind `tls-alpn-01` (RFC 8737 section 3).
///
/// # Errors
///
/// If the name is not a name of the DNS, or the digest has not 32 bytes.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::challenge_certificate;
///
/// let certificate = challenge_certificate("example.org", &[7; 32])?;
/// assert_eq!(certificate.names(), ["example.org"]);
/// assert!(challenge_certificate("example.org", &[7; 31]).is_err());
/// # Ok::<(), kamea_components::tls::CertificateError>(())
/// ```
pub fn challenge_certificate(name: &str, digest: &[u8]) -> Result<Certificate, CertificateError> {
    if digest.len() != 32 {
        let why = "a SHA-256 digest has 32 bytes".to_owned();
        return Err(CertificateError::Make(why));
    }
    let now = OffsetDateTime::now_utc();
    let (begin, end) = (now - Duration::hours(1), now + Duration::days(1));
    let mut params = params_for(&[name], begin, end)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    signed_by_itself(&params)
}

fn made_wrong(error: rcgen::Error) -> CertificateError {
    CertificateError::Make(error.to_string())
}

fn params_for(
    names: &[&str],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> Result<CertificateParams, CertificateError> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut subject = DistinguishedName::new();
    let first = names.first().map_or("localhost", String::as_str);
    subject.push(DnType::CommonName, first);
    let mut params = CertificateParams::new(names).map_err(made_wrong)?;
    params.distinguished_name = subject;
    params.not_before = not_before;
    params.not_after = not_after;
    // Some clients want it although the issuer is itself.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn signed_by_itself(params: &CertificateParams) -> Result<Certificate, CertificateError> {
    let key = KeyPair::generate().map_err(made_wrong)?;
    let certificate = params.self_signed(&key).map_err(made_wrong)?;
    Certificate::new(
        vec![Bytes::copy_from_slice(certificate.der())],
        Some(key.serialize_der().into()),
    )
}
