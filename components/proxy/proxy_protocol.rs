//! The PROXY protocol: the first bytes of a connection say whose connection it is, because the
//! peer is a proxy (haproxy.org, "The PROXY protocol", versions 1 and 2). No I/O.
//!
//! ```text
//!  bytes of a connection ──▶ read_proxy_header ──▶ addresses, and how many bytes they took
//!  addresses ──▶ write_proxy_header ──▶ first bytes of a connection to a backend
//! ```
//!
//! Who accepts such a header believes what it says. So only trusted peers may send one, and they
//! always have to: a header that is optional could be sent by a client.

mod read;
mod write;

pub use read::{ProxyHeaderError, read_proxy_header};
pub use write::write_proxy_header;

use std::net::SocketAddr;

/// What begins a header of version 2: it cannot begin a request of HTTP/1.1 or HTTP/2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The addresses of a connection that a proxy passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxiedAddresses {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

impl ProxiedAddresses {
    /// Creates the addresses of a connection.
    #[must_use]
    pub const fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
        }
    }
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// `None` if the connection is the peer's own (a check of health, for example), or of a kind
    /// that has no such addresses: then those of the connection count.
    pub addresses: Option<ProxiedAddresses>,
    /// How many bytes the header has. What follows is the connection of the client.
    pub length: usize,
}
