//! Bodies that are encoded while they are sent.
//!
//! ```text
//! file, or a stream ──▶ chunks ──▶ encode ──▶ the body of the response
//! ```

use kamea::{Component, Graph, Pipe, Receiver, Source, spawn};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Body, read_slice};
use crate::coding::{Coding, encode};
use crate::http::Chunk;

/// The most memory for the encoders of bodies that are being sent, in bytes. Each is needed until
/// its peer has received the body.
const BUDGET: usize = 128 << 20;

/// The unit of the budget, in bytes.
const UNIT: usize = 1 << 10;

static ENCODERS: Semaphore = Semaphore::const_new(BUDGET / UNIT);

/// The permit to encode a body while it is sent.
#[derive(Debug)]
pub struct Encoding {
    coding: Coding,
    permit: SemaphorePermit<'static>,
}

impl Encoding {
    /// Returns a permit if there is memory left for one more encoder: all of them together have 128
    /// MiB. A body may always be sent without encoding.
    #[must_use]
    pub fn begin(coding: Coding) -> Option<Self> {
        let units = u32::try_from(coding.encoder_memory().div_ceil(UNIT)).ok()?;
        let permit = ENCODERS.try_acquire_many(units).ok()?;
        Some(Self { coding, permit })
    }

    /// The coding.
    #[must_use]
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// Encodes the body of a file or a stream in a graph of its own, at the speed of the peer.
    /// Other bodies do not change.
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

/// Moves chunks from outside into a graph.
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
    use super::*;

    #[test]
    fn encoders_share_a_budget_of_memory() {
        let counted = Coding::ALL.map(|coding| {
            let permits: Vec<_> = std::iter::from_fn(|| Encoding::begin(coding)).collect();
            let bytes = permits.len() * coding.encoder_memory();
            assert!((BUDGET * 9 / 10..=BUDGET).contains(&bytes), "{coding:?}");
            permits.len()
        });
        assert!(counted.iter().all(|count| *count > 15), "{counted:?}");
    }
}
