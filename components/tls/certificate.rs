//! A certificate with its chain and its key, as it is read from files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::engine::check_pair;

mod ocsp;
mod x509;

use ocsp::Said;
use x509::Read;

/// A certificate with its chain and, for one's own, its key.
///
/// # Examples
///
/// ```
/// use kamea_components::tls::self_signed;
///
/// let certificate = self_signed(&["www.example", "*.test.example"])?;
/// assert!(certificate.covers("WWW.EXAMPLE"));
/// assert!(certificate.covers("a.test.example") && !certificate.covers("a.b.test.example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
    chain: Vec<Bytes>,
    key: Option<Bytes>,
    ocsp: Option<(Bytes, Said)>,
    read: Read,
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// A file does not contain what is expected.
    #[error("{}: no {expected} in PEM form: the file must have a line -----BEGIN {label}-----", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        expected: &'static str,
        /// How the PEM section is called.
        label: &'static str,
    },
    /// A certificate cannot be parsed (RFC 5280).
    #[error("the certificate is invalid: {0}")]
    Invalid(String),
    /// The key does not belong to the certificate.
    #[error("the key does not match the certificate: {0}")]
    Pair(String),
    /// The OCSP response is not for the certificate, or says that it is not good.
    #[error("the OCSP response cannot be used: {0}")]
    Ocsp(String),
    /// The key or the certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(String),
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is a secret.
        f.debug_struct("Certificate")
            .field("names", &self.0.read.names)
            .field("days_left", &self.days_left())
            .finish_non_exhaustive()
    }
}

