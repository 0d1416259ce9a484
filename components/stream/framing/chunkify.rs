//! Cuts bytes into chunks of one size.

use bytes::{Bytes, BytesMut};
use kamea::{Component, Pipe};

/// Cuts bytes into chunks of `size` bytes; the last one may be shorter.
///
/// # Panics
///
/// If `size` is 0.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::testing::collect;
/// use kamea_components::stream::chunkify;
///
/// let words = ["small ", "compo", "nents"].map(Bytes::from);
/// assert_eq!(collect(chunkify(7), words), ["small c", "omponen", "ts"]);
/// ```
pub fn chunkify(size: usize) -> impl Component<Pipe<Bytes, Bytes>> + Clone + Send + Sync {
    assert!(size > 0, "a chunk has at least one byte");
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let mut begun = BytesMut::new();
        while let Some(mut bytes) = io.inbox.next().await {
            while begun.len() + bytes.len() >= size {
                let missing = bytes.split_to(size - begun.len());
                let chunk = if begun.is_empty() {
                    missing
                } else {
                    begun.extend_from_slice(&missing);
                    begun.split().freeze()
                };
                io.outbox.send(chunk).await?;
            }
            begun.extend_from_slice(&bytes);
        }
        if !begun.is_empty() {
            io.outbox.send(begun.freeze()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::{pieces, run, stuck};

    #[test]
    fn the_bytes_are_the_same_and_all_chunks_but_the_last_have_the_size() {
        let bytes: Vec<u8> = (0..100).collect();
        for size in [1, 2, 3, 7, 50, 99, 100, 101] {
            for came in [1, 2, 5, 33, 100] {
                let (chunks, outcome) = run(chunkify(size), pieces(&bytes, came));
                outcome.unwrap();
                assert!(chunks.iter().flatten().eq(&bytes));
                let (last, others) = chunks.split_last().unwrap();
                assert!(others.iter().all(|chunk| chunk.len() == size));
                assert!((1..=size).contains(&last.len()), "{size}, {came}");
            }
        }
        assert!(run(chunkify(1), [Bytes::new()]).0.is_empty());
    }

    #[test]
    fn what_cannot_be_sent_on_is_not_taken_and_not_lost() {
        let (accepted, chunks) = stuck(chunkify(3), |_| Bytes::from_static(b"12"));
        assert_eq!(chunks.concat().len(), 2 * accepted as usize);
    }
}
