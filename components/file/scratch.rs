//! A file without a name, for data that waits and does not fit into memory.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kamea::unblock;

/// A file without a name, in the folder for temporary files. The system removes it when it is
/// closed, however the program ends. Reads and writes run on the thread pool for blocking calls.
///
/// # Examples
///
/// ```
/// use kamea_components::file::ScratchFile;
///
/// kamea::testing::block_on(async {
///     let file = ScratchFile::create().await?;
///     file.write_at("hello, world".into(), 0).await?;
///     assert_eq!(file.read_at(7, 5).await?, "world");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScratchFile(Arc<File>);

impl ScratchFile {
    /// Creates an empty one.
    ///
    /// # Errors
    ///
    /// If the system cannot create one: the disk is full, or the folder cannot be written to.
    pub async fn create() -> io::Result<Self> {
        let file = unblock(tempfile::tempfile).await?;
        Ok(Self(Arc::new(file)))
    }

    /// Writes all bytes, starting at byte `from`.
    ///
    /// # Errors
    ///
    /// If they cannot be written, for example because the disk is full.
    pub async fn write_at(&self, bytes: Bytes, from: u64) -> io::Result<()> {
        let file = self.0.clone();
        unblock(move || file.write_all_at(&bytes, from)).await
    }

    /// Reads `count` bytes, starting at byte `from`.
    ///
    /// # Errors
    ///
    /// If there are fewer bytes, or they cannot be read.
    pub async fn read_at(&self, from: u64, count: usize) -> io::Result<Bytes> {
        let file = self.0.clone();
        let read = move || {
            let mut bytes = BytesMut::zeroed(count);
            file.read_exact_at(&mut bytes, from)?;
            Ok(bytes.freeze())
        };
        unblock(read).await
    }

    /// Returns the file for another process, which reads it from its beginning.
    ///
    /// # Errors
    ///
    /// If there are too many open files.
    pub fn to_descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }
}
