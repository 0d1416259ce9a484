//! Reads the bytes of a file, from its beginning to its end.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kamea::{Blocking, Done, Source, blocking};

/// How many bytes are read at a time.
const CHUNK: usize = 128 * 1024;

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {error}", path.display())]
pub(super) struct Unreadable {
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

/// Reads a file, in chunks of at most 128 KiB, on a thread that may wait for the disk.
///
/// # Faults
///
/// If the file cannot be opened or read; the fault names it.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::file::read_file;
///
/// let mut graph = Graph::new("reading");
/// let hosts = graph.add("hosts", read_file("/etc/hosts"));
/// let bytes = graph.take(hosts.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// assert_eq!(bytes.into_iter().collect::<Vec<_>>().concat(), std::fs::read("/etc/hosts")?);
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn read_file(
    path: impl AsRef<Path>,
) -> Blocking<impl FnMut(&mut Source<Bytes>) -> Done + Send + 'static> {
    let path = path.as_ref().to_owned();
    blocking(move |io: &mut Source<Bytes>| {
        let unreadable = |error| Unreadable {
            path: path.clone(),
            error,
        };
        let mut file = File::open(&path).map_err(unreadable)?;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let part = file.by_ref().take(CHUNK as u64);
            let count = { part }.read_to_end(&mut chunk).map_err(unreadable)?;
            if count == 0 {
                return Ok(());
            }
            io.outbox.send_blocking(chunk.into())?;
        }
    })
}
