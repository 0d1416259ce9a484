//! Gathers all messages into one.

use kamea::{Component, Message, Pipe};

/// More messages came than [`collate`] may keep.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} messages were to be collated; allow more, or send them on in batches")]
pub struct TooMany {
    /// The limit.
    pub most: usize,
}

/// Gathers all messages until upstream ends and sends them as one, even if it is empty.
///
/// # Faults
///
/// [`TooMany`], if there are more than `most`.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{collate, data_source};
///
/// let mut graph = Graph::new("collating");
/// let (_, all) = pipeline!(graph, data_source(["a", "b", "c"]) => collate(10));
/// let mut all = graph.take(all);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(all.next_blocking(), Some(vec!["a", "b", "c"]));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn collate<T: Message>(most: usize) -> impl Component<Pipe<T, Vec<T>>> + Clone + Send + Sync {
    async move |io: &mut Pipe<T, Vec<T>>| {
        let mut all = Vec::new();
        while let Some(message) = io.inbox.next().await {
            if all.len() == most {
                return Err(TooMany { most }.into());
            }
            all.push(message);
        }
        Ok(io.outbox.send(all).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn all_come_as_one_if_they_are_not_too_many() {
        for count in [0, 1, 3] {
            let (all, outcome) = run(collate(3), 0..count);
            outcome.unwrap();
            assert_eq!(all, [(0..count).collect::<Vec<_>>()]);
        }
        let (all, outcome) = run(collate(3), 0..4);
        assert!(all.is_empty());
        let fault = outcome.unwrap_err().to_string();
        assert!(fault.contains("more than 3 messages"), "{fault}");
    }
}
