//! A server whose settings say how it speaks TLS: it reads its certificates, and reloads them.

use std::net::SocketAddr;

use kamea::{Placement, Scheduler};

use super::bound::{Bound, start};
use super::{Listening, StartError, WebServer};
use crate::server::tls_settings::reload_graph;
use crate::server::{Mode, Tls, TlsSettings};

impl WebServer {
    /// Binds the addresses, and those of https beside them.
    pub(super) fn run_secured(
        self,
        scheduler: &Scheduler,
        addresses: &[SocketAddr],
        settings: TlsSettings,
    ) -> Result<Listening, StartError> {
        settings.check().map_err(StartError::Tls)?;
        let count = match self.mode {
            Mode::Single => 1,
            _ => scheduler.workers().count(),
        };
        let (plain, secure) = settings.addresses(addresses);
        let bound = Bound::new(&plain, count)?;
        let bound = match secure.is_empty() {
            true => bound,
            false => bound.tls(&secure)?,
        };
        self.run_secured_on(scheduler, bound, settings)
    }

    /// Reads the certificates, serves, and reloads them.
    pub(super) fn run_secured_on(
        self,
        scheduler: &Scheduler,
        bound: Bound,
        mut settings: TlsSettings,
    ) -> Result<Listening, StartError> {
        if let (Some(0), Some(address)) = (settings.port, bound.addresses().last()) {
            settings.port = Some(address.port());
        }
        // Before the files are read: a later change is noticed.
        let before = settings.identities();
        let server = self.tls_settings(settings.clone()).read_tls_settings()?;
        let tls = server.tls.as_ref().map(|tls| tls.server.clone());
        let mut listening = start(server.into_configuration()?, scheduler, bound)?;
        if let Some(tls) = tls {
            for note in settings.notes(&tls) {
                log::log!(note.level, "{note}");
            }
            let reload = reload_graph(settings, tls, before);
            let reloading = scheduler.workers().run(Placement::Any, reload)?;
            listening.running.push(reloading);
        }
        Ok(listening)
    }

    /// Reads the certificates that the settings name, if there are settings.
    pub(super) fn read_tls_settings(mut self) -> Result<Self, StartError> {
        let Some(settings) = self.tls_settings.take() else {
            return Ok(self);
        };
        match settings.read().map_err(StartError::Tls)? {
            None => Ok(self),
            Some(tls) => Ok(self.counted_tls(tls)),
        }
    }

    fn counted_tls(self, tls: Tls) -> Self {
        let server = tls.server.counted_by(&self.tls_census);
        self.tls(Tls { server, ..tls })
    }
}
