//! A deliberately bad network.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::random::{chance, duration};
use kamea::time::{Timer, now};
use kamea::{Component, Message, Pipe};

use super::AGE;

/// Messages in transit; upstream waits beyond that.
const ON_THE_WAY: usize = 1024;

/// What goes wrong, and how often. By default nothing does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::stream::Unreliability;
///
/// let mobile = Unreliability {
///     loss: 0.02,
///     delay: Duration::from_millis(80),
///     jitter: Duration::from_millis(300),
///     ..Unreliability::default()
/// };
/// # let _ = mobile;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Unreliability {
    /// Probability that a message is lost, from 0 to 1.
    pub loss: f64,
    /// Probability that a message is duplicated, from 0 to 1. Each copy has its own delay.
    pub duplication: f64,
    /// Probability that a message may overtake others, from 0 to 1. It does if its delay ends
    /// sooner, so there is no reordering without `jitter`.
    pub disorder: f64,
    /// The least delay of every message.
    pub delay: Duration,
    /// The largest additional delay; all values up to it are equally likely.
    pub jitter: Duration,
}

/// Passes messages on like a bad network: loses, duplicates, delays and reorders them, to test the
/// components behind it.
///
/// Chance comes from the kernel ([`kamea::random`]): in a simulation the same seed breaks the same
/// messages. At most 1,024 messages are in transit. When upstream ends, those still arrive.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::{Unreliability, unreliable};
///
/// let half = Unreliability { loss: 0.5, ..Unreliability::default() };
/// assert!((300..700).contains(&collect(unreliable(half), 0..1000).len()));
/// ```
pub fn unreliable<T: Message + Clone>(
    unreliability: Unreliability,
) -> impl Component<Pipe<T, T>> + Clone + Send + Sync {
    async move |io: &mut Pipe<T, T>| {
        let (mut network, mut timer) = (Network::new(unreliability), Timer::new());
        let mut is_open = true;
        loop {
            while let Some(message) = network.arrived(now()) {
                io.outbox.send(message).await?;
            }
            if !is_open && network.on_the_way.is_empty() {
                return Ok(());
            }
            match network.next_arrival() {
                Some(moment) => timer.set(moment),
                None => timer.clear(),
            }
            let takes = is_open && network.on_the_way.len() < ON_THE_WAY;
            let sent = async {
                match takes {
                    true => Some(io.inbox.next().await),
                    false => pending().await,
                }
            };
            let arrival = async {
                timer.expired().await;
                None
            };
            match or(arrival, sent).await {
                Some(Some(message)) => network.send(message),
                Some(None) => is_open = false,
                None => {}
            }
        }
    }
}

/// The messages in transit.
struct Network<T> {
    unreliability: Unreliability,
    /// By their time of arrival, then by the order of sending.
    on_the_way: BTreeMap<(Instant, u64), T>,
    sent: u64,
    /// When the last message arrives that must not be overtaken.
    last: Option<Instant>,
}

impl<T: Clone> Network<T> {
    fn new(unreliability: Unreliability) -> Self {
        Self {
            unreliability,
            on_the_way: BTreeMap::new(),
            sent: 0,
            last: None,
        }
    }

    fn send(&mut self, message: T) {
        if chance(self.unreliability.loss) {
            return;
        }
        if chance(self.unreliability.duplication) {
            self.put_on_its_way(message.clone());
        }
        self.put_on_its_way(message);
    }

    fn put_on_its_way(&mut self, message: T) {
        let Unreliability { delay, jitter, .. } = self.unreliability;
        let mut arrival = now() + delay.min(AGE) + duration(jitter.min(AGE));
        if !chance(self.unreliability.disorder) {
            arrival = self.last.map_or(arrival, |last| last.max(arrival));
            self.last = Some(arrival);
        }
        self.on_the_way.insert((arrival, self.sent), message);
        self.sent += 1;
    }

    fn next_arrival(&self) -> Option<Instant> {
        Some(self.on_the_way.first_key_value()?.0.0)
    }

    fn arrived(&mut self, now: Instant) -> Option<T> {
        let first = self.on_the_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::{run, stuck};

    const MS: Duration = Duration::from_millis(1);

    fn broken(unreliability: Unreliability, count: u32) -> Vec<u32> {
        let (arrived, outcome) = run(unreliable(unreliability), 0..count);
        outcome.unwrap();
        arrived
    }

    #[test]
    fn nothing_goes_wrong_by_itself_and_delay_alone_keeps_the_order() {
        let sound = Unreliability::default();
        assert!(broken(sound, 3000).into_iter().eq(0..3000));
        let begin = now();
        let slow = Unreliability {
            delay: 5 * MS,
            jitter: 5 * MS,
            ..sound
        };
        assert!(broken(slow, 3000).into_iter().eq(0..3000));
        assert!(now() - begin >= 5 * MS);
    }

    #[test]
    fn each_thing_goes_wrong_as_often_as_it_is_told_to() {
        // A chance of a half, a thousand times: outside of this once in 10^30.
        let about_half = 300..700;
        let half = Unreliability {
            loss: 0.5,
            ..Default::default()
        };
        let arrived = broken(half, 1000);
        assert!(about_half.contains(&arrived.len()));
        assert!(arrived.is_sorted_by(|a, b| a < b));

        let twice = Unreliability {
            duplication: 0.5,
            ..Default::default()
        };
        let mut arrived = broken(twice, 1000);
        assert!(about_half.contains(&(arrived.len() - 1000)));
        arrived.dedup();
        assert!(arrived.into_iter().eq(0..1000));

        let mixed = Unreliability {
            disorder: 1.0,
            jitter: 5 * MS,
            ..Default::default()
        };
        let mut arrived = broken(mixed, 1000);
        assert!(!arrived.is_sorted());
        arrived.sort();
        assert!(arrived.into_iter().eq(0..1000), "none is lost");

        let gone = Unreliability {
            loss: 1.0,
            ..Default::default()
        };
        assert!(broken(gone, 1000).is_empty());
    }

    #[test]
    fn what_is_on_its_way_is_bounded_and_not_lost() {
        let (accepted, arrived) = stuck(unreliable(Unreliability::default()), |number| number);
        assert!(arrived.into_iter().eq(0..accepted));
        let slow = Unreliability {
            delay: 50 * MS,
            ..Default::default()
        };
        let (accepted, arrived) = stuck(unreliable(slow), |number| number);
        assert!((ON_THE_WAY as u32..2 * ON_THE_WAY as u32).contains(&accepted));
        assert!(arrived.into_iter().eq(0..accepted));
    }

    #[test]
    fn what_is_on_its_way_for_ever_is_no_fault() {
        let mut network = Network::new(Unreliability {
            delay: Duration::MAX,
            jitter: Duration::MAX,
            ..Default::default()
        });
        network.send(1);
        assert!(network.next_arrival() > Some(now() + Duration::from_secs(1 << 31)));
    }
}
