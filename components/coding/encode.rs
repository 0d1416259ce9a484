//! The encoding component.
//!
//! ```text
//! chunks ──▶ encode ──▶ the same, encoded
//! ```

use bytes::Bytes;
use kamea::{Done, End, Outbox, Pipe, compute};

use super::{Coding, Encoder};
use crate::http::Chunk;

/// Encodes a body as it arrives: each chunk on a compute thread. It ends with [`Chunk::End`] only
/// if its input does.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::coding::{Coding, encode};
/// use kamea_components::http::Chunk;
///
/// let packed = collect(encode(Coding::Gzip), ["hello".into(), Chunk::END]);
/// assert!(matches!(packed[..], [Chunk::Data(_), .., Chunk::End(_)]));
/// ```
pub fn encode(
    coding: Coding,
) -> impl AsyncFnMut(&mut Pipe<Chunk, Chunk>) -> Done + Clone + Send + Sync + 'static {
    async move |io: &mut Pipe<Chunk, Chunk>| {
        let mut encoder = Encoder::new(coding)?;
        while let Some(chunk) = io.inbox.next().await {
            match chunk {
                Chunk::Data(bytes) => {
                    let (back, encoded) = compute(move || {
                        let encoded = encoder.encode(&bytes);
                        (encoder, encoded)
                    })
                    .await;
                    encoder = back;
                    send(&io.outbox, encoded?).await?;
                }
                Chunk::End(trailers) => {
                    send(&io.outbox, compute(move || encoder.finish()).await?).await?;
                    return Ok(io.outbox.send(Chunk::End(trailers)).await?);
                }
            }
        }
        Ok(())
    }
}

async fn send(outbox: &Outbox<Chunk>, encoded: Bytes) -> Result<(), End> {
    if !encoded.is_empty() {
        outbox.send(encoded.into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::super::encoder::tests::decode;
    use super::*;
    use crate::http::Fields;

    /// Returns the output for some chunks.
    fn encoded(chunks: impl IntoIterator<Item = Chunk>) -> Vec<Chunk> {
        let mut graph = Graph::new("encoding");
        let encoder = graph.add("encoder", encode(Coding::Zstd));
        let (sender, mut encoded) = (graph.feed(encoder.inbox), graph.take(encoder.outbox));
        for chunk in chunks {
            sender.try_send(chunk).unwrap();
        }
        drop(sender);
        block_on(graph.start().unwrap()).unwrap();
        std::iter::from_fn(|| encoded.try_next()).collect()
    }

    fn data(chunks: &[Chunk]) -> Vec<u8> {
        let mut content = Vec::new();
        for chunk in chunks {
            if let Chunk::Data(bytes) = chunk {
                content.extend_from_slice(bytes);
            }
        }
        content
    }

    #[test]
    fn the_end_and_its_trailers_come_behind_the_content() {
        let trailers = Fields::new().with("Digest", "x");
        let chunks = encoded(["one, ".into(), "two".into(), Chunk::End(trailers)]);
        assert_eq!(decode(Coding::Zstd, &data(&chunks)), b"one, two");
        assert!(matches!(chunks.last(), Some(Chunk::End(trailers)) if trailers.len() == 1));
    }

    #[test]
    fn what_breaks_off_has_no_end() {
        let chunks = encoded(["one".into()]);
        assert!(!chunks.iter().any(|chunk| matches!(chunk, Chunk::End(_))));
    }
}
