//! The encoding component, and bodies that go through it.
//!
//! ```text
//! file, or a stream ──▶ chunks ──▶ encode ──▶ the body of the response
//! ```

use bytes::Bytes;
use kamea::{Component, Done, End, Graph, Outbox, Pipe, Receiver, Source, compute, spawn};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Coding, Encoder};
use crate::file::read_slice;
use crate::http::{Body, Chunk};

/// Encodes content as it comes: each chunk on a thread that may compute. It ends with [`Chunk::End`] only if its input does.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::coding::{Coding, encode};
/// use kamea_components::http::Chunk;
///
/// let mut graph = Graph::new("packing");
/// let encoder = graph.add("encoder", encode(Coding::Gzip));
/// let (chunks, mut encoded) = (graph.feed(encoder.inbox), graph.take(encoder.outbox));
/// chunks.try_send("hello".into()).unwrap();
/// chunks.try_send(Chunk::END).unwrap();
/// drop(chunks);
/// kamea::testing::block_on(graph.start()?)?;
/// let packed = std::iter::from_fn(|| encoded.try_next()).collect::<Vec<_>>();
/// assert!(matches!(packed[..], [Chunk::Data(_), .., Chunk::End(_)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

/// How many bodies are encoded while they are sent, at once: each has an encoder in memory, of a few mebibytes, for as long as its peer
/// takes.
const MOST: usize = 64;

static ENCODINGS: Semaphore = Semaphore::const_new(MOST);

/// The right to encode a body while it is sent.
#[derive(Debug)]
pub struct Encoding {
    coding: Coding,
    permit: SemaphorePermit<'static>,
}

impl Encoding {
    /// The right, if there is one left: at most 64 bodies are encoded at once. A body may always be sent as it is instead.
    #[must_use]
    pub fn begin(coding: Coding) -> Option<Self> {
        let permit = ENCODINGS.try_acquire().ok()?;
        Some(Self { coding, permit })
    }

    /// The coding.
    #[must_use]
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// The content of a file or a stream, encoded by a graph of its own, as fast as the peer takes it. Other bodies stay as they are.
    #[must_use]
    pub fn apply(self, body: Body) -> Body {
        match body {
            Body::File(slice) => self.run(read_slice(slice)),
            Body::Stream { chunks, .. } => self.run(pass_on(chunks)),
            body => body,
        }
    }

    fn run(self, source: impl Component<Source<Chunk>> + Send) -> Body {
        let mut graph = Graph::new("encoded body");
        let source = graph.add("source", source);
        let mut encode = encode(self.coding);
        let permit = self.permit;
        let encoder = graph.add("encoder", async move |io: &mut Pipe<Chunk, Chunk>| {
            let _permit = &permit;
            encode(io).await
        });
        graph.link(source.outbox, encoder.inbox).capacity(2);
        let chunks = graph.take(encoder.outbox);
        let flow = graph.start();
        spawn(flow.expect("both ports of both components are linked"));
        Body::Stream {
            chunks,
            length: None,
        }
    }
}

/// Brings chunks from elsewhere into a graph.
fn pass_on(chunks: Receiver<Chunk>) -> impl Component<Source<Chunk>> + Send {
    let mut chunks = chunks;
    async move |io: &mut Source<Chunk>| {
        while let Some(chunk) = chunks.next().await {
            io.outbox.send(chunk).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;

    use super::super::encoder::tests::decode;
    use super::*;
    use crate::http::Fields;

    /// What comes of some chunks.
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
