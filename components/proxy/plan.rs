//! What a configuration says, as data: hosts, their routes, and the backends of each route.
//!
//! ```text
//!  Plan ──▶ Block (hosts) ──▶ Route (path, methods, policy, limits) ──▶ Backend (address, weight)
//! ```
//!
//! Every part is `PartialEq`, so that a reload can tell which blocks changed.

mod address;
mod block;
mod explain;
mod host;
mod route;

pub use address::{Address, Backend, BackendError, BackendTls, ProxyProtocol, Scheme};
pub use block::{Block, NoRoute, Place};
pub use explain::Explanation;
pub use host::{HostError, HostPattern};
pub use kamea_components::web::{Network, NetworkError};
pub use route::{
    ActiveCheck, AuthRequest, CircuitBreaker, Ejection, HashKey, PolicyKind, Queue, RateLimit,
    Retries, Route, SetField, Timeouts,
};

use std::collections::HashMap;
use std::net::IpAddr;

use host::normalized;

/// Which status a request gets that cannot be forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// 404 for an unknown host and for a backend that does not answer, as the assignment asks.
    #[default]
    Assignment,
    /// 404 for an unknown host; 502, 503 and 504 for backends, as other proxies answer.
    Standard,
}

/// The whole configuration of a proxy.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::{Backend, Block, Plan, Route};
///
/// let route = Route::to([Backend::parse("http://127.0.0.1:9001")?]);
/// let block = Block::new(["app1.local".parse()?], [route]);
/// let plan = Plan::new([block]);
/// assert!(plan.block_for("APP1.local:8080", 8080).is_some());
/// assert!(plan.block_for("other.local", 8080).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Plan {
    blocks: Vec<Block>,
    /// The block of each host name, exact (`a:80`, `a`) or of a wildcard (`*.a:80`, `*.a`).
    by_host: HashMap<String, usize>,
    default: Option<usize>,
    /// Which errors the clients see.
    pub errors: Errors,
    /// Peers whose `X-Forwarded-For`, `Forwarded` and PROXY protocol are believed.
    pub trusted: Vec<Network>,
    /// Whether trusted peers begin each connection with a PROXY protocol header.
    pub accepts_proxy_protocol: bool,
    /// The name of this proxy in `Via`.
    pub name: Option<String>,
}

impl Plan {
    /// Creates a plan of these blocks. If two blocks have the same host, the first one gets it.
    #[must_use]
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        let blocks: Vec<_> = blocks.into_iter().collect();
        let mut plan = Self::default();
        for (index, block) in blocks.iter().enumerate() {
            for host in &block.hosts {
                match host.key() {
                    Some(key) => _ = plan.by_host.entry(key).or_insert(index),
                    None => _ = plan.default.get_or_insert(index),
                }
            }
        }
        plan.blocks = blocks;
        plan
    }

    /// Returns the blocks, in the order of the configuration.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns the block of a host: `authority` is that of the request, with or without a port, and
    /// `port` that of the listener, which counts if the authority has none.
    ///
    /// An exact name with a port wins over one without a port, that over the longest wildcard, and
    /// that over the default block. The cost does not depend on the number of blocks.
    #[must_use]
    pub fn block_for(&self, authority: &str, port: u16) -> Option<&Block> {
        self.index_for(authority, port).map(|i| &self.blocks[i])
    }

    /// Returns the position of the block of a host, as [`block_for`](Self::block_for) finds it.
    #[must_use]
    pub fn index_for(&self, authority: &str, port: u16) -> Option<usize> {
        let authority = normalized(authority, port);
        self.exact(&authority)
            .or_else(|| self.wildcard(&authority))
            .or(self.default)
    }

    /// `a:80`, then `a`.
    fn exact(&self, authority: &str) -> Option<usize> {
        let name = without_port(authority);
        let found = self.by_host.get(authority);
        found.or_else(|| self.by_host.get(name)).copied()
    }

    /// For `a.b.c:80`: `*.b.c:80`, `*.b.c`, `*.c:80`, `*.c`. A name has at most 127 labels.
    fn wildcard(&self, authority: &str) -> Option<usize> {
        let mut key = String::with_capacity(authority.len() + 1);
        let dots = authority.match_indices('.').map(|(dot, _)| dot);
        let mut dots = dots.filter(|dot| *dot > 0).take(MOST_LABELS);
        dots.find_map(|dot| {
            key.clear();
            key.push('*');
            key.push_str(&authority[dot..]);
            self.exact(&key)
        })
    }

    /// Whether a peer is a trusted proxy.
    #[must_use]
    pub fn is_trusted(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(peer))
    }
}

/// RFC 1035 section 2.3.4: a name has at most 255 octets, and so at most 127 labels.
const MOST_LABELS: usize = 127;

/// Returns an authority without its port; an IPv6 address keeps its brackets.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(hosts: &[&[&str]]) -> Plan {
        Plan::new(hosts.iter().map(|hosts| {
            let hosts = hosts.iter().map(|host| host.parse().unwrap());
            Block::new(hosts, [])
        }))
    }

    #[test]
    fn the_nearest_host_wins() {
        let plan = plan(&[
            &["a.local"],
            &["a.local:8080", "127.0.0.1:8080"],
            &["*.local", "[::1]"],
            &["*.b.local:80"],
            &["default"],
            &["A.local"],
        ]);
        let rows = [
            ("a.local", 80, 0),
            ("A.LOCAL", 80, 0),
            ("a.local.", 80, 0),
            ("a.local.:80", 80, 0),
            ("a.local:81", 80, 0),
            ("a.local:8080", 80, 1),
            ("a.local:", 8080, 1),
            // Without a port, the listener's counts.
            ("a.local", 8080, 1),
            ("127.0.0.1:8080", 8080, 1),
            ("127.0.0.1:08080", 8080, 1),
            ("127.0.0.1:8081", 8080, 4),
            ("x.local", 80, 2),
            ("x.y.local:1", 80, 2),
            ("[::1]:8080", 80, 2),
            ("[0:0::1]", 80, 2),
            ("x.b.local", 80, 3),
            ("x.b.local:81", 80, 2),
            ("b.local", 80, 2),
            // A wildcard needs a label in its place.
            ("local", 80, 4),
            (".local", 80, 4),
            ("", 80, 4),
            ("a:b:c", 80, 4),
        ];
        for (authority, port, expected) in rows {
            let found = plan.index_for(authority, port);
            assert_eq!(found, Some(expected), "{authority} at {port}");
        }
    }

    #[test]
    fn without_a_default_other_hosts_have_no_block() {
        let plan = plan(&[&["a.local"]]);
        for authority in ["b.local", "", "a", "local", "xa.local", "a.local:x"] {
            assert_eq!(plan.index_for(authority, 80), None, "{authority}");
        }
    }
}
