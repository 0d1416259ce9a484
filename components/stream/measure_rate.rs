//! Counts messages per period.

use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{Timer, now};
use kamea::{Component, Message, Pipe};

use super::AGE;

/// Counts the messages of each `period` and sends the number at its end, even if it is 0. When
/// upstream ends, it sends the number of the incomplete period.
///
/// While a number waits for space, no message is taken and no time is counted.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::testing::collect;
/// use kamea_components::stream::measure_rate;
///
/// let per_hour = measure_rate(Duration::from_secs(3600));
/// assert_eq!(collect(per_hour, ["a", "b"]), [2]);
/// ```
pub fn measure_rate<T: Message>(
    period: Duration,
) -> impl Component<Pipe<T, u64>> + Clone + Send + Sync {
    assert!(!period.is_zero(), "a period takes time");
    let period = period.min(AGE);
    async move |io: &mut Pipe<T, u64>| {
        let (mut timer, mut count) = (Timer::new(), 0);
        let mut ends = now() + period;
        loop {
            timer.set(ends);
            let message = async {
                match io.inbox.next().await {
                    Some(_) => News::Message,
                    None => News::End,
                }
            };
            let period_ends = async {
                timer.expired().await;
                News::PeriodEnds
            };
            // The time comes first: otherwise a fast upstream would delay it.
            match or(period_ends, message).await {
                News::Message => count += 1,
                News::End => return Ok(io.outbox.send(count).await?),
                News::PeriodEnds => {
                    io.outbox.send(count).await?;
                    count = 0;
                    let now = now();
                    ends += period;
                    if ends <= now {
                        ends = now + period;
                    }
                }
            }
        }
    }
}

enum News {
    Message,
    End,
    PeriodEnds,
}

#[cfg(test)]
mod tests {
    use futures_lite::future::zip;
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn a_period_that_never_ends_has_the_number_of_all() {
        let (counts, outcome) = run(measure_rate(Duration::MAX), 0..5);
        outcome.unwrap();
        assert_eq!(counts, [5]);
    }

    #[test]
    fn each_period_has_a_number_and_together_they_are_all() {
        let mut graph = Graph::new("rate");
        let part = graph.add("rate", measure_rate(Duration::from_millis(2)));
        let (messages, mut counts) = (graph.feed(part.inbox), graph.take(part.outbox));
        let script = async move {
            let mut sum = 0;
            for round in 0..3 {
                for _ in 0..round {
                    messages.send(()).await.unwrap();
                }
                // Nothing has ended but periods.
                sum += counts.next().await.unwrap();
            }
            loop {
                match counts.next().await.unwrap() {
                    0 => break, // a period in which nothing came
                    count => sum += count,
                }
            }
            drop(messages);
            while let Some(count) = counts.next().await {
                sum += count;
            }
            assert_eq!(sum, 3);
        };
        block_on(async { zip(graph.start().unwrap(), script).await.0.unwrap() });
    }
}
