//! A limit of events for each of many keys, in bounded memory.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::{Duration, Instant};

/// How many events are allowed: some at once, then one each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until the next one after that.
    pub every: Duration,
}

/// Counts the events of many keys: for each key the moment at which nothing of it counts any more
/// (the generic cell rate algorithm).
///
/// The number of keys that are remembered has a limit. With one more, the key that would recover
/// first is forgotten: a key that has reached its limit stays, however many others come. A key is
/// kept as a hash of 128 bits, so that long keys cost no memory.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use kamea_components::web::{Rate, RateTable};
///
/// let rate = Rate { burst: 2, every: Duration::from_secs(10) };
/// let (mut table, now) = (RateTable::new(rate, 1000), Instant::now());
/// assert_eq!(table.count(b"ada", now), Ok(()));
/// assert_eq!(table.count(b"ada", now), Ok(()));
/// assert_eq!(table.count(b"ada", now), Err(Duration::from_secs(10)));
/// assert_eq!(table.count(b"eve", now), Ok(()));
/// ```
#[derive(Debug)]
pub struct RateTable {
    every: Duration,
    /// The burst, as a time.
    span: Duration,
    most: usize,
    /// Nobody outside can find two keys with the same hash.
    secret: u128,
    free_at: HashMap<u128, Instant>,
    order: BTreeSet<(Instant, u128)>,
}

/// The longest time to wait: the clock cannot tell much longer ones.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl RateTable {
    /// Makes an empty table that remembers up to `most` keys, at least one.
    #[must_use]
    pub fn new(rate: Rate, most: usize) -> Self {
        Self {
            every: rate.every.min(CENTURY),
            span: rate.every.saturating_mul(rate.burst).min(CENTURY),
            most: most.max(1),
            secret: kamea::random::token(),
            free_at: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Counts an event.
    ///
    /// # Errors
    ///
    /// How long to wait, if there were too many. This one does not count then.
    pub fn count(&mut self, key: &[u8], now: Instant) -> Result<(), Duration> {
        let key = self.hash(key);
        let free = self.free_at.get(&key).map_or(now, |&free| free.max(now));
        let (next, allowed) = (free + self.every, now + self.span);
        if next > allowed {
            return Err(next - allowed);
        }
        self.set(key, next);
        while let Some(&(free, first)) = self.order.first()
            && (free <= now || self.free_at.len() > self.most)
        {
            self.free_at.remove(&first);
            self.order.pop_first();
        }
        Ok(())
    }

    /// Takes back an event.
    pub fn forgive(&mut self, key: &[u8]) {
        let key = self.hash(key);
        if let Some(&free) = self.free_at.get(&key)
            && let Some(earlier) = free.checked_sub(self.every)
        {
            self.set(key, earlier);
        }
    }

    /// The number of keys that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.free_at.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.free_at.is_empty()
    }

    fn hash(&self, key: &[u8]) -> u128 {
        let half = |number: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u128(self.secret);
            hasher.write_u8(number);
            hasher.write(key);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }

    fn set(&mut self, key: u128, free: Instant) {
        if let Some(before) = self.free_at.insert(key, free) {
            self.order.remove(&(before, key));
        }
        self.order.insert((free, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_at_its_limit_stays_while_others_come_and_go() {
        let rate = Rate {
            burst: 3,
            every: Duration::from_secs(10),
        };
        let (mut table, now) = (RateTable::new(rate, 100), Instant::now());
        while table.count(b"guesser", now).is_ok() {}
        for number in 0..10_000_u32 {
            assert!(table.count(&number.to_be_bytes(), now).is_ok());
            assert!(table.len() <= 100 && table.order.len() <= 100);
        }
        assert_eq!(table.count(b"guesser", now), Err(rate.every));
        let later = now + Duration::from_secs(30);
        assert!(table.count(b"guesser", later).is_ok());
        assert_eq!(table.len(), 1, "what has recovered is forgotten");
    }

    #[test]
    fn extreme_rates_are_no_faults() {
        let now = Instant::now();
        for (burst, every, allowed) in [
            (0, Duration::ZERO, true),
            (0, Duration::MAX, false),
            (1, Duration::MAX, true),
            (u32::MAX, Duration::MAX, true),
        ] {
            let mut table = RateTable::new(Rate { burst, every }, 0);
            let counted = table.count(b"a", now).is_ok();
            assert_eq!(counted, allowed, "{burst} {every:?}");
            table.forgive(b"a");
        }
    }
}
