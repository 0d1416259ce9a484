//! TLS: what the options say about it, and the certificates that they name.

use std::env;
use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use kamea_components::server::Tls;
use kamea_components::tls::{
    Certificate, CertificateError, ClientAuth, MinimalVersion, ServerTls, TicketKeys, TlsCensus,
    TlsOptions, self_signed,
};

use rustix::fs::{Access, access};

use super::acme::is_placeholder;
use super::mode::Placement;
use super::options::Options;

/// When a certificate is about to expire, in days.
const SOON: i64 = 14;

/// The keys of session tickets: all servers of this process have them, and in mode forking those of
/// its processes too, so that clients can resume their sessions there and after a reload.
static TICKETS: OnceLock<TicketKeys> = OnceLock::new();

/// What all servers of this process count in: a reload replaces the server.
static CENSUS: LazyLock<TlsCensus> = LazyLock::new(TlsCensus::default);

/// The census of handshakes and certificates.
pub(crate) fn tls_census() -> TlsCensus {
    CENSUS.clone()
}

/// The keys of session tickets.
///
/// # Errors
///
/// If the system has no random numbers.
pub(crate) fn ticket_keys() -> Result<TicketKeys, String> {
    let keys = TicketKeys::new().map_err(|error| error.to_string())?;
    Ok(TICKETS.get_or_init(|| keys).clone())
}

/// In a process of mode forking: notes the keys of its server.
pub(crate) fn have_ticket_keys(keys: TicketKeys) {
    // They come once, before anything is served.
    let _ = TICKETS.set(keys);
}

/// The port of https that the system has chosen, for `--tls-port 0`.
static CHOSEN: OnceLock<u16> = OnceLock::new();

/// Notes the ports of https that were bound.
pub(crate) fn note_bound(secure: &[SocketAddr]) {
    if let Some(address) = secure.first() {
        // The addresses are bound once.
        let _ = CHOSEN.set(address.port());
    }
}

impl Options {
    /// Whether anything is served over TLS.
    pub(crate) fn has_tls(&self) -> bool {
        !self.tls_cert.is_empty() || self.tls_self_signed || self.has_acme()
    }

    /// The port of https, if http has another one.
    fn secure_port(&self) -> Option<u16> {
        let usual = self.has_usual_ports().then_some(443);
        self.tls_port.or(usual)
    }

    /// The addresses without TLS, and those with it.
    pub(crate) fn addresses_by_security(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let addresses = self.addresses();
        match (self.has_tls(), self.secure_port()) {
            (false, _) => (addresses, Vec::new()),
            (true, None) => (Vec::new(), addresses),
            (true, Some(port)) => {
                let secure = addresses.iter();
                let secure = secure.map(|address| SocketAddr::new(address.ip(), port));
                let secure = secure.collect();
                (addresses, secure)
            }
        }
    }

