//! Passes messages on.

use kamea::{Done, Message, Pipe};

/// Passes on each message unchanged: the protocol of an echo server, or a placeholder.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::echo;
///
/// assert_eq!(collect(echo, ["hello"]), ["hello"]);
/// ```
pub async fn echo<T: Message>(io: &mut Pipe<T, T>) -> Done {
    while let Some(message) = io.inbox.next().await {
        io.outbox.send(message).await?;
    }
    Ok(())
}
