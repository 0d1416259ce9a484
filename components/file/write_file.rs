//! Writes its input to a file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use kamea::{Blocking, Done, Message, Sink, blocking};

/// What to do with the existing contents of a file.
///
/// # Examples
///
/// ```
/// use kamea_components::file::Existing;
///
/// let is_log = true;
/// let existing = if is_log { Existing::Append } else { Existing::Replace };
/// # let _ = existing;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keeps them, and appends.
    Append,
    /// Discards them when the component starts; after a restart, the component continues after the
    /// bytes that it has written.
    Replace,
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
struct Unwritable {
    path: PathBuf,
    error: io::Error,
}

/// Writes each message to a file, on a thread that may wait for the disk. A missing file is
/// created.
///
/// Messages that are ready are written in one call, and it never waits for further messages. When
/// it ends, the system has all bytes; it decides when they reach the disk.
///
/// # Faults
///
/// If the file cannot be opened or written; the fault names it.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::file::{Existing, write_file};
/// use kamea_components::stream::data_source;
///
/// let path = tempfile::NamedTempFile::new()?.into_temp_path();
/// let scheduler = Scheduler::with_workers(1);
/// for line in ["one\n", "two\n"] {
///     let mut graph = Graph::new("writing");
///     pipeline!(graph, data_source([line]) => write_file(&path, Existing::Append));
///     scheduler.run(graph)?.wait()?;
/// }
/// assert_eq!(std::fs::read_to_string(&path)?, "one\ntwo\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn write_file<T: Message + AsRef<[u8]>>(
    path: impl AsRef<Path>,
    mut existing: Existing,
) -> Blocking<impl FnMut(&mut Sink<T>) -> Done + Send + 'static> {
    let path = path.as_ref().to_owned();
    blocking(move |io: &mut Sink<T>| {
        let unwritable = |error| Unwritable {
            path: path.clone(),
            error,
        };
        let file = open(&path, &mut existing).map_err(unwritable)?;
        Ok(write(file, io).map_err(unwritable)?)
    })
}

/// Opens the file; the second time, it continues after the bytes already written.
fn open(path: &Path, existing: &mut Existing) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match existing {
        Existing::Append => options.append(true),
        Existing::Replace => options.write(true).truncate(true),
    };
    let file = options.create(true).open(path)?;
    *existing = Existing::Append;
    Ok(file)
}

fn write<T: Message + AsRef<[u8]>>(file: File, io: &mut Sink<T>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Some(message) = io.inbox.next_blocking() {
        file.write_all(message.as_ref())?;
        if io.inbox.is_empty() {
            file.flush()?;
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kamea::{Graph, RunError, Scheduler, pipeline};

    use super::*;
    use crate::stream::data_source;

    fn write_words(
        path: &Path,
        existing: Existing,
        words: &[&'static str],
    ) -> Result<(), RunError> {
        let mut graph = Graph::new("writing");
        pipeline!(graph, data_source(words.to_vec()) => write_file(path, existing));
        Scheduler::with_workers(1).run(graph).unwrap().wait()
    }

    #[test]
    fn a_file_is_replaced_or_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made");
        let rows: [(Existing, &[&str], &str); 5] = [
            (Existing::Append, &["one ", "two "], "one two "),
            (Existing::Append, &["three"], "one two three"),
            (Existing::Replace, &["x"; 1000], &"x".repeat(1000)),
            (Existing::Append, &[], &"x".repeat(1000)),
            (Existing::Replace, &[], ""),
        ];
        for (existing, words, expected) in rows {
            write_words(&path, existing, words).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_is_in_the_file_before_the_next_one_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut graph = Graph::new("writing");
        let part = graph.add("file", write_file(&path, Existing::Append));
        let messages = graph.feed(part.inbox);
        let scheduler = Scheduler::with_workers(1);
        let running = scheduler.run(graph).unwrap();
        messages.send_blocking("here").unwrap();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while fs::read(&path).unwrap_or_default() != b"here" {
            assert!(std::time::Instant::now() < patience, "it was held back");
            std::thread::yield_now();
        }
        drop(messages);
        running.wait().unwrap();
    }

    #[test]
    fn a_fault_names_the_file() {
        let rows = [
            (
                "/no/such/folder/file",
                "cannot write /no/such/folder/file: No such file or directory",
            ),
            ("/", "cannot write /: Is a directory"),
            (
                "/dev/full",
                "cannot write /dev/full: No space left on device",
            ),
        ];
        for (path, expected) in rows {
            let fault = write_words(Path::new(path), Existing::Append, &["x"]).unwrap_err();
            assert!(fault.to_string().contains(expected), "{fault}");
        }
    }
}
