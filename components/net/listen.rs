//! The address of a server, and its limits for connections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kamea::{Message, Outbox, Ports};

mod address;

pub(super) use address::look_up;
pub use address::{AddressError, complete_address, local_address, parse_address};

/// The address of a server, and its limits. An address alone stands for the default limits.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::net::{Listen, tcp_server};
/// use kamea_components::stream::echo;
///
/// let small = Listen::at("localhost:7")
///     .connections(100)
///     .connections_per_client(5)
///     .stall(Duration::from_secs(5));
/// let server = tcp_server(small, || echo);
/// # let _ = server;
/// ```
#[derive(Debug, Clone)]
pub struct Listen<Address> {
    pub(super) address: Address,
    pub(super) limits: Limits,
    pub(super) mode: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) connections_per_client: usize,
    /// For clients of other machines, if it differs: they then have places of their own.
    pub(super) connections_per_remote: Option<usize>,
    pub(super) stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_client: 256,
            connections_per_remote: None,
            stall: Duration::from_secs(30),
        }
    }
}

impl<Address> Listen<Address> {
    /// Listens at this address: for TCP `host:port` or only a port of this machine, `:9000` (port
    /// 0: the system chooses); for Unix sockets a path.
    pub fn at(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            limits: Limits::default(),
            mode: 0o600,
        }
    }

    /// Sets the limit for connections, 1,024 by default; further connections are closed.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.limits.connections = most;
        self
    }

    /// Sets the limit for connections from one address, 256 by default. Clients of a Unix socket
    /// have no address, and count as one.
    #[must_use]
    pub fn connections_per_client(mut self, most: usize) -> Self {
        self.limits.connections_per_client = most;
        self
    }

    /// Sets how long a client may leave its bytes unread before its connection is closed, 30 s by
    /// default.
    #[must_use]
    pub fn stall(mut self, longest: Duration) -> Self {
        self.limits.stall = longest;
        self
    }
}

impl Listen<PathBuf> {
    /// Sets who may connect, as permissions of the socket's file (chmod(2)); 0600 by default, which
    /// is the user alone. The umask of the process applies too.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
}

impl From<&str> for Listen<String> {
    fn from(address: &str) -> Self {
        Self::at(address)
    }
}

impl From<String> for Listen<String> {
    fn from(address: String) -> Self {
        Self::at(address)
    }
}

impl From<SocketAddr> for Listen<String> {
    fn from(address: SocketAddr) -> Self {
        Self::at(address.to_string())
    }
}

impl From<&str> for Listen<PathBuf> {
    fn from(path: &str) -> Self {
        Self::at(path)
    }
}

impl From<&Path> for Listen<PathBuf> {
    fn from(path: &Path) -> Self {
        Self::at(path)
    }
}

impl From<PathBuf> for Listen<PathBuf> {
    fn from(path: PathBuf) -> Self {
        Self::at(path)
    }
}

/// The ports of a server.
#[derive(Debug, Ports)]
pub struct ServerPorts<Address: Message> {
    /// The address, as soon as the server listens; with the port that the system chose if port 0
    /// was requested.
    pub addresses: Option<Outbox<Address>>,
}
