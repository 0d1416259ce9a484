//! Sends the bytes that are appended to a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use kamea::time::sleep;
use kamea::{Component, Source, unblock};

use super::read_file::Unreadable;

/// How many bytes are read at a time.
const CHUNK: u64 = 128 * 1024;

/// The interval of checks while nothing is appended.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends the bytes that are appended to a file from now on, like `tail -F`. It continues if the
/// file is replaced by another one of the same name (log rotation), starts again at the beginning
/// if the file is truncated, and waits for a file that is missing. It ends with its graph.
///
/// # Faults
///
/// If the file exists but cannot be read; the fault names it.
///
/// # Examples
///
/// ```no_run
/// use kamea::{for_each, pipeline};
/// use kamea_components::file::follow;
/// use kamea_components::stream::{LONGEST_LINE, lines};
///
/// fn main() -> Result<(), kamea::ProgramError> {
///     let print = for_each(async |line: String| {
///         println!("{line}");
///         Ok(())
///     });
///     kamea::run(pipeline!(follow("access.log") => lines(LONGEST_LINE) => print))
/// }
/// ```
#[must_use]
pub fn follow(path: impl AsRef<Path>) -> impl Component<Source<Bytes>> + Clone + Send + Sync {
    let path = path.as_ref().to_owned();
    async move |io: &mut Source<Bytes>| {
        let mut followed = Followed::end_of(path.clone());
        loop {
            let read = unblock(move || {
                let read = followed.read();
                (followed, read)
            });
            let (next, read) = read.await;
            followed = next;
            let bytes = read.map_err(|error| Unreadable {
                path: path.clone(),
                error,
            })?;
            if bytes.is_empty() {
                sleep(PAUSE).await;
            } else {
                io.outbox.send(bytes).await?;
            }
        }
    }
}

/// A file by its name, and how far it has been read.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    file: Option<File>,
    position: u64,
    /// Whether a file that is opened now already existed at the start.
    is_old: bool,
}

impl Followed {
    fn end_of(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            position: 0,
            is_old: true,
        }
    }

    /// Returns the next bytes; empty if nothing has been appended. Blocks.
    fn read(&mut self) -> io::Result<Bytes> {
        if self.file.is_none() && !self.open()? {
            return Ok(Bytes::new());
        }
        let bytes = self.read_on()?;
        if bytes.is_empty() && self.is_replaced()? {
            self.file = None;
        }
        Ok(bytes)
    }

    /// Opens the file, if it exists.
    fn open(&mut self) -> io::Result<bool> {
        let is_old = std::mem::take(&mut self.is_old);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        self.position = if is_old { file.metadata()?.len() } else { 0 };
        self.file = Some(file);
        Ok(true)
    }

    fn read_on(&mut self) -> io::Result<Bytes> {
        let Some(file) = &mut self.file else {
            return Ok(Bytes::new());
        };
        if file.metadata()?.len() < self.position {
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        let read = file.take(CHUNK).read_to_end(&mut bytes)?;
        self.position += read as u64;
        Ok(bytes.into())
    }

    /// Whether the name now refers to another file.
    fn is_replaced(&self) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        match self.path.metadata() {
            Ok(now) => {
                let own = file.metadata()?;
                Ok((now.dev(), now.ino()) != (own.dev(), own.ino()))
            }
            // The new file does not exist yet.
            Err(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    fn add(path: &Path, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_added_is_read_once_across_rotations_and_cuts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        add(&path, "old\n");
        let mut followed = Followed::end_of(path.clone());
        assert_eq!(followed.read().unwrap(), "", "what was there is not new");
        add(&path, "one\n");
        add(&path, "two\n");
        assert_eq!(followed.read().unwrap(), "one\ntwo\n");
        assert_eq!(followed.read().unwrap(), "");
        // Rotated; the last line is appended to the old file.
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        add(&folder.path().join("log.1"), "late\n");
        assert_eq!(followed.read().unwrap(), "late\n");
        assert_eq!(followed.read().unwrap(), "", "there is none of the name");
        add(&path, "three\n");
        assert_eq!(followed.read().unwrap(), "", "it sees that it is another");
        assert_eq!(followed.read().unwrap(), "three\n");
        // Truncated and started again.
        fs::write(&path, "4\n").unwrap();
        assert_eq!(followed.read().unwrap(), "4\n");
    }

    #[test]
    fn a_file_that_comes_later_is_new_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut followed = Followed::end_of(path.clone());
        assert_eq!(followed.read().unwrap(), "");
        add(&path, "first\n");
        assert_eq!(followed.read().unwrap(), "first\n");
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut graph = kamea::Graph::new("following");
        let part = graph.add("follow", follow(folder.path()));
        let _bytes = graph.take(part.outbox);
        let scheduler = kamea::Scheduler::with_workers(1);
        let error = scheduler
            .run(graph)
            .unwrap()
            .wait()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }
}