/// Two are equal if their chains are.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain() == other.chain()
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads a certificate, its chain after it, and its key. Both may stand in one file. The key is
    /// checked to match: a pair may be read while another program is replacing it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] names the file and what is wrong.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain = read_chain(certificate)?;
        let bytes = read_file(key)?;
        let Some(key_der) = key_of(&bytes) else {
            return Err(CertificateError::Pem {
                path: key.to_owned(),
                expected: "private key",
                label: "PRIVATE KEY",
            });
        };
        Self::pair(chain, key_der)
    }

    /// Reads a certificate, its chain after it, and its key, in PEM form. The key is checked to
    /// match.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] says what is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::tls::{Certificate, self_signed};
    ///
    /// let made = self_signed(&["localhost"])?;
    /// let key = made.key_to_pem().unwrap_or_default();
    /// let read = Certificate::from_pem(made.to_pem().as_bytes(), key.as_bytes())?;
    /// assert_eq!(read.fingerprint(), made.fingerprint());
    /// assert!(Certificate::from_pem(b"", key.as_bytes()).is_err());
    /// # Ok::<(), kamea_components::tls::CertificateError>(())
    /// ```
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let wrong = |what: &str| CertificateError::Invalid(format!("no {what} in PEM form"));
        let chain = chain_of(chain).ok_or_else(|| wrong("certificate"))?;
        let key = key_of(key).ok_or_else(|| wrong("private key"))?;
        Self::pair(chain, key)
    }

    /// Reads the certificate of a challenge and its key, made by
    /// [`challenge_certificate`](crate::tls::challenge_certificate), from one file. They are not
    /// checked to match.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] says what is wrong.
    pub fn read_challenge(file: &Path) -> Result<Self, CertificateError> {
        let chain = read_chain(file)?;
        Self::new(chain, key_of(&read_file(file)?))
    }

    fn pair(chain: Vec<Bytes>, key: Bytes) -> Result<Self, CertificateError> {
        let certificate = Self::new(chain, Some(key))?;
        check_pair(&certificate)?;
        Ok(certificate)
    }

    /// Reads the certificates of authorities that sign those of peers.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] names the file and what is wrong.
    pub fn read_authorities(file: &Path) -> Result<Vec<Self>, CertificateError> {
        let authorities = read_chain(file)?.into_iter();
        authorities.map(|der| Self::new(vec![der], None)).collect()
    }

    /// A certificate from the DER forms of its chain, its own first, and of its key.
    ///
    /// # Errors
    ///
    /// If the certificate cannot be parsed.
    pub fn new(chain: Vec<Bytes>, key: Option<Bytes>) -> Result<Self, CertificateError> {
        let own = chain.first().map_or(&[][..], |own| own);
        let read = Read::of(own).map_err(CertificateError::Invalid)?;
        Ok(Self(Arc::new(Parts {
            chain,
            key,
            ocsp: None,
            read,
        })))
    }

    /// The same, with an OCSP response in DER form (RFC 6066 section 8). It is sent with the
    /// certificate for as long as it is current. Clients check its signature.
    ///
    /// # Errors
    ///
    /// If it is no OCSP response, is about another certificate, or says that this one is not good.
    pub fn with_ocsp(&self, response: Bytes) -> Result<Self, CertificateError> {
        let said = Said::of(&response, &self.0.read.serial).map_err(CertificateError::Ocsp)?;
        Ok(Self(Arc::new(Parts {
            chain: self.0.chain.clone(),
            key: self.0.key.clone(),
            ocsp: Some((response, said)),
            read: self.0.read.clone(),
        })))
    }

    /// The same, with the OCSP response in a file: see [`with_ocsp`](Self::with_ocsp).
    ///
    /// # Errors
    ///
    /// [`CertificateError`] says what is wrong.
    pub fn with_ocsp_file(&self, file: &Path) -> Result<Self, CertificateError> {
        self.with_ocsp(read_file(file)?.into())
    }

    /// The DER form of the certificate, and of those that signed it, in order.
    #[must_use]
    pub fn chain(&self) -> &[Bytes] {
        &self.0.chain
    }

    /// The DER form of its key.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    /// The OCSP response that is sent with it.
    #[must_use]
    pub fn ocsp(&self) -> Option<&[u8]> {
        self.0.ocsp.as_ref().map(|(response, _)| &response[..])
    }

    /// Whether its OCSP response is current at this time, in seconds since 1970. `true` if it has
    /// none.
    #[must_use]
    pub fn is_ocsp_current_at(&self, seconds: i64) -> bool {
        let said = self.0.ocsp.as_ref().map(|(_, said)| said);
        said.is_none_or(|said| said.is_current_at(seconds))
    }

    /// The names and addresses that it is for (RFC 5280 section 4.2.1.6).
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.read.names.to_vec()
    }

    /// Whether it is for this name or address, in any case; a wildcard stands for one label (RFC
    /// 9525 section 6.3).
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.0.read.names.cover(name)
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.read.issuer
    }

    /// Whom it is for, as a distinguished name.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.read.subject
    }

    /// Its serial number, in hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.read.serial
    }

    /// How its authority knows it, if it says so: the key identifier of the authority, and the
    /// serial number, each without its header in DER (RFC 9773 section 4.1).
    #[must_use]
    pub fn renewal_identifier(&self) -> Option<(&[u8], &[u8])> {
        let authority = self.0.read.authority_key.as_deref()?;
        Some((authority, &self.0.read.serial_der))
    }

    /// The end of its validity, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.0.read.not_after
    }

    /// The begin of its validity, in seconds since 1970.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.0.read.not_before
    }

    /// Whether it is valid at this time, in seconds since 1970.
    #[must_use]
    pub fn is_valid_at(&self, seconds: i64) -> bool {
        (self.0.read.not_before..=self.0.read.not_after).contains(&seconds)
    }

    /// How many days it is still valid; negative once it has expired.
    #[must_use]
    pub fn days_left(&self) -> i64 {
        let now = time::UtcDateTime::now().unix_timestamp();
        (self.0.read.not_after - now).div_euclid(24 * 60 * 60)
    }

    /// Its SHA-256 fingerprint, as pairs of hexadecimal digits with colons between them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        x509::fingerprint(self.0.chain.first().map_or(&[][..], |own| own))
    }

    /// The PEM form of the chain.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0
            .chain
            .iter()
            .map(|der| pem("CERTIFICATE", der))
            .collect()
    }

    /// The PEM form of the key; `None` if it has none. It is a secret.
    #[must_use]
    pub fn key_to_pem(&self) -> Option<String> {
        self.0.key.as_ref().map(|key| pem("PRIVATE KEY", key))
    }
}

/// A section of a PEM file (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use std::fmt::Write as _;

    let encoded = BASE64_STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        // Base64 is ASCII, and writing to a string succeeds.
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::File {
        path: path.to_owned(),
        error,
    })
}

fn read_chain(path: &Path) -> Result<Vec<Bytes>, CertificateError> {
    chain_of(&read_file(path)?).ok_or_else(|| CertificateError::Pem {
        path: path.to_owned(),
        expected: "certificate",
        label: "CERTIFICATE",
    })
}

/// The certificates in a text in PEM form; `None` if there are none, or one cannot be decoded.
fn chain_of(pem: &[u8]) -> Option<Vec<Bytes>> {
    let found = CertificateDer::pem_slice_iter(pem);
    let found: Result<Vec<_>, _> = found
        .map(|der| der.map(|der| Bytes::from(der.to_vec())))
        .collect();
    found.ok().filter(|found| !found.is_empty())
}

/// The first key in a text in PEM form.
fn key_of(pem: &[u8]) -> Option<Bytes> {
    let key = PrivateKeyDer::pem_slice_iter(pem).next()?.ok()?;
    Some(key.secret_der().to_vec().into())
}
