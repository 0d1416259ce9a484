//! Addresses as people write them: a port alone is a port of this machine.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is IP:PORT or PORT, such as 127.0.0.1:8080 or 8080; ports end at 65535")]
pub struct AddressError;

/// Why a text is not the address of a server, which may have a name.
const NO_SERVER: &str =
    "an address is HOST:PORT or PORT, such as localhost:8080 or 8080; ports end at 65535";

/// Parses an address: `127.0.0.1:9235`, `[::1]:9235`, or only a port of this machine, `9235` or
/// `:9235`.
///
/// # Errors
///
/// [`AddressError`] says what is wanted.
///
/// # Examples
///
/// ```
/// use kamea_components::net::{AddressError, parse_address};
///
/// assert_eq!(parse_address(":9235")?, "127.0.0.1:9235".parse().unwrap());
/// assert_eq!(parse_address("[::1]:80")?, "[::1]:80".parse().unwrap());
/// assert_eq!(parse_address("localhost:80"), Err(AddressError));
/// # Ok::<(), AddressError>(())
/// ```
pub fn parse_address(text: &str) -> Result<SocketAddr, AddressError> {
    complete_address(text).parse().map_err(|_| AddressError)
}

/// Puts this machine (127.0.0.1) before a port that stands alone: `9235` or `:9235`. Other text is
/// not changed.
///
/// # Examples
///
/// ```
/// use kamea_components::net::complete_address;
///
/// assert_eq!(complete_address(":9235"), "127.0.0.1:9235");
/// assert_eq!(complete_address("localhost:80"), "localhost:80");
/// ```
#[must_use]
pub fn complete_address(text: &str) -> Cow<'_, str> {
    let port = text.strip_prefix(':').unwrap_or(text);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match is_port {
        true => format!("127.0.0.1:{port}").into(),
        false => text.into(),
    }
}

/// Returns the address of this machine in the local network: where packets to other networks would
/// come from. None is sent. `None` without a network.
#[must_use]
pub fn local_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // TEST-NET-1 of RFC 5737.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Looks up the addresses of `host:port`, or of a port of this machine. It may block.
///
/// # Errors
///
/// If the text is not an address, or its name is unknown.
pub(in crate::net) fn look_up(text: &str) -> io::Result<Vec<SocketAddr>> {
    let address = complete_address(text);
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        return Err(io::Error::new(ErrorKind::InvalidInput, NO_SERVER));
    }
    Ok(address.to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports() {
        for (text, expected) in [
            ("9235", "127.0.0.1:9235"),
            (":9235", "127.0.0.1:9235"),
            (":0", "127.0.0.1:0"),
            ("65535", "127.0.0.1:65535"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            let expected = expected.parse().unwrap();
            assert_eq!(parse_address(text), Ok(expected), "{text}");
            assert_eq!(look_up(text).unwrap(), [expected], "{text}");
        }
        for text in [
            "",
            ":",
            "::",
            "::1",
            "65536",
            ":65536",
            "+80",
            ":-1",
            ":http",
            "127.0.0.1",
            "::80",
            "[::1]",
            "127.0.0.1:65536",
            "9999999999999999999999",
        ] {
            assert_eq!(parse_address(text), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_told_what_is_wanted() {
        for text in [
            "",
            ":",
            "localhost",
            "localhost:",
            "localhost:http",
            ":65536",
            "70000",
        ] {
            let error = look_up(text).unwrap_err();
            assert_eq!(error.to_string(), NO_SERVER, "{text}");
        }
        let found = look_up("localhost:80").unwrap();
        assert!(
            found.iter().all(|address| address.ip().is_loopback()),
            "{found:?}"
        );
    }
}