    /// How TLS is spoken, if it is. Reads the certificates.
    ///
    /// # Errors
    ///
    /// A line that names the option or the file, and what is wrong.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, String> {
        if !self.has_tls() {
            return self.without_tls().map_or(Ok(None), Err);
        }
        if self.redirect_http && self.secure_port().is_none() {
            return Err(
                "--redirect-http needs --tls-port: the port that requests are redirected to".into(),
            );
        }
        if self.tls_port == Some(0) && self.placement() == Placement::Forking {
            return Err("in mode forking, --tls-port must name a port, not 0".into());
        }
        let port = match self.secure_port() {
            Some(0) => CHOSEN.get().copied(),
            port => port,
        };
        let mut options = TlsOptions::new(self.certificates()?);
        if let Some(file) = &self.tls_client_ca {
            let authorities =
                Certificate::read_authorities(file).map_err(|error| error.to_string())?;
            options.client_auth = match self.tls_client_optional {
                true => ClientAuth::Optional(authorities),
                false => ClientAuth::Required(authorities),
            };
        }
        if self.tls_min == Some(Version::Tls13) {
            options.minimal_version = MinimalVersion::Tls13;
        }
        options.challenges = self.acme_challenge_certificates();
        let server = ServerTls::new(options).map_err(|error| error.to_string())?;
        let server = server.with_ticket_keys(&ticket_keys()?);
        let mut tls = Tls::new(server.counted_by(&CENSUS));
        tls.strict_transport = self.hsts.map(|age| Duration::from_secs(age.into()));
        tls.port = port;
        tls.redirect = port.filter(|_| self.redirect_http || self.has_usual_ports());
        Ok(Some(tls))
    }

    /// What is wrong if options of TLS are given, and no certificate.
    fn without_tls(&self) -> Option<String> {
        let given = [
            ("--tls-key", !self.tls_key.is_empty()),
            ("--tls-port", self.tls_port.is_some()),
            ("--tls-ocsp", !self.tls_ocsp.is_empty()),
            ("--tls-client-ca", self.tls_client_ca.is_some()),
            ("--tls-client-optional", self.tls_client_optional),
            ("--tls-min", self.tls_min.is_some()),
            ("--redirect-http", self.redirect_http),
            ("--hsts", self.hsts.is_some()),
        ];
        let (name, _) = given.into_iter().find(|(_, is_given)| *is_given)?;
        Some(format!(
            "{name} needs a certificate: --tls-cert FILE --tls-key FILE, --tls-self-signed, or --acme NAME"
        ))
    }

    /// The certificates, in order.
    fn certificates(&self) -> Result<Vec<Certificate>, String> {
        if self.tls_self_signed {
            return Ok(vec![own_certificate()?]);
        }
        if self.has_acme() {
            return self.acme_certificates();
        }
        let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
        if keys != 0 && keys != certificates {
            return Err(format!(
                "each --tls-cert needs its --tls-key, in the same order: there are {certificates} \
                 certificates and {keys} keys"
            ));
        }
        // A file may have both.
        let keys = self.tls_key.iter().chain(&self.tls_cert);
        let responses = self.tls_ocsp.len();
        if responses > certificates {
            return Err(format!(
                "each --tls-ocsp is for a --tls-cert, in the same order: there are {certificates} \
                 certificates and {responses} OCSP responses"
            ));
        }
        let pairs = self.tls_cert.iter().zip(keys);
        let read = |(index, (certificate, key)): (usize, (&PathBuf, &PathBuf))| {
            let read = Certificate::read(certificate, key);
            let read = read.map_err(|error| match error {
                CertificateError::Pair(_) | CertificateError::Invalid(_) => {
                    format!("{} with {}: {error}", certificate.display(), key.display())
                }
                error => error.to_string(),
            })?;
            let Some(file) = self.tls_ocsp.get(index) else {
                return Ok(read);
            };
            read.with_ocsp_file(file).map_err(|error| match error {
                CertificateError::Ocsp(_) => {
                    format!("{} with {}: {error}", certificate.display(), file.display())
                }
                error => error.to_string(),
            })
        };
        pairs.enumerate().map(read).collect()
    }

    /// The files of certificates and keys.
    pub(crate) fn tls_files(&self) -> Vec<PathBuf> {
        let files = self.tls_cert.iter().chain(&self.tls_key);
        let files = files.chain(&self.tls_ocsp);
        let files = files.chain(&self.tls_client_ca).cloned();
        files.chain(self.acme_files()).collect()
    }

    /// What the files of certificates and keys are now: other programs renew them.
    pub(crate) fn tls_identities(&self) -> Vec<Identity> {
        let files = self.tls_files();
        files.iter().map(|file| identity(file)).collect()
    }

    /// Checks that the server can read its certificates again, once it runs as another user.
    /// Returns a line for each that it cannot.
    ///
    /// # Errors
    ///
    /// In mode forking each process reads them: then nothing could be served.
    pub(crate) fn check_tls_files(&self) -> Result<Vec<String>, String> {
        let files = self.tls_files().into_iter();
        // Those of ACME are made later.
        let files = files.filter(|file| !self.has_acme() || file.exists());
        let unreadable = files.filter(|file| access(file, Access::READ_OK).is_err());
        let lines = unreadable.map(|file| {
            format!(
                "the user of --user cannot read {}: its renewal is not noticed, and reloads fail",
                file.display()
            )
        });
        let lines: Vec<_> = lines.collect();
        match lines.first() {
            Some(line) if self.placement() == Placement::Forking => Err(line.clone()),
            _ => Ok(lines
                .iter()
                .map(|line| format!("warning: {line}"))
                .collect()),
        }
    }

    /// What the user of the server should know about its certificates.
    pub(crate) fn tls_in_force(&self, tls: &Tls) -> Vec<String> {
        let mut lines = self.acme_in_force(tls);
        let now = time::UtcDateTime::now().unix_timestamp();
        let certificates = tls.server.certificates().iter();
        let is_shown = |it: &&Certificate| !(self.has_acme() && is_placeholder(it));
        for certificate in certificates.filter(is_shown) {
            let names = certificate.names().join(", ");
            lines.push(match certificate.days_left() {
                days if days < 0 => format!(
                    "warning: the certificate for {names} has expired {} days ago",
                    -days
                ),
                days if days < SOON => {
                    format!("warning: the certificate for {names} expires in {days} days")
                }
                days => format!(
                    "TLS: certificate for {names}, by {}, {days} days left",
                    certificate.issuer()
                ),
            });
            if !certificate.is_ocsp_current_at(now) {
                lines.push(format!(
                    "warning: the OCSP response for {names} is out of date, and is not sent"
                ));
            }
        }
        for key in self.tls_key.iter().filter(|key| is_readable_by_others(key)) {
            lines.push(format!(
                "warning: every user of this machine can read the key {}: chmod 600 it",
                key.display()
            ));
        }
        if self.tls_self_signed {
            lines.extend(self_signed_lines(tls));
        }
        lines
    }
}

