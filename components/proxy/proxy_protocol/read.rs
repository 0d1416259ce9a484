//! Decodes a PROXY protocol header: version 1 or version 2, as it comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use super::{ProxiedAddresses, ProxyHeader, SIGNATURE};

/// A header that is not valid. The connection has to be closed: nothing else in it can be
/// understood.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// Something else begins the connection.
    #[error("the connection does not begin with a PROXY protocol header")]
    Missing,
    /// A line of version 1 that is not valid.
    #[error("the line of PROXY protocol version 1 is malformed")]
    Line,
    /// A header of version 2 that is not valid.
    #[error("the header of PROXY protocol version 2 is malformed")]
    Header,
    /// More bytes than a header may have.
    #[error("the PROXY protocol header is too long")]
    TooLong,
}

/// "The maximum line lengths the receiver must support including the CRLF" (section 2.1): 107
/// characters.
const LONGEST_LINE: usize = 107;

/// The limit for what follows the 16 bytes of a header of version 2: addresses, and further
/// properties of the connection, such as a certificate.
const LONGEST_REST: usize = 2048;

/// Reads the header at the start of a connection; `None` as long as it is not whole.
///
/// # Examples
/// ```
/// use kamea_proxy::proxy_protocol::read_proxy_header;
///
/// assert_eq!(read_proxy_header(b"PROXY TCP4 192.0.2.7 192.0")?, None);
/// let header = read_proxy_header(b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 80\r\nGET /")?.unwrap();
/// assert_eq!(header.length, 40);
/// assert_eq!(header.addresses.unwrap().source, "192.0.2.7:5555".parse()?);
/// assert!(read_proxy_header(b"GET / HTTP/1.1\r\n").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ProxyHeaderError`], as soon as the bytes cannot become a valid header.
pub fn read_proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    const LINE: &[u8] = b"PROXY ";
    let begins = |start: &[u8]| {
        let length = start.len().min(bytes.len());
        bytes[..length] == start[..length]
    };
    if begins(&SIGNATURE) && !bytes.is_empty() {
        return binary(bytes);
    }
    match begins(LINE) {
        true if bytes.len() >= LINE.len() => line(bytes),
        true => Ok(None),
        false => Err(ProxyHeaderError::Missing),
    }
}

/// `PROXY TCP4 192.0.2.7 192.0.2.1 5555 80`
fn line(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = window.iter().position(|b| *b == b'\n') else {
        return match bytes.len() < LONGEST_LINE {
            true => Ok(None),
            false => Err(ProxyHeaderError::TooLong),
        };
    };
    let text = window[..end].strip_suffix(b"\r");
    let text = text.and_then(|text| str::from_utf8(text).ok());
    let text = text.ok_or(ProxyHeaderError::Line)?;
    let words: Vec<_> = text.split(' ').collect();
    let addresses = match words[..] {
        // "the receiver must ignore anything presented before the CRLF"
        ["PROXY", "UNKNOWN", ..] => None,
        [
            "PROXY",
            family @ ("TCP4" | "TCP6"),
            from,
            to,
            from_port,
            to_port,
        ] => {
            let is_ipv4 = family == "TCP4";
            let source = address(from, from_port, is_ipv4)?;
            let destination = address(to, to_port, is_ipv4)?;
            Some(ProxiedAddresses::new(source, destination))
        }
        _ => return Err(ProxyHeaderError::Line),
    };
    Ok(Some(ProxyHeader {
        addresses,
        length: end + 1,
    }))
}

fn address(ip: &str, port: &str, is_ipv4: bool) -> Result<SocketAddr, ProxyHeaderError> {
    let ip: IpAddr = ip.parse().map_err(|_| ProxyHeaderError::Line)?;
    // "Heading zeroes are not permitted"; `parse` would take them, and a sign.
    let is_number = port.bytes().all(|b| b.is_ascii_digit());
    let is_plain = is_number && (port == "0" || !port.starts_with('0'));
    let port = port.parse().ok().filter(|_| is_plain);
    match port {
        Some(port) if ip.is_ipv4() == is_ipv4 => Ok(canonical(ip, port)),
        _ => Err(ProxyHeaderError::Line),
    }
}

fn canonical(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

/// Signature, version and command, family and protocol, length; then addresses and properties.
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else {
        return Ok(None);
    };
    let [version_and_command, kind, high, low] = [head[12], head[13], head[14], head[15]];
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_REST {
        return Err(ProxyHeaderError::TooLong);
    }
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyHeaderError::Header),
    };
    let Some(rest) = rest.get(..length) else {
        return Ok(None);
    };
    let addresses = match kind {
        _ if is_local => None,
        0x11 => Some(ipv4(rest)?),
        0x21 => Some(ipv6(rest)?),
        // Unspecified, datagrams, Unix sockets: "the receiver should ignore address information".
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => None,
        _ => return Err(ProxyHeaderError::Header),
    };
    Ok(Some(ProxyHeader {
        addresses,
        length: 16 + length,
    }))
}

fn ipv4(rest: &[u8]) -> Result<ProxiedAddresses, ProxyHeaderError> {
    let (part, _) = rest
        .split_first_chunk::<12>()
        .ok_or(ProxyHeaderError::Header)?;
    let [a, b, c, d, e, f, g, h, from_high, from_low, to_high, to_low] = *part;
    let source = Ipv4Addr::new(a, b, c, d);
    let destination = Ipv4Addr::new(e, f, g, h);
    Ok(ProxiedAddresses::new(
        canonical(source.into(), u16::from_be_bytes([from_high, from_low])),
        canonical(destination.into(), u16::from_be_bytes([to_high, to_low])),
    ))
}

