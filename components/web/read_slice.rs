//! The reader of files: the bytes of a file, chunk by chunk.

use kamea::{Component, Source};

use crate::file::FileSlice;
use crate::http::Chunk;

/// Reads part of a file, in chunks of 128 KiB, on threads that may wait for the disk. If the file
/// has become shorter, that is a fault.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use kamea::Graph;
/// use kamea_components::web::read_slice;
/// use kamea_components::file::FileSlice;
/// use kamea_components::http::Chunk;
///
/// let mut file = tempfile::tempfile()?;
/// std::io::Write::write_all(&mut file, b"0123456789")?;
/// let slice = FileSlice { file: Arc::new(file.into()), offset: 2, length: 5 };
/// let mut graph = Graph::new("reader alone");
/// let reader = graph.add("reader", read_slice(slice));
/// let mut chunks = graph.take(reader.outbox);
/// kamea::testing::block_on(graph.start()?)?;
/// assert!(matches!(chunks.try_next(), Some(Chunk::Data(bytes)) if bytes == "23456"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_slice(slice: FileSlice) -> impl Component<Source<Chunk>> + Clone + Send + Sync {
    async move |io: &mut Source<Chunk>| {
        let mut slice = slice.clone();
        while let Some(bytes) = slice.read_next().await? {
            io.outbox.send(bytes.into()).await?;
        }
        Ok(io.outbox.send(Chunk::END).await?)
    }
}
