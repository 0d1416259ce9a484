//! The sockets of a server, and its start on them.

use std::mem::discriminant;
use std::net::{SocketAddr, TcpListener};

use kamea::{Placement, Scheduler};

use super::{Listening, StartError};
use crate::net::Admission;
use crate::server::connections::{Configuration, Connections, Secure, listeners, server_graph};
use crate::server::limits::connections_that_fit;

/// Sockets that listen before the serving threads exist: a server needs privileges to bind low
/// ports, and drops them afterwards.
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::server::{Bound, Site, WebServer};
///
/// let bound = Bound::new(&["127.0.0.1:0".parse()?], 1)?;
/// let scheduler = Scheduler::with_workers(1);
/// let listening = WebServer::new(Site::new(".")).run_on(&scheduler, bound)?;
/// assert_ne!(listening.addresses()[0].port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Bound {
    /// For each address, a socket for each worker.
    listeners: Vec<Vec<TcpListener>>,
    workers: usize,
    /// How many of the last addresses are for TLS; `None` if nobody has said so.
    secure: Option<usize>,
}

impl Bound {
    /// Binds each address for this many workers.
    ///
    /// # Errors
    ///
    /// [`StartError::Bind`] names the address that is not available.
    pub fn new(addresses: &[SocketAddr], workers: usize) -> Result<Self, StartError> {
        let bind = |&address| {
            let bound = listeners(address, workers);
            bound.map_err(|error| StartError::Bind { address, error })
        };
        let listeners = addresses.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self {
            listeners,
            workers,
            secure: None,
        })
    }

    /// Binds further addresses, for connections over TLS; those before them are for connections
    /// without it.
    ///
    /// # Errors
    ///
    /// Like [`new`](Self::new).
    pub fn tls(mut self, addresses: &[SocketAddr]) -> Result<Self, StartError> {
        let more = Self::new(addresses, self.workers)?;
        self.secure = Some(self.secure.unwrap_or(0) + more.listeners.len());
        self.listeners.extend(more.listeners);
        Ok(self)
    }

    /// The addresses, with the ports that the system has chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let first = self.listeners.iter().filter_map(|all| all.first());
        first
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Which connections are over TLS, if TLS is configured.
    fn secure(&self, configuration: &Configuration) -> Secure {
        let (Some(_), Some(count)) = (&configuration.tls, self.secure) else {
            return configuration.secure();
        };
        let addresses = self.addresses();
        let secure = &addresses[addresses.len().saturating_sub(count)..];
        Secure::Ports(secure.iter().map(SocketAddr::port).collect())
    }
}

/// Serves on these sockets.
pub(super) fn start(
    configuration: Configuration,
    scheduler: &Scheduler,
    mut bound: Bound,
) -> Result<Listening, StartError> {
    let workers = scheduler.workers();
    let mode = discriminant(&configuration.mode);
    let site = &configuration.site;
    let most = connections_that_fit(site.connections);
    let admission = Admission::new(most, site.connections_per_client);
    let processes = configuration.processes.clone();
    let (secure, addresses) = (bound.secure(&configuration), bound.addresses());
    let is_secure = addresses
        .iter()
        .map(|address| secure.has_port(address.port()));
    let is_secure = is_secure.collect();
    let connections = Connections::new(admission.clone(), configuration, secure)?;
    let (mut running, mut configurations) = (Vec::new(), Vec::new());
    for worker in 0..bound.workers {
        let listeners = bound.listeners.iter_mut().filter_map(Vec::pop).collect();
        let (graph, configuration) = server_graph(listeners, connections.clone());
        running.push(workers.run(Placement::Worker(worker), graph)?);
        configurations.push(configuration);
    }
    Ok(Listening {
        addresses,
        is_secure,
        mode,
        running,
        admission,
        processes,
        configurations,
    })
}