fn ipv6(rest: &[u8]) -> Result<ProxiedAddresses, ProxyHeaderError> {
    let whole = || -> Option<ProxiedAddresses> {
        let (source, rest) = rest.split_first_chunk::<16>()?;
        let (destination, rest) = rest.split_first_chunk::<16>()?;
        let (ports, _) = rest.split_first_chunk::<4>()?;
        let [from_high, from_low, to_high, to_low] = *ports;
        let from = u16::from_be_bytes([from_high, from_low]);
        let to = u16::from_be_bytes([to_high, to_low]);
        Some(ProxiedAddresses::new(
            canonical(Ipv6Addr::from(*source).into(), from),
            canonical(Ipv6Addr::from(*destination).into(), to),
        ))
    };
    whole().ok_or(ProxyHeaderError::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(version_and_command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[version_and_command, kind]);
        bytes.extend_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(rest);
        bytes
    }

    fn source(bytes: &[u8]) -> Option<String> {
        let header = read_proxy_header(bytes).unwrap().unwrap();
        assert_eq!(header.length, bytes.len());
        header
            .addresses
            .map(|addresses| addresses.source.to_string())
    }

    #[test]
    fn headers() {
        let mut ipv4 = vec![1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 80];
        let ipv6: Vec<u8> = (0..36).collect();
        let rows = [
            (
                b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n".to_vec(),
                Some("1.2.3.4:5"),
            ),
            (
                b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n".to_vec(),
                Some("255.255.255.255:65535"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 5 80\r\n".to_vec(),
                Some("[2001:db8::1]:5"),
            ),
            (
                b"PROXY TCP6 ::ffff:1.2.3.4 ::1 5 80\r\n".to_vec(),
                Some("1.2.3.4:5"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (
                b"PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n".to_vec(),
                None,
            ),
            (v2(0x21, 0x11, &ipv4), Some("1.2.3.4:5")),
            (
                v2(0x21, 0x21, &ipv6),
                Some("[1:203:405:607:809:a0b:c0d:e0f]:8225"),
            ),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &ipv4), None),
            (v2(0x21, 0x00, &[1, 2, 3]), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ];
        for (bytes, expected) in rows {
            assert_eq!(source(&bytes).as_deref(), expected, "{bytes:?}");
            // Every part of it is not whole, and nothing is read behind it.
            for end in 0..bytes.len() {
                assert_eq!(
                    read_proxy_header(&bytes[..end]),
                    Ok(None),
                    "{end} of {bytes:?}"
                );
            }
            let mut more = bytes.clone();
            more.extend_from_slice(b"\r\nPROXY");
            let header = read_proxy_header(&more).unwrap().unwrap();
            assert_eq!(header.length, bytes.len());
        }
        // Properties behind the addresses.
        ipv4.extend_from_slice(&[0x04, 0, 1, 0]);
        assert_eq!(source(&v2(0x21, 0x11, &ipv4)).as_deref(), Some("1.2.3.4:5"));
    }

    #[test]
    fn headers_that_are_none() {
        use ProxyHeaderError::{Header, Line, Missing, TooLong};
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let rows: [(Vec<u8>, ProxyHeaderError); 27] = [
            (b"GET / HTTP/1.1\r\n".to_vec(), Missing),
            (b"PRI * HTTP/2.0\r\n".to_vec(), Missing),
            (b"\x16\x03\x01".to_vec(), Missing),
            (b"proxy TCP4".to_vec(), Missing),
            (b"PROXY\tTCP4".to_vec(), Missing),
            (b"\r\n\r\nx".to_vec(), Missing),
            (b"PROXY \r\n".to_vec(), Line),
            (b"PROXY TCP4\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 5\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80 1\r\n".to_vec(), Line),
            (b"PROXY TCP4  1.2.3.4 6.7.8.9 5 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80 \r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.256 6.7.8.9 5 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 ::1 ::1 5 80\r\n".to_vec(), Line),
            (b"PROXY TCP6 1.2.3.4 6.7.8.9 5 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 65536 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 -1 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 +5 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 05 80\r\n".to_vec(), Line),
            (b"PROXY UDP4 1.2.3.4 6.7.8.9 5 80\r\n".to_vec(), Line),
            (b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\xff\r\n".to_vec(), Line),
            (long.into_bytes(), TooLong),
            (v2(0x11, 0x11, &[0; 12]), Header),
            (v2(0x21, 0x11, &[0; 11]), Header),
            (v2(0x21, 0x21, &[0; 35]), Header),
            (v2(0x21, 0x11, &[0; 2049]), TooLong),
        ];
        for (bytes, expected) in rows {
            assert_eq!(read_proxy_header(&bytes), Err(expected), "{bytes:?}");
        }
        assert_eq!(read_proxy_header(&v2(0x22, 0x11, &[0; 12])), Err(Header));
        assert_eq!(read_proxy_header(&v2(0x21, 0x41, &[0; 12])), Err(Header));
    }

    #[test]
    fn a_line_that_never_ends_is_refused_at_its_limit() {
        let mut bytes = b"PROXY ".to_vec();
        bytes.resize(LONGEST_LINE - 1, b'x');
        assert_eq!(read_proxy_header(&bytes), Ok(None));
        bytes.push(b'x');
        assert_eq!(read_proxy_header(&bytes), Err(ProxyHeaderError::TooLong));
    }
}
