//! Gathers messages into batches, by count and by time.

use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{Timer, now};
use kamea::{Component, Message, Pipe};

/// Gathers messages into batches of at most `most`. A batch waits at most `within` after its first
/// message.
///
/// The last batch may be shorter when upstream ends. No batch is empty. While a batch waits for
/// space, nothing is taken. With `Duration::MAX` only the count matters.
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
/// use kamea_components::stream::batch;
///
/// let pairs = batch(2, Duration::from_secs(60));
/// assert_eq!(collect(pairs, 1..=5), [vec![1, 2], vec![3, 4], vec![5]]);
/// ```
pub fn batch<T: Message>(
    most: usize,
    within: Duration,
) -> impl Component<Pipe<T, Vec<T>>> + Clone + Send + Sync {
    assert!(most > 0, "a batch holds at least one message");
    async move |io: &mut Pipe<T, Vec<T>>| {
        let mut timer = Timer::new();
        while let Some(first) = io.inbox.next().await {
            let mut gathered = vec![first];
            // A moment beyond the clock never comes.
            if let Some(deadline) = now().checked_add(within) {
                timer.set(deadline);
            }
            while gathered.len() < most {
                let more = async { io.inbox.next().await };
                let late = async {
                    timer.expired().await;
                    None
                };
                // Either upstream has ended, which the next look shows again, or it is time.
                let Some(message) = or(more, late).await else {
                    break;
                };
                gathered.push(message);
            }
            timer.clear();
            io.outbox.send(gathered).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::zip;
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;
    use crate::stream::testing::{run, stuck};

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn batches_are_as_large_as_they_may_be_and_nothing_is_left() {
        let rows: [(usize, u32, &[usize]); 5] = [
            (3, 7, &[3, 3, 1]),
            (3, 6, &[3, 3]),
            (1, 3, &[1, 1, 1]),
            (10, 3, &[3]),
            (3, 0, &[]),
        ];
        for (most, count, sizes) in rows {
            for within in [LONG, Duration::MAX] {
                let (batches, outcome) = run(batch(most, within), 0..count);
                outcome.unwrap();
                let found: Vec<_> = batches.iter().map(Vec::len).collect();
                assert_eq!(found, sizes);
                assert!(batches.into_iter().flatten().eq(0..count));
            }
        }
    }

    #[test]
    fn a_batch_that_does_not_fill_up_is_sent_in_time() {
        let mut graph = Graph::new("slow");
        let part = graph.add("batch", batch(100, Duration::from_millis(5)));
        let (numbers, mut batches) = (graph.feed(part.inbox), graph.take(part.outbox));
        block_on(async {
            let script = async move {
                for round in 0..3 {
                    numbers.send(round).await.unwrap();
                    // Upstream has not ended: only the time brings the batch.
                    assert_eq!(batches.next().await, Some(vec![round]));
                }
            };
            zip(graph.start().unwrap(), script).await.0.unwrap();
        });
    }

    #[test]
    fn what_cannot_be_sent_on_is_not_taken_and_not_lost() {
        let (accepted, batches) = stuck(batch(2, LONG), |number| number);
        assert!(batches.into_iter().flatten().eq(0..accepted));
    }
}
