//! TLS: what the options say about it, and the certificates that they name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use kamea_components::server::{FileIdentity, Tls, TlsNote, TlsSettings};
use kamea_components::tls::{Certificate, ServerTls, TicketKeys, TlsCensus};
use rustix::fs::{Access, access};

use super::acme::is_placeholder;
use super::mode::Placement;
use super::options::Options;

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
        self.tls.settings.has_certificate() || self.has_acme()
    }

    /// The port of https, if http has another one.
    fn secure_port(&self) -> Option<u16> {
        let usual = self.has_usual_ports().then_some(443);
        self.tls.settings.port.or(usual)
    }

    /// The addresses without TLS, and those with it.
    pub(crate) fn addresses_by_security(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let addresses = self.addresses();
        match (self.has_tls(), self.secure_port()) {
            (false, _) => (addresses, Vec::new()),
            (true, None) => (Vec::new(), addresses),
            (true, Some(port)) => {
                let secure = TlsSettings::with_port(&addresses, port);
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
        let settings = &self.tls.settings;
        if !self.has_tls() {
            return self.without_tls().map_or(Ok(None), Err);
        }
        settings.check_combination(self.secure_port())?;
        if settings.port == Some(0) && self.placement() == Placement::Forking {
            return Err("in mode forking, --tls-port must name a port, not 0".into());
        }
        let port = match self.secure_port() {
            Some(0) => CHOSEN.get().copied(),
            port => port,
        };
        let certificates = match self.has_acme() {
            true => self.acme_certificates()?,
            false => settings.read_certificates()?,
        };
        let mut options = settings.tls_options(certificates)?;
        options.challenges = self.acme_challenge_certificates();
        let server = ServerTls::new(options).map_err(|error| error.to_string())?;
        let server = server.with_ticket_keys(&ticket_keys()?);
        let mut tls = settings.tls(server.counted_by(&CENSUS), port);
        tls.redirect = port.filter(|_| settings.redirect_http || self.has_usual_ports());
        Ok(Some(tls))
    }

    /// What is wrong if options of TLS are given, and no certificate.
    fn without_tls(&self) -> Option<String> {
        let name = self.tls.settings.first_without_certificate()?;
        Some(format!(
            "--{name} needs a certificate: --tls-cert FILE --tls-key FILE, --tls-self-signed, or --acme NAME"
        ))
    }

    /// The files of certificates and keys.
    pub(crate) fn tls_files(&self) -> Vec<PathBuf> {
        let files = self.tls.settings.files().into_iter();
        files.chain(self.acme_files()).collect()
    }

    /// What the files of certificates and keys are now: other programs renew them.
    pub(crate) fn tls_identities(&self) -> Vec<FileIdentity> {
        TlsSettings::identities_of(&self.tls_files())
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
        let certificates = tls.server.certificates();
        let is_shown = |it: &&Certificate| !(self.has_acme() && is_placeholder(it));
        let shown = certificates.iter().filter(is_shown);
        let notes = shown.flat_map(TlsNote::of);
        let notes = notes.chain(self.tls.settings.notes_on_files(&tls.server));
        let lines = self.acme_in_force(tls).into_iter();
        lines.chain(notes.map(|note| note.text)).collect()
    }
}
