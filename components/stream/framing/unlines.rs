//! Lines as a stream of bytes.

use bytes::Bytes;
use kamea::{Done, Pipe};

/// Ends each line with `\n` and makes bytes of it: the inverse of [`lines`](super::lines).
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::stream::unlines;
///
/// let lines = ["one", "two"].map(str::to_owned);
/// assert_eq!(collect(unlines, lines).concat(), b"one\ntwo\n");
/// ```
pub async fn unlines(io: &mut Pipe<String, Bytes>) -> Done {
    while let Some(mut line) = io.inbox.next().await {
        line.push('\n');
        io.outbox.send(line.into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::lines;
    use kamea::pipeline;
    use kamea::testing::collect;

    #[test]
    fn lines_take_back_what_it_makes() {
        let texts = ["", "a", "\u{e9}", " b "].map(str::to_owned);
        let there_and_back = pipeline!(unlines => lines(100));
        assert_eq!(collect(there_and_back, texts.clone()), texts);
    }
}
