//! The limit of login attempts, by name and by address.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many attempts are allowed: some at once, then one each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until the next one after that.
    pub every: Duration,
}

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
    names: Table<String>,
    addresses: Table<IpAddr>,
}

impl Attempts {
    pub(crate) fn new(limits: AttemptLimits) -> Self {
        Self {
            names: Table::new(limits.per_name, limits.most),
            addresses: Table::new(limits.per_address, limits.most),
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
        let address = network(address);
        self.addresses.count(&address, now)?;
        self.names.count(&name.to_owned(), now).inspect_err(|_| {
            // Only one of the two counts it.
            self.addresses.forgive(&address);
        })
    }

    /// Takes back an attempt that was successful.
    pub(crate) fn forgive(&mut self, name: &str, address: IpAddr) {
        self.names.forgive(&name.to_owned());
        self.addresses.forgive(&network(address));
    }
}

/// What counts as one address: a household has at least 64 bits of IPv6 for itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// For each key the moment at which nothing of it counts any more (the generic cell rate
/// algorithm).
#[derive(Debug)]
struct Table<K> {
    rate: Rate,
    most: usize,
    free_at: HashMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K: Clone + Eq + Ord + std::hash::Hash> Table<K> {
    fn new(rate: Rate, most: usize) -> Self {
        Self {
            rate,
            most: most.max(1),
            free_at: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    fn count(&mut self, key: &K, now: Instant) -> Result<(), Duration> {
        let free = self.free_at.get(key).map_or(now, |&free| free.max(now));
        let next = free + self.rate.every;
        let allowed = now + self.rate.every * self.rate.burst;
        if next > allowed {
            return Err(next - allowed);
        }
        self.set(key, next);
        while let Some((free, first)) = self.order.first()
            && (*free <= now || self.free_at.len() > self.most)
        {
            self.free_at.remove(first);
            self.order.pop_first();
        }
        Ok(())
    }

    fn forgive(&mut self, key: &K) {
        if let Some(&free) = self.free_at.get(key)
            && let Some(earlier) = free.checked_sub(self.rate.every)
        {
            self.set(key, earlier);
        }
    }

    fn set(&mut self, key: &K, free: Instant) {
        if let Some(before) = self.free_at.insert(key.clone(), free) {
            self.order.remove(&(before, key.clone()));
        }
        self.order.insert((free, key.clone()));
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
        assert!(attempts.names.free_at.len() <= 10 && attempts.names.order.len() <= 10);
        assert!(attempts.addresses.order.len() <= 10);
        let later = now + Duration::from_secs(3600);
        assert!(attempts.count("a", address(1), later).is_ok());
        assert_eq!(
            attempts.names.free_at.len(),
            1,
            "what has recovered is forgotten"
        );
    }
}