/// The lowest version that is spoken: the value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Version {
    /// TLS 1.2 and 1.3
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3 alone
    #[value(name = "1.3")]
    Tls13,
}

fn is_readable_by_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// What a self-signed certificate is known by, and how a client is told to trust it.
fn self_signed_lines(tls: &Tls) -> Vec<String> {
    let Some(certificate) = tls.server.certificates().first() else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "Fingerprint (SHA-256): {}",
        certificate.fingerprint()
    )];
    if let Some(folder) = own_folder() {
        let file = folder.join("certificate.pem");
        lines.push(format!(
            "To trust it: curl --cacert {0}, or as root: cp {0} \
             /usr/local/share/ca-certificates/spidey.crt && update-ca-certificates",
            file.display()
        ));
    }
    lines
}

/// The folder of the self-signed certificate.
pub(super) fn own_folder() -> Option<PathBuf> {
    let data = env::var_os("XDG_DATA_HOME").filter(|folder| !folder.is_empty());
    let data = data.map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        home.map(|home| Path::new(&home).join(".local/share"))
    });
    Some(data?.join("spidey"))
}

/// The certificate that was made at an earlier start, if it is still good for the names of this
/// machine; otherwise a new one, which is kept.
fn own_certificate() -> Result<Certificate, String> {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().to_lowercase();
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    if !host.is_empty() && host != "localhost" {
        names.push(&host);
    }
    let local = super::urls::local_address().map(|address| address.to_string());
    names.extend(local.as_deref());
    let kept = own_folder();
    if let Some(folder) = &kept {
        let read = Certificate::read(&folder.join("certificate.pem"), &folder.join("key.pem"));
        if let Ok(certificate) = read
            && certificate.days_left() > SOON
            && names.iter().all(|name| certificate.covers(name))
        {
            return Ok(certificate);
        }
    }
    let certificate = self_signed(&names).map_err(|error| error.to_string())?;
    if let Some(folder) = kept
        && let Err(error) = keep(&folder, &certificate)
    {
        let line = format!(
            "warning: the certificate cannot be kept in {}, and the next start makes another one: \
             {error}\n",
            folder.display()
        );
        // Who cannot read it cannot be helped.
        let _ = io::stderr().write_all(line.as_bytes());
    }
    Ok(certificate)
}

fn keep(folder: &Path, certificate: &Certificate) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let key = certificate.key_to_pem().unwrap_or_default();
    for (name, mode, text) in [
        ("key.pem", 0o600, key),
        ("certificate.pem", 0o644, certificate.to_pem()),
    ] {
        let path = folder.join(name);
        let new = folder.join(format!("{name}.new"));
        // Its rights are those of a new file.
        let _ = fs::remove_file(&new);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
    }
    Ok(())
}

/// What tells a file from its successor.
pub(crate) type Identity = Option<(u64, u64, i64, i64)>;

fn identity(path: &Path) -> Identity {
    let metadata: Metadata = fs::metadata(path).ok()?;
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Some((metadata.ino(), metadata.size(), seconds, nanoseconds))
}
