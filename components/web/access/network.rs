//! A range of addresses, for the peers that are trusted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// A range of addresses in CIDR notation (RFC 4632 section 3.1).
///
/// # Examples
/// ```
/// use kamea_components::web::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert!(network.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!network.contains("11.0.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// With zeros behind the prefix.
    address: IpAddr,
    prefix: u8,
}

/// A range of addresses that is not valid.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not an address.
    #[error("this is not an IP address: write `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`")]
    Address,
    /// More bits than the address has, or not a number.
    #[error("a prefix length is a number up to 32 for IPv4 and up to 128 for IPv6")]
    Prefix,
    /// Bits set behind the prefix, most probably a mistake.
    #[error("the address has bits behind its prefix: the range begins at {0}")]
    Bits(IpAddr),
}

impl Network {
    /// Whether the address is in this range. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

/// Returns the address with zeros behind the prefix.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
            Some(_) => None,
            None => Some(most),
        };
        let prefix = prefix.filter(|prefix| *prefix <= most);
        let prefix = prefix.ok_or(NetworkError::Prefix)?;
        let first = masked(address, prefix);
        if first != address {
            return Err(NetworkError::Bits(first));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let rows = [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("192.168.56.0/25", "192.168.56.127", "192.168.56.128"),
            ("::/0", "::1", "127.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
        ];
        for (network, inside, outside) in rows {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network}");
            assert!(!network.contains(outside.parse().unwrap()), "{network}");
        }
    }

    #[test]
    fn ranges_that_are_none() {
        let rows = [
            ("", NetworkError::Address),
            ("localhost", NetworkError::Address),
            ("127.0.0.1:80", NetworkError::Address),
            ("10.0.0.0/33", NetworkError::Prefix),
            ("10.0.0.0/", NetworkError::Prefix),
            ("10.0.0.0/+8", NetworkError::Prefix),
            ("::/129", NetworkError::Prefix),
            ("10.0.0.1/8", NetworkError::Bits([10, 0, 0, 0].into())),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Network>(), Err(expected), "{text}");
        }
    }
}
