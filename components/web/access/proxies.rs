//! Clients behind proxies that are trusted: their address and their scheme.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use kamea::Component;

use super::Network;
use crate::http::Fields;
use crate::web::{Exchange, FilterPorts, Scheme};

/// Takes the address and the scheme of a client from the fields of a trusted proxy.
///
/// If the peer of a connection is in one of the networks, `X-Forwarded-For` names the client: the
/// last address that is no trusted proxy itself. `X-Forwarded-Proto` says whether the client uses
/// TLS. Everything after this filter then sees the client instead of the proxy: sessions set
/// `Secure` cookies, limits count clients, and programs get `REMOTE_ADDR` and `HTTPS`. The fields
/// of other peers change nothing, because a client can send any field.
///
/// The proxy must set `X-Forwarded-Proto`, and add the address of its client to `X-Forwarded-For`.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Network, trust_proxies};
///
/// let proxies: [Network; 2] = ["127.0.0.1".parse()?, "10.0.0.0/8".parse()?];
/// let server = WebServer::new(Site::new(".")).filter("proxies", trust_proxies(proxies));
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn trust_proxies(
    proxies: impl IntoIterator<Item = Network>,
) -> impl Component<FilterPorts> + Clone + Send + Sync {
    let proxies: Arc<[Network]> = proxies.into_iter().collect();
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            note_client(&mut request.exchange, &request.head.fields, &proxies);
            io.passed.send(request).await?;
        }
        Ok(())
    }
}

/// Notes what a trusted proxy says of its client.
fn note_client(exchange: &mut Exchange, fields: &Fields, proxies: &[Network]) {
    let is_trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if is_trusted(exchange.peer.ip()) {
        exchange.scheme = forwarded_scheme(fields).unwrap_or(exchange.scheme);
        exchange.peer = forwarded_client(exchange.peer, fields, is_trusted);
    }
}

/// The client of a request: its peer, unless that is trusted. Then it is the last address in
/// `X-Forwarded-For` that is not trusted itself: a client could have sent those before it. The port
/// is 0 if the field does not name it.
///
/// Each proxy adds its peer at the end. Behind an entry that is no address, and if the last entry
/// is empty, nothing is known; other empty entries are ignored (RFC 9110 section 5.6.1.2).
///
/// # Examples
///
/// ```
/// use std::net::IpAddr;
/// use kamea_components::http::Fields;
/// use kamea_components::web::forwarded_client;
///
/// let fields = Fields::new().with("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.2");
/// let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
/// let client = forwarded_client("10.0.0.1:5555".parse()?, &fields, is_trusted);
/// assert_eq!(client.ip().to_string(), "192.0.2.7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn forwarded_client(
    peer: SocketAddr,
    fields: &Fields,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> SocketAddr {
    let mut client = peer;
    for (place, entry) in last_entries(fields, "x-forwarded-for").enumerate() {
        if !is_trusted(client.ip()) {
            break;
        }
        match parse_address(entry) {
            Some(address) => client = address,
            None if entry.is_empty() && place > 0 => {}
            None => break,
        }
    }
    client
}

/// What `X-Forwarded-Proto` says, if it is `http` or `https`. A client may have sent the first
/// entry; the last one is of the proxy. Use it only if that is trusted.
#[must_use]
pub fn forwarded_scheme(fields: &Fields) -> Option<Scheme> {
    let last = last_entries(fields, "x-forwarded-proto").next()?;
    let mut known = [Scheme::Http, Scheme::Https].into_iter();
    known.find(|scheme| last.eq_ignore_ascii_case(scheme.as_str()))
}

/// The entries of a field that is a list, the last one first. An entry that is not text is `?`.
fn last_entries<'f>(fields: &'f Fields, name: &'f str) -> impl Iterator<Item = &'f str> {
    let lines: Vec<_> = fields.get_all(name).collect();
    let entries = lines
        .into_iter()
        .rev()
        .flat_map(|line| line.rsplit(|&byte| byte == b','));
    entries.map(|entry| str::from_utf8(entry).unwrap_or("?").trim())
}

