//! The reader of files: the bytes of a file, chunk by chunk.

use std::io;
use std::os::unix::fs::FileExt;

use kamea::{Component, Source, unblock};

use crate::http::{Chunk, FileSlice};

/// How many bytes are read at a time.
const CHUNK: u64 = 128 * 1024;

/// Reads part of a file, in chunks of 128 KiB, on threads that may wait for the disk. A file that has become shorter is a fault.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use kamea::Graph;
/// use kamea_components::file::read_slice;
/// use kamea_components::http::{Chunk, FileSlice};
///
/// let mut file = tempfile::tempfile()?;
/// std::io::Write::write_all(&mut file, b"0123456789")?;
/// let slice = FileSlice { file: Arc::new(file), offset: 2, length: 5 };
/// let mut graph = Graph::new("reader alone");
/// let reader = graph.add("reader", read_slice(slice));
/// let mut chunks = graph.take(reader.outbox);
/// kamea::testing::block_on(graph.start()?)?;
/// assert!(matches!(chunks.try_next(), Some(Chunk::Data(bytes)) if bytes == "23456"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_slice(slice: FileSlice) -> impl Component<Source<Chunk>> + Clone + Send + Sync {
    async move |io: &mut Source<Chunk>| {
        let (mut offset, end) = (slice.offset, slice.offset + slice.length);
        while offset < end {
            let file = slice.file.clone();
            // At most `CHUNK`: it fits.
            let mut bytes = vec![0; (end - offset).min(CHUNK) as usize];
            let bytes = unblock(move || {
                file.read_exact_at(&mut bytes, offset)?;
                io::Result::Ok(bytes)
            });
            let bytes = bytes.await?;
            offset += bytes.len() as u64;
            io.outbox.send(bytes.into()).await?;
        }
        Ok(io.outbox.send(Chunk::END).await?)
    }
}
