//! Cuts a file into slices, which other components read.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use kamea::{Component, Source, unblock};

use super::read_file::Unreadable;
use super::{FileSlice, OpenFile};

/// Cuts a file into slices of `length` bytes; the last one may be shorter. It reads nothing: the
/// receiver of a slice reads it. So [`parallel`](crate::chassis::parallel) reads on all cores, and
/// bytes do not move between threads.
///
/// The length of the file is determined at the start. For a source without a length, such as a
/// pipe, use [`read_file`](super::read_file()).
///
/// # Faults
///
/// If it cannot be opened, or is not a regular file; the fault names it.
///
/// # Panics
///
/// If `length` is 0.
///
/// # Examples
///
/// ```
/// use std::io;
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::chassis::parallel;
/// use kamea_components::file::{FileSlice, slice_file};
///
/// // Each copy has a buffer of its own.
/// let mut buffer = Vec::new();
/// let count_lines = move |slice: FileSlice| {
///     slice.read_into(&mut buffer)?;
///     io::Result::Ok(buffer.iter().filter(|byte| **byte == b'\n').count())
/// };
/// let mut graph = Graph::new("line count");
/// let (_, counts) = pipeline!(graph, slice_file("/etc/hosts", 16) => parallel(2, count_lines));
/// let counts = graph.take(counts);
/// let scheduler = Scheduler::with_workers(2);
/// let running = scheduler.run(graph)?;
/// let lines: usize = counts.into_iter().sum::<io::Result<_>>()?;
/// assert_eq!(lines, std::fs::read_to_string("/etc/hosts")?.matches('\n').count());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn slice_file(
    path: impl AsRef<Path>,
    length: u64,
) -> impl Component<Source<FileSlice>> + Clone + Send + Sync {
    assert!(length > 0, "a slice has at least one byte");
    let path = path.as_ref().to_owned();
    async move |io: &mut Source<FileSlice>| {
        let opened = {
            let path = path.clone();
            unblock(move || open(&path)).await
        };
        let (file, end) = opened.map_err(|error| Unreadable {
            path: path.clone(),
            error,
        })?;
        let mut offset = 0;
        while offset < end {
            let slice = FileSlice {
                file: file.clone(),
                offset,
                length: length.min(end - offset),
            };
            offset += slice.length;
            io.outbox.send(slice).await?;
        }
        Ok(())
    }
}

/// A file and its length.
fn open(path: &Path) -> io::Result<(Arc<OpenFile>, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let why = "it is no regular file, which alone has a length";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok((Arc::new(file.into()), metadata.len()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use kamea::testing::block_on;
    use kamea::{Graph, link};

    use super::*;

    fn slices(path: &Path, length: u64) -> Result<Vec<FileSlice>, String> {
        let mut graph = Graph::new("slices");
        let part = graph.add("slices", slice_file(path, length));
        let (to, mut slices) = link(100);
        graph.take_into(part.outbox, to);
        block_on(graph.start().unwrap()).map_err(|fault| fault.to_string())?;
        Ok(std::iter::from_fn(|| slices.try_next()).collect())
    }

    #[test]
    fn the_slices_of_a_file_are_the_whole_of_it() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut buffer = vec![1; 100];
        for length in [1, 3, 5, 10, 11, u64::MAX] {
            let mut all = Vec::new();
            for slice in slices(file.path(), length).unwrap() {
                slice.read_into(&mut buffer).unwrap();
                assert!((1..=length).contains(&(buffer.len() as u64)), "{length}");
                all.append(&mut buffer);
            }
            assert_eq!(all, b"0123456789", "{length}");
        }
        let slice = slices(file.path(), 10).unwrap().remove(0);
        file.as_file().set_len(9).unwrap();
        let shorter = slice.read_into(&mut buffer).unwrap_err();
        assert_eq!(shorter.kind(), io::ErrorKind::UnexpectedEof);
        file.as_file().set_len(0).unwrap();
        assert!(slices(file.path(), 1).unwrap().is_empty());
    }

    #[test]
    fn what_has_no_length_is_refused_by_name() {
        for path in ["/dev/zero", "/", "/no/such/file"] {
            let fault = slices(Path::new(path), 1).unwrap_err();
            assert!(fault.contains(&format!("cannot read {path}: ")), "{fault}");
        }
    }
}
