//! Whom `thor` trusts over https and wss.

use std::path::PathBuf;

use clap::Args;
use kamea_components::tls::{Certificate, ClientTls};

use crate::values::Weighted;

/// How https and wss are spoken.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsOptions {
    /// PEM file of the certificates that may have signed that of the server [default: those of the
    /// system]
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Accept any certificate: for tests alone
    #[arg(short = 'k', long, conflicts_with = "cacert")]
    insecure: bool,
    /// PEM file of a certificate to show to servers, and of its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM file of the key of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Make a full handshake for each connection: no session is resumed
    #[arg(long)]
    no_resumption: bool,
}

impl TlsOptions {
    /// Reads the files. The application protocol is HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The option that is wrong, and why.
    pub(crate) fn read(&self) -> Result<ClientTls, String> {
        let mut tls = self.trusting()?.protocols(&["http/1.1"]);
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let own = Certificate::read(cert, key).map_err(|error| format!("--cert: {error}"))?;
            tls = tls
                .identity(&own)
                .map_err(|error| format!("--cert: {error}"))?;
        }
        if self.no_resumption {
            tls = tls.without_resumption();
        }
        Ok(tls)
    }

    /// Reads the files, if one of the URLs is over TLS.
    ///
    /// # Errors
    ///
    /// Like [`read`](Self::read).
    pub(crate) fn for_urls(&self, urls: &[Weighted]) -> Result<Option<ClientTls>, String> {
        let is_needed = urls.iter().any(|url| url.target.url.is_https());
        is_needed.then(|| self.read()).transpose()
    }

    fn trusting(&self) -> Result<ClientTls, String> {
        if self.insecure {
            return ClientTls::trusting_anyone().map_err(|error| error.to_string());
        }
        if let Some(file) = &self.cacert {
            let wrong = |error: &dyn std::fmt::Display| format!("--cacert: {error}");
            let trusted = Certificate::read_authorities(file).map_err(|error| wrong(&error))?;
            return ClientTls::trusting_all(&trusted).map_err(|error| wrong(&error));
        }
        ClientTls::trusting_system()
            .map_err(|error| format!("{error}; give some by --cacert, or accept any by --insecure"))
    }
}
