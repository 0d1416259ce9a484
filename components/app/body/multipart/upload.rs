//! A file of a form, on disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::StatusCode;
use kamea::unblock;
use kamea_components::file::ScratchFile;

use super::{Multipart, PartHead};
use crate::Problem;

/// A file of a form, in a file without a name that vanishes with it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Upload {
    /// Its name in the form, the name that it had, and its media type, as the peer says.
    pub head: PartHead,
    /// In bytes.
    pub length: u64,
    file: ScratchFile,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("head", &self.head)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// How many bytes are written, and read, at a time.
const BLOCK: usize = 256 * 1024;

impl Upload {
    /// Stores the rest of the current part.
    pub(super) async fn receive(
        form: &mut Multipart,
        head: PartHead,
        limit: u64,
    ) -> Result<Self, Problem> {
        let file = ScratchFile::create().await?;
        let (mut length, mut block) = (0, Vec::with_capacity(BLOCK));
        loop {
            let chunk = form.chunk().await?;
            block.extend_from_slice(chunk.as_deref().unwrap_or_default());
            if length + block.len() as u64 > limit {
                let detail = format!("the file has more than {limit} bytes");
                let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a file is too large");
                return Err(problem.wrong(head.name, detail));
            }
            if block.len() >= BLOCK || chunk.is_none() {
                let bytes = Bytes::from(std::mem::replace(&mut block, Vec::with_capacity(BLOCK)));
                let count = bytes.len() as u64;
                file.write_at(bytes, length).await?;
                length += count;
            }
            if chunk.is_none() {
                break;
            }
        }
        Ok(Self { head, length, file })
    }

    /// Reads some of its bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub async fn read_at(&self, from: u64, count: usize) -> io::Result<Bytes> {
        let rest = self.length.saturating_sub(from);
        let count = count.min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.file.read_at(from, count).await
    }

    /// Saves it at a path, which must not exist. The path is one of the program: never make it of
    /// [`PartHead::file_name`] alone.
    ///
    /// # Errors
    ///
    /// If the file exists, or cannot be written.
    pub async fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path: PathBuf = path.as_ref().to_owned();
        let file = unblock(move || std::fs::File::create_new(path)).await?;
        let file = std::sync::Arc::new(file);
        let mut from = 0;
        while from < self.length {
            let bytes = self.read_at(from, BLOCK).await?;
            from += bytes.len() as u64;
            let file = file.clone();
            unblock(move || io::Write::write_all(&mut &*file, &bytes)).await?;
        }
        Ok(())
    }

    /// A file name that is safe: the last segment of the name that the peer gave, of letters,
    /// digits, and a few signs. `None` if nothing is left of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::Upload;
    ///
    /// assert_eq!(Upload::safe_name("C:\\temp\\my photo.jpg").as_deref(), Some("my_photo.jpg"));
    /// assert_eq!(Upload::safe_name("../../etc/passwd").as_deref(), Some("passwd"));
    /// assert_eq!(Upload::safe_name(".htaccess").as_deref(), Some("htaccess"));
    /// assert_eq!(Upload::safe_name("..\0"), None);
    /// ```
    #[must_use]
    pub fn safe_name(name: &str) -> Option<String> {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let safe = |c: char| match c {
            c if c.is_alphanumeric() => Some(c),
            '.' | '-' | '_' => Some(c),
            ' ' => Some('_'),
            _ => None,
        };
        let name: String = last.chars().filter_map(safe).take(100).collect();
        let name = name.trim_start_matches('.');
        (!name.is_empty()).then(|| name.to_owned())
    }
}
