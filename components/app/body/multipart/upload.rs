//! A file of a form, on disk.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// The longest safe name, in bytes: file systems take 255, and a program may add something.
const LONGEST_NAME: usize = 200;

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
    /// If the file exists, or cannot be written. What was written is removed then, and also if the
    /// call is cancelled.
    pub async fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path: PathBuf = path.as_ref().to_owned();
        let create = move || -> io::Result<_> {
            let file = File::create_new(&path)?;
            Ok((file, Unfinished(Some(path))))
        };
        let (file, mut unfinished) = unblock(create).await?;
        let file = Arc::new(file);
        let mut from = 0;
        while from < self.length {
            let bytes = self.read_at(from, BLOCK).await?;
            from += bytes.len() as u64;
            let file = file.clone();
            unblock(move || io::Write::write_all(&mut &*file, &bytes)).await?;
        }
        unfinished.0 = None;
        Ok(())
    }

    /// A file name that is safe: the last segment of the name that the peer gave, of letters,
    /// digits, and a few signs, up to 200 bytes. `None` if nothing is left of it.
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
        let name: String = last.chars().filter_map(safe).take(LONGEST_NAME).collect();
        let end = name.floor_char_boundary(LONGEST_NAME);
        let name = name[..end].trim_start_matches('.');
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// A file that is being written. It is removed unless that was finished.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = std::fs::remove_file(path)
        {
            log::error!(
                "cannot remove the unfinished file {}: {error}",
                path.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::poll_once;
    use kamea::testing::block_on;
    use kamea::time::sleep;

    use super::*;

    /// A file that says it has this many bytes, and has a block fewer.
    async fn upload(length: usize) -> Upload {
        let file = ScratchFile::create().await.unwrap();
        let bytes = vec![7; length.saturating_sub(BLOCK)];
        file.write_at(bytes.into(), 0).await.unwrap();
        Upload {
            head: PartHead::default(),
            length: length as u64,
            file,
        }
    }

    #[test]
    fn nothing_is_left_of_a_file_that_was_not_saved_as_a_whole() {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("saved");
            let upload = upload(8 * BLOCK).await;
            assert!(upload.save(&path).await.is_err());
            assert!(!path.exists(), "it could not be read to its end");
            let mut save = Box::pin(upload.save(&path));
            while !path.exists() {
                assert!(poll_once(&mut save).await.is_none(), "it is not done yet");
            }
            drop(save);
            // If it was cancelled while it was created, it is removed a moment later.
            for _ in 0..500 {
                if path.exists() {
                    sleep(std::time::Duration::from_millis(10)).await;
                }
            }
            assert!(!path.exists(), "it was cancelled");
            std::fs::write(&path, "other").unwrap();
            assert!(upload.save(&path).await.is_err());
            assert_eq!(std::fs::read(&path).unwrap(), b"other", "of somebody else");
        });
    }

    #[test]
    fn a_safe_name_fits_into_every_file_system() {
        for (name, length) in [("x", 200), ("\u{e4}", 200), ("\u{6f22}", 198)] {
            let safe = Upload::safe_name(&name.repeat(300)).unwrap();
            assert_eq!(safe, name.repeat(length / name.len()));
        }
    }
}