/// An address, perhaps with a port, perhaps in brackets. An IPv4 address in IPv6 is what it
/// contains.
fn parse_address(entry: &str) -> Option<SocketAddr> {
    let in_brackets = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']'));
    let address = in_brackets.unwrap_or(entry).parse::<IpAddr>();
    let address = address.map(|address| SocketAddr::new(address, 0));
    let mut address: SocketAddr = address.or_else(|_| entry.parse()).ok()?;
    address.set_ip(address.ip().to_canonical());
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client as a request from this peer with these fields names it.
    fn client(peer: &str, lines: &str) -> (String, Scheme) {
        let lines = lines.split('|').filter_map(|line| line.split_once(": "));
        let fields = lines.fold(Fields::new(), |fields, (name, value)| {
            fields.with(name, value)
        });
        let proxies = ["127.0.0.1", "10.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
        let mut exchange = Exchange::new(0, peer.parse().unwrap());
        note_client(&mut exchange, &fields, &proxies);
        (exchange.peer.to_string(), exchange.scheme)
    }

    #[test]
    fn only_a_trusted_proxy_names_the_client_and_the_scheme() {
        use Scheme::{Http, Https};
        let (near, far) = ("127.0.0.1:9", "192.0.2.9:9");
        for (peer, lines, address, scheme) in [
            (far, "", far, Http),
            (
                far,
                "X-Forwarded-For: 198.51.100.1|X-Forwarded-Proto: https",
                far,
                Http,
            ),
            (near, "", near, Http),
            (near, "X-Forwarded-Proto: https", near, Https),
            (near, "X-Forwarded-Proto: HTTPS", near, Https),
            (near, "X-Forwarded-Proto: http", near, Http),
            (near, "X-Forwarded-Proto: wss", near, Http),
            (near, "X-Forwarded-Proto:  ", near, Http),
            // A client has sent the first; the proxy has added the last.
            (near, "X-Forwarded-Proto: https, http", near, Http),
            (
                near,
                "X-Forwarded-Proto: http|X-Forwarded-Proto: https",
                near,
                Https,
            ),
            (
                near,
                "X-Forwarded-For: 198.51.100.1",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 6.6.6.6, 198.51.100.1",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 198.51.100.1",
                "198.51.100.1:0",
                Http,
            ),
            // Two proxies.
            (
                near,
                "X-Forwarded-For: 6.6.6.6, 198.51.100.1, 10.1.2.3",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 10.1.1.1, 10.1.2.3",
                "10.1.1.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 6.6.6.6, unknown, 10.1.2.3",
                "10.1.2.3:0",
                Http,
            ),
            (near, "X-Forwarded-For: 6.6.6.6, ", near, Http),
            (
                near,
                "X-Forwarded-For: 6.6.6.6|X-Forwarded-For:  ",
                near,
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 6.6.6.6,, 198.51.100.1, ,10.1.2.3",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 6.6.6.6, \u{e4}, 10.1.2.3",
                "10.1.2.3:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 198.51.100.1, ::ffff:10.1.2.3",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: ::ffff:198.51.100.1",
                "198.51.100.1:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 198.51.100.1:4711",
                "198.51.100.1:4711",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: 2001:db8::1",
                "[2001:db8::1]:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: [2001:db8::1]",
                "[2001:db8::1]:0",
                Http,
            ),
            (
                near,
                "X-Forwarded-For: [2001:db8::1]:4711",
                "[2001:db8::1]:4711",
                Http,
            ),
            (near, "X-Forwarded-For: evil\u{e4}", near, Http),
            ("[::1]:9", "X-Forwarded-Proto: https", "[::1]:9", Https),
            (
                "[::ffff:10.0.0.1]:9",
                "X-Forwarded-For: 198.51.100.1",
                "198.51.100.1:0",
                Http,
            ),
            ("11.0.0.1:9", "X-Forwarded-Proto: https", "11.0.0.1:9", Http),
        ] {
            let expected = (address.to_owned(), scheme);
            assert_eq!(client(peer, lines), expected, "{peer} {lines}");
        }
    }
}
