//! The limit of login attempts, by name and by address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use kamea_components::net::client_of;
use kamea_components::web::{Rate, RateTable};

/// The limits of failed attempts. A successful login does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// The limit for each user name.
    pub per_name: Rate,
    /// The limit for each address; for IPv6, for each network of 64 bits.
    pub per_address: Rate,
    /// How many names, and how many addresses, are remembered.
    pub most: usize,
}

impl Default for AttemptLimits {
    /// Ten for a name, then one each ten seconds; twenty for an address, then one each five
    /// seconds.
    fn default() -> Self {
        Self {
            per_name: Rate {
                burst: 10,
                every: Duration::from_secs(10),
            },
            per_address: Rate {
                burst: 20,
                every: Duration::from_secs(5),
            },
            most: 10_000,
        }
    }
}

/// The attempts of the near past.
#[derive(Debug)]
pub(crate) struct Attempts {
    names: RateTable,
    addresses: RateTable,
}

impl Attempts {
    pub(crate) fn new(limits: AttemptLimits) -> Self {
        Self {
            names: RateTable::new(limits.per_name, limits.most),
            addresses: RateTable::new(limits.per_address, limits.most),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    ///
    /// How long to wait, if there were too many.
    pub(crate) fn count(
        &mut self,
        name: &str,
        address: IpAddr,
        now: Instant,
    ) -> Result<(), Duration> {
        self.addresses.count(&network(address), now)?;
        self.names.count(name.as_bytes(), now).inspect_err(|_| {
            // Only one of the two counts it.
            self.addresses.forgive(&network(address));
        })
    }

    /// Takes back an attempt that was successful.
    pub(crate) fn forgive(&mut self, name: &str, address: IpAddr) {
        self.names.forgive(name.as_bytes());
        self.addresses.forgive(&network(address));
    }
}

/// The key of an address.
fn network(address: IpAddr) -> Vec<u8> {
    match client_of(address) {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(most: usize) -> Attempts {
        let rate = |burst, every| Rate {
            burst,
            every: Duration::from_secs(every),
        };
        Attempts::new(AttemptLimits {
            per_name: rate(3, 10),
            per_address: rate(5, 1),
            most,
        })
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_name_is_limited_from_all_addresses_together_and_recovers() {
        let (mut attempts, start) = (attempts(100), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for last in 0..3 {
            assert!(attempts.count("ada", address(last), at(0)).is_ok());
        }
        let wait = attempts.count("ada", address(9), at(0)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(10));
        let wait = attempts.count("ada", address(9), at(4)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
        assert!(attempts.count("eve", address(9), at(4)).is_ok());
        assert!(attempts.count("ada", address(9), at(10)).is_ok());
        assert!(attempts.count("ada", address(9), at(10)).is_err());
    }

    #[test]
    fn an_address_is_limited_for_all_names_together() {
        let (mut attempts, now) = (attempts(100), Instant::now());
        for name in ["a", "b", "c", "d", "e"] {
            assert!(attempts.count(name, address(1), now).is_ok());
        }
        assert!(attempts.count("f", address(1), now).is_err());
        assert!(attempts.count("f", address(2), now).is_ok());
        // An IPv4 client of an IPv6 socket is the same client.
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(attempts.count("f", mapped, now).is_err());
        // The addresses of one network count together.
        for last in 0..5 {
            let address = format!("2001:db8::{last}").parse().unwrap();
            assert!(attempts.count(&format!("n{last}"), address, now).is_ok());
        }
        let same = "2001:db8::ffff:1:2:3".parse().unwrap();
        assert!(attempts.count("g", same, now).is_err());
        let other = "2001:db8:0:1::1".parse().unwrap();
        assert!(attempts.count("g", other, now).is_ok());
    }

    #[test]
    fn successful_logins_do_not_count() {
        let (mut attempts, now) = (attempts(100), Instant::now());
        for _ in 0..50 {
            assert!(attempts.count("ada", address(1), now).is_ok());
            attempts.forgive("ada", address(1));
        }
        attempts.forgive("nobody", address(7));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut attempts, now) = (attempts(10), Instant::now());
        for number in 0..1000_u32 {
            let address = IpAddr::from((number + 1).to_be_bytes());
            assert!(attempts.count(&number.to_string(), address, now).is_ok());
        }
        assert!(attempts.names.len() <= 10 && attempts.addresses.len() <= 10);
        let later = now + Duration::from_secs(3600);
        assert!(attempts.count("a", address(1), later).is_ok());
        assert_eq!(attempts.names.len(), 1, "what has recovered is forgotten");
    }
}
