//! What the user of a server should know about its certificates.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use log::Level;

use super::{TlsSettings, own_certificate_folder};
use crate::tls::{Certificate, ServerTls};

/// When a certificate is about to expire, in days.
pub(super) const SOON: i64 = 14;

/// A line about the certificates of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsNote {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub text: String,
}

impl fmt::Display for TlsNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TlsNote {
    /// Makes a note of what is in order.
    #[must_use]
    pub fn info(text: String) -> Self {
        let level = Level::Info;
        Self { level, text }
    }

    /// Makes a warning.
    #[must_use]
    pub fn warning(text: &str) -> Self {
        Self {
            level: Level::Warn,
            text: format!("warning: {text}"),
        }
    }

    /// Says of a certificate whom it is for, and for how long.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Vec<Self> {
        let now = time::UtcDateTime::now().unix_timestamp();
        let names = certificate.names().join(", ");
        let mut notes = vec![match certificate.days_left() {
            days if days < 0 => Self::warning(&format!(
                "the certificate for {names} has expired {} days ago",
                -days
            )),
            days if days < SOON => Self::warning(&format!(
                "the certificate for {names} expires in {days} days"
            )),
            days => Self::info(format!(
                "TLS: certificate for {names}, by {}, {days} days left",
                certificate.issuer()
            )),
        }];
        if !certificate.is_ocsp_current_at(now) {
            notes.push(Self::warning(&format!(
                "the OCSP response for {names} is out of date, and is not sent"
            )));
        }
        notes
    }
}

impl TlsSettings {
    /// What the user of the server should know about its certificates and its keys.
    #[must_use]
    pub fn notes(&self, server: &ServerTls) -> Vec<TlsNote> {
        let certificates = server.certificates();
        let notes = certificates.iter().flat_map(TlsNote::of);
        notes.chain(self.notes_on_files(server)).collect()
    }

    /// The same without the certificates themselves.
    #[must_use]
    pub fn notes_on_files(&self, server: &ServerTls) -> Vec<TlsNote> {
        let readable = self.keys.iter().filter(|key| is_readable_by_others(key));
        let warning = |key: &PathBuf| {
            TlsNote::warning(&format!(
                "every user of this machine can read the key {}: chmod 600 it",
                key.display()
            ))
        };
        let mut notes: Vec<_> = readable.map(warning).collect();
        if self.self_signed {
            notes.extend(notes_on_own(server));
        }
        notes
    }
}

fn is_readable_by_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// What a self-signed certificate is known by, and how a client is told to trust it. It matters as
/// much as a warning does: without it nobody can use the server.
fn notes_on_own(server: &ServerTls) -> Vec<TlsNote> {
    let certificates = server.certificates();
    let fingerprint = certificates.first().map(Certificate::fingerprint);
    let mut lines: Vec<_> = fingerprint
        .map(|fingerprint| format!("Fingerprint (SHA-256): {fingerprint}"))
        .into_iter()
        .collect();
    if let Some(folder) = own_certificate_folder() {
        let file = folder.join("certificate.pem");
        lines.push(format!(
            "To trust it: curl --cacert {0}, or as root: cp {0} \
             /usr/local/share/ca-certificates/spidey.crt && update-ca-certificates",
            file.display()
        ));
    }
    let level = Level::Warn;
    let notes = lines.into_iter().map(|text| TlsNote { level, text });
    notes.collect()
}
