//! Counts messages by what they have in common.

use std::collections::HashMap;
use std::hash::Hash;

use kamea::{Component, Message, Pipe};

/// Counts messages by a key that `key` finds in each, and sends each key with its count when
/// upstream ends, the largest counts first. It keeps all keys.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::count_by;
///
/// let lengths = count_by(|word: &&str| word.len());
/// assert_eq!(collect(lengths, ["to", "be", "or", "not"]), [(2, 3), (3, 1)]);
/// ```
pub fn count_by<T: Message, K: Message + Hash + Ord + Clone>(
    key: impl FnMut(&T) -> K + Send + 'static,
) -> impl Component<Pipe<T, (K, u64)>> + Send {
    let mut key = key;
    async move |io: &mut Pipe<T, (K, u64)>| {
        let mut counts = HashMap::<K, u64>::new();
        while let Some(message) = io.inbox.next().await {
            *counts.entry(key(&message)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        for count in counts {
            io.outbox.send(count).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamea::testing::collect;

    #[test]
    fn every_message_counts_once_and_equal_counts_are_in_the_order_of_their_keys() {
        let counted = collect(count_by(|number: &u64| number % 7), 0..1000);
        assert_eq!(counted.iter().map(|(_, count)| count).sum::<u64>(), 1000);
        let keys: Vec<_> = counted.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [0, 1, 2, 3, 4, 5, 6]);
        assert!(collect(count_by(|number: &u64| *number), []).is_empty());
    }
}
