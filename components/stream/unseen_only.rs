//! Drops repeated messages.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::rc::Rc;

use kamea::{Component, Message, Pipe};

/// Passes on a message unless it is among the last `memory` different ones; the oldest is forgotten
/// first.
///
/// # Panics
///
/// If `memory` is 0.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::unseen_only;
///
/// assert_eq!(collect(unseen_only(1000), ["a", "b", "a", "c", "b"]), ["a", "b", "c"]);
/// ```
pub fn unseen_only<T: Message + Clone + Eq + Hash>(
    memory: usize,
) -> impl Component<Pipe<T, T>> + Clone + Send + Sync {
    assert!(memory > 0, "without memory everything is new");
    async move |io: &mut Pipe<T, T>| {
        let (mut seen, mut oldest) = (HashSet::new(), VecDeque::new());
        while let Some(message) = io.inbox.next().await {
            if seen.contains(&message) {
                continue;
            }
            if oldest.len() == memory
                && let Some(forgotten) = oldest.pop_front()
            {
                seen.remove(&forgotten);
            }
            let known = Rc::new(message.clone());
            seen.insert(known.clone());
            oldest.push_back(known);
            io.outbox.send(message).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn the_memory_is_bounded() {
        let rows: [(usize, &[u32], &[u32]); 4] = [
            (1, &[1, 1, 2, 2, 1], &[1, 2, 1]),
            (2, &[1, 2, 1, 3, 2, 1], &[1, 2, 3, 1]),
            (3, &[1, 2, 3, 1, 2, 3], &[1, 2, 3]),
            (3, &[], &[]),
        ];
        for (memory, messages, expected) in rows {
            let (unseen, outcome) = run(unseen_only(memory), messages.to_vec());
            outcome.unwrap();
            assert_eq!(unseen, expected, "{messages:?} with a memory of {memory}");
        }
    }
}
