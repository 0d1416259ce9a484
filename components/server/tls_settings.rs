//! What a program is told about TLS: its options, the certificates that they name, and the reload
//! of these.
//!
//! ```text
//! hangups ──▶ certificates    (reads the files again at SIGHUP, and when they have changed)
//! ```

mod certificates;
mod notes;
mod options;
mod own_certificate;
mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use certificates::FileIdentity;
pub use notes::TlsNote;
pub use options::{OptionValue, TlsOption};
pub use own_certificate::own_certificate_folder;
pub(super) use reload::reload_graph;

use super::Tls;
use crate::tls::{Certificate, ClientAuth, MinimalVersion, ServerTls, TlsOptions};

/// What a server program is told about TLS, by options that are the same in every program: see
/// [`OPTIONS`](Self::OPTIONS).
///
/// # Examples
///
/// ```no_run
/// use kamea::Scheduler;
/// use kamea_components::server::{Site, TlsSettings, WebServer};
///
/// let mut settings = TlsSettings::default();
/// settings.set("tls-cert", "site.pem".as_ref())?;
/// settings.set("tls-key", "site.key".as_ref())?;
/// settings.check()?;
/// let scheduler = Scheduler::with_workers(1);
/// let server = WebServer::new(Site::new(".")).tls_settings(settings);
/// let listening = server.run(&scheduler, &["127.0.0.1:8443".parse()?])?;
/// println!("{}", listening.urls()[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSettings {
    /// The files of the certificates and their chains, in PEM form.
    pub certificates: Vec<PathBuf>,
    /// The files of their keys, in PEM form; if there are none, the keys stand in the files of the
    /// certificates.
    pub keys: Vec<PathBuf>,
    /// The files of their OCSP responses, in DER form.
    pub ocsp: Vec<PathBuf>,
    /// Whether the certificate is one that this machine makes and signs itself.
    pub self_signed: bool,
    /// The port of https; the addresses of the server then serve http.
    pub port: Option<u16>,
    /// Whether http redirects to https.
    pub redirect_http: bool,
    /// For how many seconds browsers use only https (RFC 6797).
    pub hsts: Option<u32>,
    /// The file of the authorities that sign the certificates of clients, in PEM form.
    pub client_ca: Option<PathBuf>,
    /// Whether clients without a certificate are served too.
    pub client_optional: bool,
    /// The lowest version that is spoken, if one was given.
    pub minimal_version: Option<MinimalVersion>,
}

