//! Opens connections to backends.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::unblock;
use kamea_components::net::Socket;

use super::{BackendConnection, BackendDecoder, BackendState};
use crate::plan::{Address, Scheme};

/// Why no connection to a backend could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Its name is unknown.
    #[error("the name {name} is not resolved: {error}")]
    Name {
        /// The name.
        name: String,
        /// The reason.
        error: io::Error,
    },
    /// It is not reached.
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    /// It did not answer in time.
    #[error("no connection within {} s", .0.as_secs_f64())]
    Timeout(Duration),
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Socket>>>>;

/// How connections to the TCP addresses of backends are opened.
#[derive(Clone)]
pub struct Connector(Option<Arc<dyn Fn(SocketAddr) -> Connecting + Send + Sync>>);

impl Connector {
    /// By the network of the system.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// By a function: over a simulated network, for example.
    pub fn by<F, Fut>(connect: F) -> Self
    where
        F: Fn(SocketAddr) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Socket>> + 'static,
    {
        Self(Some(Arc::new(move |address| Box::pin(connect(address)))))
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Socket> {
        match &self.0 {
            None => Socket::connect(address).await,
            Some(connect) => connect(address).await,
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// Opens a connection. Tries all addresses of the backend within `within` in total.
pub(crate) async fn connect(
    state: &BackendState,
    connector: &Connector,
    within: Duration,
) -> Result<BackendConnection, ConnectError> {
    state.counters().connects.fetch_add(1, Relaxed);
    let late = async {
        sleep(within).await;
        Err(ConnectError::Timeout(within))
    };
    let socket = or(open(state, connector), late).await?;
    Ok(BackendConnection {
        socket,
        decoder: BackendDecoder::new(state.backend().scheme),
    })
}

async fn open(state: &BackendState, connector: &Connector) -> Result<Socket, ConnectError> {
    let (host, port) = match &state.backend().address {
        Address::Unix(path) => return Ok(Socket::connect_unix(path).await?),
        Address::Tcp { host, port } => (host, *port),
    };
    let (known, first) = {
        let addresses = state.addresses();
        (addresses.known.clone(), addresses.first)
    };
    let known = match known.is_empty() {
        true => resolve(state, host, port).await?,
        false => known,
    };
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for number in 0..known.len() {
        let number = (first + number) % known.len();
        outcome = match state.backend().scheme {
            Scheme::Https => {
                let rules = &state.backend().tls;
                // Boxed, because most backends are in the clear.
                Box::pin(state.tls().connect(rules, host, known[number])).await
            }
            _ => connector.connect(known[number]).await,
        };
        if outcome.is_ok() {
            state.addresses().first = number;
            break;
        }
    }
    if outcome.is_err() && host.parse::<std::net::IpAddr>().is_err() {
        // It may have moved: the next attempt asks again.
        state.addresses().known.clear();
    }
    Ok(outcome?)
}

/// Looks up the addresses of a backend, and notes them.
pub(crate) async fn resolve(
    state: &BackendState,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let name = host.to_owned();
    let found = unblock(move || {
        let found = (name.as_str(), port).to_socket_addrs()?;
        io::Result::Ok(found.collect::<Vec<_>>())
    });
    let found = found.await.map_err(|error| ConnectError::Name {
        name: host.to_owned(),
        error,
    })?;
    let mut addresses = state.addresses();
    if addresses.known != found {
        if !addresses.known.is_empty() {
            log::info!("{} has new addresses", state.backend());
        }
        (addresses.known, addresses.first) = (found.clone(), 0);
    }
    Ok(found)
}
