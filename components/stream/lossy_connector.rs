//! A link that drops messages instead of waiting.

use kamea::{Component, Message, Pipe, TrySendError};

/// Passes messages on while there is space downstream and drops them otherwise: upstream never
/// waits.
///
/// Use it for messages that grow stale: readings, pictures, positions. The capacity of the link
/// behind it is the number of messages that may wait.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::stream::{data_source, lossy_connector};
///
/// let mut graph = Graph::new("hasty");
/// let readings = graph.add("readings", data_source(1..=1000));
/// let hasty = graph.add("hasty", lossy_connector());
/// graph.link(readings.outbox, hasty.inbox);
/// let seen = graph.take(hasty.outbox); // by somebody who looks too late
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// scheduler.run(graph)?.wait()?;
/// assert_eq!(seen.into_iter().count(), kamea::DEFAULT_CAPACITY);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lossy_connector<T: Message>() -> impl Component<Pipe<T, T>> + Clone + Send + Sync {
    async |io: &mut Pipe<T, T>| {
        while let Some(message) = io.inbox.next().await {
            if let Err(TrySendError::Closed(_)) = io.outbox.try_send(message) {
                break;
            }
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

    #[test]
    fn upstream_never_waits_and_what_passes_keeps_its_order() {
        let count = 10 * kamea::DEFAULT_CAPACITY;
        let mut graph = Graph::new("hasty");
        let part = graph.add("hasty", lossy_connector());
        let (numbers, mut passed) = (graph.feed(part.inbox), graph.take(part.outbox));
        block_on(async {
            let feed = async move {
                for number in 0..count {
                    numbers.send(number).await.unwrap();
                }
            };
            // Nobody takes anything before all is sent.
            zip(graph.start().unwrap(), feed).await.0.unwrap();
        });
        let passed = std::iter::from_fn(|| passed.try_next());
        assert!(passed.eq(0..kamea::DEFAULT_CAPACITY));
    }
}