impl TlsSettings {
    /// Whether they name a certificate.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        !self.certificates.is_empty() || self.self_signed
    }

    /// Checks that the settings agree with each other. Reads no file.
    ///
    /// # Errors
    ///
    /// A line that names the option that is wrong, and what would be right.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::TlsSettings;
    ///
    /// let mut settings = TlsSettings::default();
    /// settings.set("tls-port", "8443".as_ref())?;
    /// let error = settings.check().unwrap_err();
    /// assert!(error.starts_with("--tls-port needs a certificate"), "{error}");
    /// # Ok::<(), String>(())
    /// ```
    pub fn check(&self) -> Result<(), String> {
        match self.first_without_certificate() {
            Some(name) if !self.has_certificate() => Err(format!(
                "--{name} needs a certificate: --tls-cert FILE --tls-key FILE, or --tls-self-signed"
            )),
            _ => self.check_combination(self.port),
        }
    }

    /// The first option that is given and needs a certificate.
    #[must_use]
    pub fn first_without_certificate(&self) -> Option<&'static str> {
        let given = [
            ("tls-key", !self.keys.is_empty()),
            ("tls-ocsp", !self.ocsp.is_empty()),
            ("tls-port", self.port.is_some()),
            ("redirect-http", self.redirect_http),
            ("hsts", self.hsts.is_some()),
            ("tls-client-ca", self.client_ca.is_some()),
            ("tls-client-optional", self.client_optional),
            ("tls-min", self.minimal_version.is_some()),
        ];
        let found = given.into_iter().find(|(_, is_given)| *is_given);
        found.map(|(name, _)| name)
    }

    /// Checks that no option contradicts another one, where https has this port beside http.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_combination(&self, port: Option<u16>) -> Result<(), String> {
        let (certificates, keys) = (self.certificates.len(), self.keys.len());
        let responses = self.ocsp.len();
        let wrong = match () {
            () if self.self_signed && certificates > 0 => {
                "--tls-self-signed cannot be used with --tls-cert: it makes the certificate".into()
            }
            () if self.self_signed && keys > 0 => {
                "--tls-self-signed cannot be used with --tls-key: it makes the key".into()
            }
            () if self.self_signed && responses > 0 => {
                "--tls-self-signed cannot be used with --tls-ocsp: it has no authority".into()
            }
            () if keys != 0 && keys != certificates => format!(
                "each --tls-cert needs its --tls-key, in the same order: there are {certificates} \
                 certificates and {keys} keys"
            ),
            () if responses > certificates => format!(
                "each --tls-ocsp is for a --tls-cert, in the same order: there are {certificates} \
                 certificates and {responses} OCSP responses"
            ),
            () if self.client_optional && self.client_ca.is_none() => {
                "--tls-client-optional needs --tls-client-ca: who signs the certificates of clients"
                    .into()
            }
            () if self.redirect_http && port.is_none() => {
                "--redirect-http needs --tls-port: the port that requests are redirected to".into()
            }
            () => return Ok(()),
        };
        Err(wrong)
    }

    /// Splits the addresses of a server: those without TLS, and those with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::TlsSettings;
    ///
    /// let addresses = ["127.0.0.1:80".parse()?];
    /// let mut settings = TlsSettings::default();
    /// assert_eq!(settings.addresses(&addresses).0, addresses);
    /// settings.self_signed = true;
    /// assert_eq!(settings.addresses(&addresses).1, addresses);
    /// settings.port = Some(443);
    /// assert_eq!(settings.addresses(&addresses).1, ["127.0.0.1:443".parse()?]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn addresses(&self, addresses: &[SocketAddr]) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        match (self.has_certificate(), self.port) {
            (false, _) => (addresses.to_vec(), Vec::new()),
            (true, None) => (Vec::new(), addresses.to_vec()),
            (true, Some(port)) => (addresses.to_vec(), Self::with_port(addresses, port)),
        }
    }

    /// The same addresses, with another port.
    #[must_use]
    pub fn with_port(addresses: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
        let ips = addresses.iter().map(SocketAddr::ip);
        ips.map(|ip| SocketAddr::new(ip, port)).collect()
    }

    /// Reads the certificates, and returns how TLS is spoken; `None` without a certificate.
    ///
    /// # Errors
    ///
    /// A line that names the option or the file, and what is wrong.
    pub fn read(&self) -> Result<Option<Tls>, String> {
        self.check()?;
        if !self.has_certificate() {
            return Ok(None);
        }
        let options = self.tls_options(self.read_certificates()?)?;
        let server = ServerTls::new(options).map_err(|error| error.to_string())?;
        Ok(Some(self.tls(server, self.port)))
    }

    /// What these settings say of these certificates.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn tls_options(&self, certificates: Vec<Certificate>) -> Result<TlsOptions, String> {
        let mut options = TlsOptions::new(certificates);
        if let Some(file) = &self.client_ca {
            let authorities = Certificate::read_authorities(file);
            let authorities = authorities.map_err(|error| error.to_string())?;
            options.client_auth = match self.client_optional {
                true => ClientAuth::Optional(authorities),
                false => ClientAuth::Required(authorities),
            };
        }
        options.minimal_version = self.minimal_version.unwrap_or_default();
        Ok(options)
    }

    /// How TLS is spoken by a server whose https has this port beside http.
    #[must_use]
    pub fn tls(&self, server: ServerTls, port: Option<u16>) -> Tls {
        let mut tls = Tls::new(server);
        tls.strict_transport = self.hsts.map(|age| Duration::from_secs(age.into()));
        tls.port = port;
        tls.redirect = port.filter(|_| self.redirect_http);
        tls
    }
}

#[cfg(test)]
mod tests;
