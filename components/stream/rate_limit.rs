//! A token bucket: a limited number of messages per period.

use std::time::{Duration, Instant};

use kamea::time::{now, sleep};
use kamea::{Component, Message, Pipe};

use super::AGE;

/// Passes on at most `most` messages at once, and over time at most `most` per `period`. Other
/// messages wait; none is dropped.
///
/// It is a bucket of `most` tokens, full at first. Each message takes one, and one returns every
/// `period / most`. So `rate_limit(1, period)` is an even pace. `rate_limit(10, period)` has the
/// same rate as `rate_limit(1, period / 10)`, but lets ten through at once after a pause.
///
/// # Panics
///
/// If `most` is 0.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::testing::collect;
/// use kamea::time::now;
/// use kamea_components::stream::rate_limit;
///
/// let begin = now();
/// assert_eq!(collect(rate_limit(10, Duration::from_millis(20)), 0..15).len(), 15);
/// assert!(now() - begin >= Duration::from_millis(10)); // ten at once, and then one every 2 ms
/// ```
pub fn rate_limit<T: Message>(
    most: u32,
    period: Duration,
) -> impl Component<Pipe<T, T>> + Clone + Send + Sync {
    assert!(most > 0, "a limit of 0 would let nothing through");
    let period = period.min(AGE);
    let pause = period / most;
    // When all taken tokens are back. A restart does not fill the bucket.
    let mut full_at: Option<Instant> = None;
    async move |io: &mut Pipe<T, T>| {
        while let Some(message) = io.inbox.next().await {
            let now = now();
            let full = full_at.map_or(now, |at| at.max(now)) + pause;
            full_at = Some(full);
            let wait = (full - now).saturating_sub(period);
            if !wait.is_zero() {
                io.outbox.while_open(sleep(wait)).await?;
            }
            io.outbox.send(message).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::{run, stuck};

    #[test]
    fn a_burst_passes_and_then_one_after_another() {
        const PAUSE: Duration = Duration::from_millis(2);
        for (most, count) in [(1, 5), (4, 4), (4, 10)] {
            let begin = now();
            let (passed, outcome) = run(rate_limit(most, most * PAUSE), 0..count);
            let took = now() - begin;
            outcome.unwrap();
            assert!(passed.into_iter().eq(0..count));
            assert!(took >= (count - most) * PAUSE, "{most}, {count}: {took:?}");
        }
    }

    #[test]
    fn the_first_ones_do_not_wait_and_one_that_waits_hears_that_nobody_wants_it() {
        use futures_lite::future::{poll_once, zip};
        use kamea::Graph;
        use kamea::testing::block_on;

        for period in [Duration::from_secs(3600), Duration::MAX] {
            let mut graph = Graph::new("burst");
            let part = graph.add("limit", rate_limit(3, period));
            let (numbers, mut passed) = (graph.feed(part.inbox), graph.take(part.outbox));
            block_on(async {
                let mut flow = graph.start().unwrap();
                (0..5).for_each(|number| numbers.try_send(number).unwrap());
                assert!(poll_once(&mut flow).await.is_none());
                let at_once: Vec<_> = std::iter::from_fn(|| passed.try_next()).collect();
                assert_eq!(at_once, [0, 1, 2]);
                zip(flow, async { drop(passed) }).await.0.unwrap();
            });
        }
    }

    #[test]
    fn what_cannot_be_sent_on_is_not_taken_and_not_lost() {
        let (accepted, passed) = stuck(rate_limit(1000, Duration::ZERO), |number| number);
        assert!(passed.into_iter().eq(0..accepted));
    }
}
