//! Gathers all messages into one.

use kamea::{Component, Message, Pipe};

/// More messages came than [`collate`] may keep.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} messages were to be collated; allow more, or send them on in batches")]
pub struct CollateError {
    /// The limit.
    pub most: usize,
}

/// Gathers all messages until upstream ends and sends them as one, even if it is empty.
///
/// # Faults
///
/// [`CollateError`], if there are more than `most`.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::collate;
///
/// assert_eq!(collect(collate(10), ["a", "b", "c"]), [["a", "b", "c"]]);
/// ```
pub fn collate<T: Message>(most: usize) -> impl Component<Pipe<T, Vec<T>>> + Clone + Send + Sync {
    async move |io: &mut Pipe<T, Vec<T>>| {
        let mut all = Vec::new();
        while let Some(message) = io.inbox.next().await {
            if all.len() == most {
                return Err(CollateError { most }.into());
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
