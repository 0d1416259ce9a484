//! A slice of a file: bytes that have not been read yet.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use kamea::unblock;
use tokio::sync::OwnedSemaphorePermit;

/// How many bytes [`FileSlice::read_next`] reads at a time.
const CHUNK: u64 = 128 * 1024;

/// An open file, which may count towards a limit of open files until it is closed.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use kamea_components::file::OpenFile;
/// use tokio::sync::Semaphore;
///
/// let limit = Arc::new(Semaphore::new(1));
/// let place = limit.clone().try_acquire_owned()?;
/// let file = OpenFile::from(tempfile::tempfile()?).counted(place);
/// assert_eq!(limit.available_permits(), 0);
/// drop(file);
/// assert_eq!(limit.available_permits(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    #[expect(dead_code, reason = "it is held until the file is closed")]
    place: Option<OwnedSemaphorePermit>,
}

impl OpenFile {
    /// The same file, which holds `place` until it is closed.
    #[must_use]
    pub fn counted(self, place: OwnedSemaphorePermit) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }
}

impl From<File> for OpenFile {
    fn from(file: File) -> Self {
        Self { file, place: None }
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// Consecutive bytes of a file.
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The file, open for reading.
    pub file: Arc<OpenFile>,
    /// Where the slice begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl FileSlice {
    /// Reads all of it into a buffer, and replaces the contents of that. May wait for the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be read; [`io::ErrorKind::UnexpectedEof`] if the file has become shorter.
    pub fn read_into(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let length = usize::try_from(self.length).map_err(io::Error::other)?;
        buffer.resize(length, 0);
        self.file.read_exact_at(buffer, self.offset)
    }

    /// Reads the next bytes, at most 128 KiB, on a thread that may wait for the disk, and removes
    /// them from the slice. Returns `None` at the end of the slice.
    ///
    /// # Errors
    ///
    /// Like [`read_into`](Self::read_into).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use kamea_components::file::FileSlice;
    ///
    /// let mut file = tempfile::tempfile()?;
    /// std::io::Write::write_all(&mut file, b"0123456789")?;
    /// let mut slice = FileSlice { file: Arc::new(file.into()), offset: 2, length: 5 };
    /// kamea::testing::block_on(async {
    ///     assert_eq!(slice.read_next().await?.as_deref(), Some(&b"23456"[..]));
    ///     assert_eq!(slice.read_next().await?, None);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn read_next(&mut self) -> io::Result<Option<Bytes>> {
        if self.length == 0 {
            return Ok(None);
        }
        let part = Self {
            length: self.length.min(CHUNK),
            ..self.clone()
        };
        (self.offset, self.length) = (self.offset + part.length, self.length - part.length);
        let mut bytes = Vec::new();
        let read = unblock(move || part.read_into(&mut bytes).map(|()| bytes));
        Ok(Some(read.await?.into()))
    }
}
