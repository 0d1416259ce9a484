//! Encodes a PROXY protocol header.

use std::net::{IpAddr, SocketAddr};

use super::{ProxiedAddresses, SIGNATURE};
use crate::plan::ProxyProtocol;

/// Appends a header with these addresses; `None` says that the connection is the proxy's own.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::ProxyProtocol;
/// use kamea_proxy::proxy_protocol::{ProxiedAddresses, write_proxy_header};
///
/// let addresses = ProxiedAddresses::new("192.0.2.7:5555".parse()?, "192.0.2.1:80".parse()?);
/// let mut bytes = Vec::new();
/// write_proxy_header(&mut bytes, ProxyProtocol::V1, Some(addresses));
/// assert_eq!(bytes, b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 80\r\n");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn write_proxy_header(
    out: &mut Vec<u8>,
    version: ProxyProtocol,
    addresses: Option<ProxiedAddresses>,
) {
    let pair = addresses.map(|pair| of_one_family(pair.source, pair.destination));
    match (version, pair) {
        (ProxyProtocol::V1, None) => out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        (ProxyProtocol::V1, Some((source, destination))) => {
            let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from, to) = (source.ip(), destination.ip());
            let (from_port, to_port) = (source.port(), destination.port());
            let line = format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n");
            out.extend_from_slice(line.as_bytes());
        }
        (ProxyProtocol::V2, None) => {
            out.extend_from_slice(&SIGNATURE);
            // Version 2, LOCAL; unspecified; no addresses.
            out.extend_from_slice(&[0x20, 0x00, 0, 0]);
        }
        (ProxyProtocol::V2, Some((source, destination))) => binary(out, source, destination),
    }
}

fn binary(out: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    // STREAM over IPv4 or IPv6, and the length of the addresses.
    let (family, length) = match source {
        SocketAddr::V4(_) => (0x11, 12_u16),
        SocketAddr::V6(_) => (0x21, 36),
    };
    out.extend_from_slice(&SIGNATURE);
    // Version 2, PROXY.
    out.extend_from_slice(&[0x21, family]);
    out.extend_from_slice(&length.to_be_bytes());
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
    for address in [source, destination] {
        out.extend_from_slice(&address.port().to_be_bytes());
    }
}

/// Returns both addresses as IPv4 if they are, or else as IPv6.
fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let (source, destination) = (canonical(source), canonical(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    (mapped(source), mapped(destination))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy_protocol::read_proxy_header;

    fn pair(source: &str, destination: &str) -> ProxiedAddresses {
        ProxiedAddresses::new(source.parse().unwrap(), destination.parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let rows = [
            None,
            Some(pair("1.2.3.4:5", "6.7.8.9:65535")),
            Some(pair("[2001:db8::1]:5", "[::1]:80")),
            Some(pair("1.2.3.4:5", "[2001:db8::1]:80")),
        ];
        for addresses in rows {
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let mut bytes = Vec::new();
                write_proxy_header(&mut bytes, version, addresses);
                let length = bytes.len();
                bytes.extend_from_slice(b"GET / ");
                let header = read_proxy_header(&bytes).unwrap().unwrap();
                assert_eq!((header.addresses, header.length), (addresses, length));
            }
        }
    }

    #[test]
    fn the_bytes_of_the_specification() {
        let mut bytes = Vec::new();
        write_proxy_header(&mut bytes, ProxyProtocol::V1, None);
        assert_eq!(bytes, b"PROXY UNKNOWN\r\n");
        bytes.clear();
        let mapped = pair("[::ffff:1.2.3.4]:5", "[::ffff:6.7.8.9]:80");
        write_proxy_header(&mut bytes, ProxyProtocol::V2, Some(mapped));
        let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
        expected.extend_from_slice(&[1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 80]);
        assert_eq!(bytes, expected);
    }
}
