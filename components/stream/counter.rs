//! Counts messages.

use kamea::{Done, Message, Pipe};

/// Counts messages, and sends their number when upstream ends.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::counter;
///
/// assert_eq!(collect(counter, ["a", "b", "c"]), [3]);
/// ```
pub async fn counter<T: Message>(io: &mut Pipe<T, u64>) -> Done {
    let mut count = 0;
    while io.inbox.next().await.is_some() {
        count += 1;
    }
    Ok(io.outbox.send(count).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn none_is_a_number_too() {
        for count in [0, 1, 1000] {
            let (counted, outcome) = run(counter, 0..count);
            outcome.unwrap();
            assert_eq!(counted, [count]);
        }
    }
}
