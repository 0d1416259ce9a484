//! How a request came in: from whom, where, and whether the peer is trusted.

use std::net::{IpAddr, SocketAddr};

use kamea_components::http::Fields;
use kamea_components::web::{Scheme, forwarded_client, forwarded_scheme};

use crate::plan::Network;

/// How a request came in.
///
/// # Examples
/// The client of a request that a trusted proxy passed on:
/// ```
/// use kamea_components::http::Fields;
/// use kamea_proxy::fields::Inbound;
///
/// let trusted = ["10.0.0.0/8".parse()?];
/// let mut inbound = Inbound::new("10.0.0.1:5555".parse()?, 8080, "edge");
/// inbound.trusted = &trusted;
/// let fields = Fields::new().with("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.2");
/// assert_eq!(inbound.client(&fields).to_string(), "192.0.2.7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inbound<'a> {
    /// The peer of the connection, or what its PROXY protocol header says.
    pub peer: SocketAddr,
    /// The port of the listener.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// The name of this proxy in `Via`: a token that no other proxy has.
    pub name: &'a str,
    /// The peers whose word on the client counts.
    pub trusted: &'a [Network],
    /// The number of the request, for `$request_id`.
    pub id: u128,
    /// The fields of the server that has allowed the request, if it was asked.
    pub authorized: Option<&'a Fields>,
}

impl<'a> Inbound<'a> {
    /// Creates a request of a peer that is not trusted, over a connection without TLS.
    #[must_use]
    pub const fn new(peer: SocketAddr, port: u16, name: &'a str) -> Self {
        Self {
            peer,
            port,
            is_tls: false,
            name,
            trusted: &[],
            id: 0,
            authorized: None,
        }
    }

    /// Whether the peer is a trusted proxy.
    #[must_use]
    pub fn is_from_trusted(&self) -> bool {
        self.trusts(self.peer.ip())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let mut networks = self.trusted.iter();
        networks.any(|network| network.contains(address))
    }

    /// Returns the address of the client: that of the peer, unless it is a trusted proxy. Then it
    /// is the last address in `X-Forwarded-For` that is not a trusted proxy's: those before it
    /// could be invented.
    #[must_use]
    pub fn client(&self, fields: &Fields) -> IpAddr {
        let client = forwarded_client(self.peer, fields, |address| self.trusts(address));
        client.ip().to_canonical()
    }

    /// Returns `http` or `https`: what the client used, as far as trusted peers say it.
    #[must_use]
    pub fn scheme(&self, fields: &Fields) -> &'static str {
        let said = self.is_from_trusted().then(|| forwarded_scheme(fields));
        let own = if self.is_tls { "https" } else { "http" };
        said.flatten().map_or(own, Scheme::as_str)
    }
}

/// Returns a name for `Via` that no other proxy has, unless the configuration gives one: with equal
/// names, a proxy behind another one would look like a loop.
#[must_use]
pub fn random_name() -> String {
    format!("kamea-{:08x}", kamea::random::token() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, trusted: &[&str], lines: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let mut inbound = Inbound::new(peer.parse().unwrap(), 80, "edge");
        inbound.trusted = &trusted;
        let mut fields = Fields::new();
        for line in lines {
            fields.push("X-Forwarded-For", line).unwrap();
        }
        inbound.client(&fields).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_trusted() {
        let near: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        let rows: [(&str, &[&str], &[&str], &str); 12] = [
            ("9.9.9.9:1", near, &["1.1.1.1"], "9.9.9.9"),
            ("10.0.0.1:1", &[], &["1.1.1.1"], "10.0.0.1"),
            ("10.0.0.1:1", near, &[], "10.0.0.1"),
            ("10.0.0.1:1", near, &["1.1.1.1"], "1.1.1.1"),
            ("[::ffff:10.0.0.1]:1", near, &["1.1.1.1"], "1.1.1.1"),
            (
                "10.0.0.1:1",
                near,
                &["6.6.6.6, 1.1.1.1, 10.0.0.2"],
                "1.1.1.1",
            ),
            (
                "10.0.0.1:1",
                near,
                &["6.6.6.6", "1.1.1.1,,10.0.0.2"],
                "1.1.1.1",
            ),
            ("10.0.0.1:1", near, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("[fd00::1]:1", near, &["2001:db8::1"], "2001:db8::1"),
            (
                "10.0.0.1:1",
                near,
                &["1.1.1.1:443, [fd00::2]:80"],
                "1.1.1.1",
            ),
            (
                "10.0.0.1:1",
                near,
                &["1.1.1.1, unknown, 10.0.0.2"],
                "10.0.0.2",
            ),
            ("10.0.0.1:1", near, &["<script>"], "10.0.0.1"),
        ];
        for (peer, trusted, lines, expected) in rows {
            assert_eq!(client(peer, trusted, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn names_differ() {
        assert_ne!(random_name(), random_name());
        assert!(Fields::new().push(&random_name(), "").is_ok());
    }
}
