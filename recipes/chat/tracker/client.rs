//! The address of a client: that of its connection, or what a trusted proxy says of it.

use std::net::IpAddr;

use kamea_components::http::Fields;

/// The proxies whose `X-Forwarded-For` is believed. Anybody can write this field, so without a
/// trusted proxy it counts for nothing.
///
/// # Examples
///
/// ```
/// use std::net::IpAddr;
/// use kamea_chat_recipes::tracker::TrustedProxies;
/// use kamea_components::http::Fields;
///
/// let [proxy, client]: [IpAddr; 2] = ["192.0.2.1".parse()?, "198.51.100.7".parse()?];
/// let fields = Fields::new().with("X-Forwarded-For", "203.0.113.9, 198.51.100.7");
/// assert_eq!(TrustedProxies::new([proxy]).client(proxy, &fields), client);
/// assert_eq!(TrustedProxies::default().client(proxy, &fields), proxy);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpAddr>);

impl TrustedProxies {
    /// Trusts the proxies at these addresses.
    #[must_use]
    pub fn new(proxies: impl IntoIterator<Item = IpAddr>) -> Self {
        let canonical = proxies.into_iter().map(|address| address.to_canonical());
        Self(canonical.collect())
    }

    /// The address of the client behind a connection from `peer`: the last entry that no trusted
    /// proxy stands for. Entries before it are the client's own claim.
    #[must_use]
    pub fn client(&self, peer: IpAddr, fields: &Fields) -> IpAddr {
        let mut client = peer.to_canonical();
        let values: Vec<_> = fields.get_all("x-forwarded-for").collect();
        let values = values
            .iter()
            .rev()
            .filter_map(|value| str::from_utf8(value).ok());
        for entry in values.flat_map(|value| value.rsplit(',')) {
            if !self.0.contains(&client) {
                break;
            }
            // The proxy cannot say who it is: then it counts itself.
            let Ok(address) = entry.trim().parse::<IpAddr>() else {
                break;
            };
            client = address.to_canonical();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_has_added_counts() {
        let of = |peer: &str, fields: &[&str]| {
            let trusted = ["127.0.0.1", "10.0.0.1"].map(|address| address.parse().unwrap());
            let fields = fields.iter().fold(Fields::new(), |fields, value| {
                fields.with("X-Forwarded-For", value)
            });
            let client = TrustedProxies::new(trusted).client(peer.parse().unwrap(), &fields);
            client.to_string()
        };
        for (peer, fields, expected) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &["5.5.5.5"], "5.5.5.5"),
            ("::ffff:127.0.0.1", &["5.5.5.5"], "5.5.5.5"),
            ("127.0.0.1", &["1.1.1.1, 5.5.5.5"], "5.5.5.5"),
            ("127.0.0.1", &["1.1.1.1", "5.5.5.5"], "5.5.5.5"),
            ("127.0.0.1", &["5.5.5.5, 10.0.0.1"], "5.5.5.5"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["unknown"], "127.0.0.1"),
            ("127.0.0.1", &["5.5.5.5, unknown"], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("6.6.6.6", &["5.5.5.5"], "6.6.6.6"),
        ] {
            assert_eq!(of(peer, fields), expected, "{peer} {fields:?}");
        }
    }
}
