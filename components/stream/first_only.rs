//! Passes on the first messages only.

use kamea::{Component, Message, Pipe};

/// Passes on the first `count` messages and ends. Upstream ends when it sends the next one.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::first_only;
///
/// assert_eq!(collect(first_only(2), 1..=1000), [1, 2]);
/// ```
pub fn first_only<T: Message>(count: usize) -> impl Component<Pipe<T, T>> + Clone + Send + Sync {
    async move |io: &mut Pipe<T, T>| {
        for _ in 0..count {
            let Some(message) = io.inbox.next().await else {
                break;
            };
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
    fn so_many_pass_and_upstream_hears_that_it_is_over() {
        for (count, passed) in [(0, 0), (1, 1), (3, 3), (9, 5)] {
            let (first, outcome) = run(first_only(count), 0..5);
            outcome.unwrap();
            assert!(first.into_iter().eq(0..passed));
        }
        // Without that this would not end.
        assert_eq!(run(first_only(2), 0_u64..).0, [0, 1]);
    }
}
