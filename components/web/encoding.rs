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

/// How many bodies are encoded at the same time, while they are sent. Each needs an encoder of a
/// few mebibytes of memory, until its peer has received it.
const MOST: usize = 64;

static ENCODINGS: Semaphore = Semaphore::const_new(MOST);

/// The permit to encode a body while it is sent.
#[derive(Debug)]
pub struct Encoding {
    coding: Coding,
    permit: SemaphorePermit<'static>,
}

impl Encoding {
    /// Returns a permit if there is one left: at most 64 bodies are encoded at the same time. A
    /// body may always be sent without encoding.
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
