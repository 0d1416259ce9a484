//! TLS to backends: whom the proxy trusts, and by which name.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;

use kamea::unblock;
use kamea_components::net::Socket;
use kamea_components::tls::{Certificate, ClientTls, connect_tls};

use crate::plan::BackendTls;

/// How connections to one backend are encrypted. The authorities are read at the first connection.
#[derive(Debug, Default)]
pub(super) struct TlsOfBackend(OnceLock<ClientTls>);

impl TlsOfBackend {
    /// Connects to an address of the backend, whose certificate must be for `host` unless the
    /// configuration has another name.
    pub(super) async fn connect(
        &self,
        rules: &BackendTls,
        host: &str,
        address: SocketAddr,
    ) -> io::Result<Socket> {
        let tls = match self.0.get() {
            Some(tls) => tls.clone(),
            None => self.read(rules).await?,
        };
        let name = rules.name.as_deref().unwrap_or(host);
        connect_tls(&tls, name, address).await
    }

    async fn read(&self, rules: &BackendTls) -> io::Result<ClientTls> {
        let rules = rules.clone();
        let tls = unblock(move || trusting(&rules));
        let tls = tls.await.map_err(io::Error::other)?;
        // Another connection may have been first, with the same.
        Ok(self.0.get_or_init(|| tls).clone())
    }
}

fn trusting(rules: &BackendTls) -> Result<ClientTls, String> {
    let tls = match &rules.authorities {
        _ if !rules.verifies => ClientTls::trusting_anyone(),
        Some(file) => {
            let trusted = Certificate::read_authorities(file);
            ClientTls::trusting_all(&trusted.map_err(|error| format!("tls_ca: {error}"))?)
        }
        None => ClientTls::trusting_system(),
    };
    let tls = tls.map_err(|error| format!("the backend cannot be verified: {error}"))?;
    Ok(tls.protocols(&["http/1.1"]))
}
