//! Random numbers for components. They come from the kernel, so that a
//! [simulation](crate::Simulation) can draw them from a seed.
//!
//! Only [`token`] is suitable for secrets.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeBounds;
use std::time::Duration;

use fastrand::Rng;

thread_local! {
    static CHANCE: RefCell<Chance> = RefCell::new(Chance::of_the_world());
}

/// The random generator of a thread.
#[derive(Debug)]
pub(crate) struct Chance {
    generator: Rng,
    /// Whether all its numbers follow from a seed.
    is_simulated: bool,
}

impl Chance {
    fn of_the_world() -> Self {
        Self {
            generator: Rng::with_seed(RandomState::new().hash_one(())),
            is_simulated: false,
        }
    }

    /// A generator whose numbers follow from `seed`.
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self {
            generator: Rng::with_seed(seed),
            is_simulated: true,
        }
    }

    /// Makes this the generator of the thread. Returns the previous one.
    pub(crate) fn enter(self) -> Self {
        CHANCE.replace(self)
    }
}

fn draw<T>(from: impl FnOnce(&mut Rng) -> T) -> T {
    CHANCE.with_borrow_mut(|chance| from(&mut chance.generator))
}

/// Returns a number in `range`. All numbers are equally likely.
///
/// # Panics
///
/// If `range` is empty.
///
/// # Examples
///
/// ```
/// use kamea::random;
///
/// assert!((1..=6).contains(&random::u64(1..=6)));
/// let any = random::u64(..);
/// # let _ = any;
/// ```
pub fn u64(range: impl RangeBounds<u64>) -> u64 {
    draw(|generator| generator.u64(range))
}

/// Returns a number in `range`, for example an index. All numbers are equally likely.
///
/// # Panics
///
/// If `range` is empty.
///
/// # Examples
///
/// ```
/// let colours = ["red", "green", "blue"];
/// let colour = colours[kamea::random::usize(..colours.len())];
/// # let _ = colour;
/// ```
pub fn usize(range: impl RangeBounds<usize>) -> usize {
    draw(|generator| generator.usize(range))
}

/// Returns a number from 0 to 1, without 1.
///
/// # Examples
///
/// ```
/// assert!((0.0..1.0).contains(&kamea::random::f64()));
/// ```
pub fn f64() -> f64 {
    draw(Rng::f64)
}

/// Returns true with this probability, from 0 (never) to 1 (always).
///
/// # Examples
///
/// ```
/// use kamea::random::chance;
///
/// assert!(chance(1.0) && !chance(0.0));
/// ```
pub fn chance(probability: f64) -> bool {
    f64() < probability
}

/// Returns a duration below `limit`; zero if `limit` is zero. Exact to the nanosecond, up to 584
/// years.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let jitter = kamea::random::duration(Duration::from_millis(100));
/// assert!(jitter < Duration::from_millis(100));
/// ```
pub fn duration(limit: Duration) -> Duration {
    let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(u64(0..limit.max(1)))
}

/// Shuffles `items`.
///
/// # Examples
///
/// ```
/// let mut cards = [1, 2, 3, 4];
/// kamea::random::shuffle(&mut cards);
/// cards.sort();
/// assert_eq!(cards, [1, 2, 3, 4]);
/// ```
pub fn shuffle<T>(items: &mut [T]) {
    draw(|generator| generator.shuffle(items));
}

/// Returns a number that nobody can predict, even from earlier numbers. Use it for names and
/// boundaries that must not be guessed. It costs more than the others. In a simulation it follows
/// from the seed like everything else.
///
/// # Examples
///
/// ```
/// use kamea::random::token;
///
/// assert_ne!(token(), token());
/// ```
pub fn token() -> u128 {
    let is_simulated = CHANCE.with_borrow(|chance| chance.is_simulated);
    if is_simulated {
        return draw(|generator| generator.u128(..));
    }
    // The standard library draws the keys of this hash from the system's own source.
    let random = RandomState::new();
    u128::from(random.hash_one(0)) << 64 | u128::from(random.hash_one(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> (Vec<u64>, f64, u128, Vec<u8>) {
        let mut order: Vec<_> = (0..20).collect();
        shuffle(&mut order);
        let numbers = (0..10).map(|_| u64(..)).collect();
        (numbers, f64(), token(), order)
    }

    #[test]
    fn the_same_seed_gives_the_same_and_the_world_does_not() {
        let of = |seed| {
            let before = Chance::of_seed(seed).enter();
            let drawn = some();
            before.enter();
            drawn
        };
        assert_eq!(of(4711), of(4711));
        assert_ne!(of(4711), of(4712));
        assert_ne!(some(), some());
        assert_ne!(some(), std::thread::spawn(some).join().unwrap());
    }

    #[test]
    fn every_number_of_a_range_is_drawn_and_no_other() {
        let mut seen = [0; 6];
        (0..6000).for_each(|_| seen[usize(..6)] += 1);
        assert!(
            seen.iter().all(|&times| (700..1300).contains(&times)),
            "{seen:?}"
        );
        assert_eq!(duration(Duration::ZERO), Duration::ZERO);
        let true_ones = (0..6000).filter(|_| chance(0.25)).count();
        assert!((1200..1800).contains(&true_ones), "{true_ones}");
    }
}
