//! The entries of long folders that are being listed: each folder is in memory once, for any number
//! of clients.

use std::collections::HashMap;
use std::rc::{self, Rc};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::cache::TRUSTED;
use super::folder::Entry;

/// How many snapshots there may be, each of another folder, view or time.
const MOST: usize = 16;

/// The entries of folders at some time, as long as somebody reads them.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    made: HashMap<Vec<u8>, Vec<Snapshot>>,
    /// Held while a folder is read, as long as somebody waits for it.
    readings: HashMap<Vec<u8>, rc::Weak<Semaphore>>,
}

#[derive(Debug)]
struct Snapshot {
    made: Instant,
    entries: Weak<[Entry]>,
}

impl Snapshots {
    /// The lock for the folder under a key: only one request reads it at a time.
    pub(super) fn reading(&mut self, key: &[u8]) -> Rc<Semaphore> {
        self.readings
            .retain(|_, reading| reading.strong_count() > 0);
        if let Some(reading) = self.readings.get(key).and_then(rc::Weak::upgrade) {
            return reading;
        }
        let reading = Rc::new(Semaphore::new(1));
        self.readings.insert(key.to_vec(), Rc::downgrade(&reading));
        reading
    }

    /// The entries under a key, if a request at `now` may trust them, or if there is no room for
    /// newer ones.
    pub(super) fn find(&mut self, key: &[u8], now: Instant) -> Option<Arc<[Entry]>> {
        self.prune();
        let is_full = self.is_full();
        let newest = self.made.get(key)?.last()?;
        let is_trusted = now.saturating_duration_since(newest.made) < TRUSTED;
        newest.entries.upgrade().filter(|_| is_trusted || is_full)
    }

    /// Whether the snapshots are full.
    pub(super) fn is_full(&self) -> bool {
        self.made.values().map(Vec::len).sum::<usize>() >= MOST
    }

    pub(super) fn add(&mut self, key: &[u8], entries: &Arc<[Entry]>, now: Instant) {
        self.made.entry(key.to_vec()).or_default().push(Snapshot {
            made: now,
            entries: Arc::downgrade(entries),
        });
    }

    /// Removes those that nobody reads any more.
    fn prune(&mut self) {
        self.made.retain(|_, snapshots| {
            snapshots.retain(|snapshot| snapshot.entries.strong_count() > 0);
            !snapshots.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Arc<[Entry]> {
        Vec::new().into()
    }

    #[test]
    fn entries_are_shared_while_they_are_read_and_new() {
        let (mut snapshots, now) = (Snapshots::default(), Instant::now());
        let first = entries();
        snapshots.add(b"a", &first, now);
        assert!(Arc::ptr_eq(&snapshots.find(b"a", now).unwrap(), &first));
        assert!(snapshots.find(b"b", now).is_none());
        assert!(snapshots.find(b"a", now + TRUSTED).is_none(), "too old");
        drop(first);
        assert!(snapshots.find(b"a", now).is_none(), "nobody reads it");
        assert!(snapshots.made.is_empty());
    }

    #[test]
    fn what_is_there_must_do_when_there_is_no_room() {
        let (mut snapshots, now) = (Snapshots::default(), Instant::now());
        let held: Vec<_> = (0..MOST).map(|_| entries()).collect();
        for entries in &held {
            snapshots.add(b"a", entries, now);
        }
        assert!(snapshots.is_full());
        let old = snapshots.find(b"a", now + TRUSTED).unwrap();
        assert!(Arc::ptr_eq(&old, held.last().unwrap()), "the newest");
        assert!(snapshots.find(b"b", now).is_none());
    }
}
