//! The certificates that settings name, read from their files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::TlsSettings;
use super::own_certificate::own_certificate;
use crate::tls::{Certificate, CertificateError, ServerTls};

/// What distinguishes a file from its successor; `None` if there is no file.
pub type FileIdentity = Option<(u64, u64, i64, i64)>;

impl TlsSettings {
    /// Reads the certificates, in order. The one that this machine signs itself is made if there is
    /// none yet, and is kept.
    ///
    /// # Errors
    ///
    /// A line that names the file, and what is wrong.
    pub fn read_certificates(&self) -> Result<Vec<Certificate>, String> {
        if self.self_signed {
            return Ok(vec![own_certificate()?]);
        }
        // A file may have both.
        let keys = self.keys.iter().chain(&self.certificates);
        let pairs = self.certificates.iter().zip(keys);
        let read = |(index, (certificate, key)): (usize, (&PathBuf, &PathBuf))| {
            read(certificate, key, self.ocsp.get(index))
        };
        pairs.enumerate().map(read).collect()
    }

    /// The files that are named, whether they exist or not.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.certificates.iter().chain(&self.keys);
        let files = files.chain(&self.ocsp).chain(&self.client_ca);
        files.cloned().collect()
    }

    /// What the files are now: other programs renew them.
    #[must_use]
    pub fn identities(&self) -> Vec<FileIdentity> {
        Self::identities_of(&self.files())
    }

    /// What some files are now.
    #[must_use]
    pub fn identities_of(files: &[PathBuf]) -> Vec<FileIdentity> {
        files.iter().map(|file| identity_of(file)).collect()
    }

    /// Reads the files again, and uses what they have now for new connections.
    ///
    /// # Errors
    ///
    /// A line that names the file, and what is wrong; everything then stays as it was.
    pub(super) fn reload(&self, tls: &ServerTls) -> Result<(), String> {
        let options = self.tls_options(self.read_certificates()?)?;
        tls.replace(options).map_err(|error| error.to_string())
    }
}

/// What distinguishes a file from its successor.
fn identity_of(path: &Path) -> FileIdentity {
    let metadata = fs::metadata(path).ok()?;
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Some((metadata.ino(), metadata.size(), seconds, nanoseconds))
}

fn read(certificate: &Path, key: &Path, ocsp: Option<&PathBuf>) -> Result<Certificate, String> {
    let both = |other: &Path, error: CertificateError| {
        format!(
            "{} with {}: {error}",
            certificate.display(),
            other.display()
        )
    };
    let read = Certificate::read(certificate, key).map_err(|error| match error {
        CertificateError::Pair(_) | CertificateError::Invalid(_) => both(key, error),
        error => error.to_string(),
    })?;
    let Some(file) = ocsp else { return Ok(read) };
    read.with_ocsp_file(file).map_err(|error| match error {
        CertificateError::Ocsp(_) => both(file, error),
        error => error.to_string(),
    })
}
