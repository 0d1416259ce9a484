//! A disk without files: it replaces the disk of the system in a simulation.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kamea::time::sleep;
use kamea::{Component, Message, Sink, Source, random};
use rustix::io::Errno;

use crate::file::Existing;

/// The maximum time for a read or write.
const LATENCY: Duration = Duration::from_millis(10);

/// The maximum number of bytes for one read.
const CHUNK: usize = 128 * 1024;

/// A disk: all its clones share its files. It has a size, so that it can be full, and a random
/// delay.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::{Graph, Simulation};
/// use kamea_components::file::Existing;
/// use kamea_components::simulated::Disk;
///
/// Simulation::seeds(0..20).check(|simulation| {
///     let disk = Disk::new(1000);
///     disk.put("from", vec![b'x'; 600]);
///     let mut graph = Graph::new("copying");
///     let read = graph.add("read", disk.read_file("from")); // replaces file::read_file
///     let write = graph.add("write", disk.write_file::<Bytes>("to", Existing::Append));
///     graph.link(read.outbox, write.inbox);
///     let fault = simulation.run(graph).unwrap_err().to_string();
///     assert!(fault.contains("cannot write to: No space left on device"), "{fault}");
///     assert_eq!(disk.contents("to").map(|to| to.len()), Some(400));
///     Ok::<_, String>(())
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Disk {
    content: Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>,
    capacity: usize,
    failure: f64,
}

/// An error of a disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {error}", path.display())]
struct Refused {
    action: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl Disk {
    /// Creates an empty disk of this size, in bytes.
    pub fn new(capacity: usize) -> Self {
        Self {
            content: Arc::default(),
            capacity,
            failure: 0.0,
        }
    }

    /// Returns the same disk; each read or write fails with this probability, from 0 to 1.
    #[must_use]
    pub fn failing(self, probability: f64) -> Self {
        Self {
            failure: probability,
            ..self
        }
    }

    /// Stores a file on the disk, or replaces it; it may be larger than the space that is left.
    pub fn put(&self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.lock().insert(path.into(), content.into());
    }

    /// Returns the contents of a file, if it exists.
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.lock().get(path.as_ref()).cloned()
    }

    /// Reads a file, in chunks of any size; replaces [`read_file`](crate::file::read_file).
    ///
    /// # Faults
    ///
    /// If the file does not exist, or the disk fails.
    pub fn read_file(
        &self,
        path: impl Into<PathBuf>,
    ) -> impl Component<Source<Bytes>> + Clone + Send + Sync {
        let (disk, path) = (self.clone(), path.into());
        async move |io: &mut Source<Bytes>| {
            let mut offset = 0;
            loop {
                let chunk = disk.read(&path, offset).await;
                let chunk = chunk.map_err(|error| refused("read", &path, error))?;
                if chunk.is_empty() {
                    return Ok(());
                }
                offset += chunk.len();
                io.outbox.send(chunk).await?;
            }
        }
    }

    /// Writes each message to a file, and creates it if it is missing; replaces
    /// [`write_file`](crate::file::write_file).
    ///
    /// # Faults
    ///
    /// If the disk is full, or fails. The bytes that fit have been written.
    pub fn write_file<T: Message + AsRef<[u8]>>(
        &self,
        path: impl Into<PathBuf>,
        existing: Existing,
    ) -> impl Component<Sink<T>> + Clone + Send + Sync {
        let (disk, path) = (self.clone(), path.into());
        async move |io: &mut Sink<T>| {
            match existing {
                Existing::Append => {
                    disk.lock().entry(path.clone()).or_default();
                }
                Existing::Replace => disk.put(&path, []),
            }
            while let Some(message) = io.inbox.next().await {
                let mut left = message.as_ref();
                while !left.is_empty() {
                    let count = disk.write(&path, left).await;
                    let count = count.map_err(|error| refused("write", &path, error))?;
                    left = &left[count..];
                }
            }
            Ok(())
        }
    }

    async fn read(&self, path: &Path, offset: usize) -> Result<Bytes, Errno> {
        self.work().await?;
        let files = self.lock();
        let file = files.get(path).ok_or(Errno::NOENT)?;
        let left = file.get(offset..).unwrap_or_default();
        let count = match left.len().min(CHUNK) {
            0 => 0,
            most => random::usize(1..=most),
        };
        Ok(Bytes::copy_from_slice(&left[..count]))
    }

    async fn write(&self, path: &Path, bytes: &[u8]) -> Result<usize, Errno> {
        self.work().await?;
        let mut files = self.lock();
        let used: usize = files.values().map(Vec::len).sum();
        let most = self.capacity.saturating_sub(used).min(bytes.len());
        if most == 0 {
            return Err(Errno::NOSPC);
        }
        let count = random::usize(1..=most);
        let file = files.entry(path.to_owned()).or_default();
        file.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Waits as long as a read or write takes; may fail.
    async fn work(&self) -> Result<(), Errno> {
        sleep(random::duration(LATENCY)).await;
        if random::chance(self.failure) {
            return Err(Errno::IO);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(action: &'static str, path: &Path, error: Errno) -> Refused {
    Refused {
        action,
        path: path.to_owned(),
        error: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use kamea::{Graph, Simulation};

    use super::*;

    /// A graph that copies `from` to `to`.
    fn copying(disk: &Disk) -> Graph {
        let mut graph = Graph::new("copying");
        let read = graph.add("read", disk.read_file("from"));
        let write = graph.add("write", disk.write_file::<Bytes>("to", Existing::Append));
        graph.link(read.outbox, write.inbox);
        graph
    }

    #[test]
    fn a_copy_is_whole_if_nothing_goes_wrong() {
        Simulation::seeds(0..100).check(|simulation| {
            let disk = Disk::new(100_000);
            let content: Vec<_> = (0..30_000_u32).map(|number| number as u8).collect();
            disk.put("from", content.clone());
            simulation
                .run(copying(&disk))
                .map_err(|error| error.to_string())?;
            assert!(disk.contents("to").as_ref() == Some(&content));
            Ok::<_, String>(())
        });
    }

    #[test]
    fn what_goes_wrong_is_named() {
        let missing = Simulation::seed(1)
            .run(copying(&Disk::new(10)))
            .unwrap_err();
        let text = "cannot read from: No such file or directory";
        assert!(missing.to_string().contains(text), "{missing}");
        let broken = Disk::new(10).failing(1.0);
        broken.put("from", "some");
        let broken = Simulation::seed(1).run(copying(&broken)).unwrap_err();
        assert!(
            broken.to_string().contains("cannot read from: I"),
            "{broken}"
        );
    }
}
