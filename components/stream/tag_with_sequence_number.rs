//! Numbers messages.

use kamea::{Component, Message, Pipe};

/// Numbers messages from 0, to sort them later or to notice missing ones. After a restart it
/// continues to count.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::tag_with_sequence_number;
///
/// assert_eq!(collect(tag_with_sequence_number(), ["a", "b"]), [(0, "a"), (1, "b")]);
/// ```
pub fn tag_with_sequence_number<T: Message>()
-> impl Component<Pipe<T, (u64, T)>> + Clone + Send + Sync {
    let mut number = 0;
    async move |io: &mut Pipe<T, (u64, T)>| {
        while let Some(message) = io.inbox.next().await {
            let tagged = (number, message);
            number += 1;
            io.outbox.send(tagged).await?;
        }
        Ok(())
    }
}
