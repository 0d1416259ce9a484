//! The entries of long folders that are being listed: each folder is in memory once, for any number
//! of clients, and all of them together within a budget.

use std::collections::HashMap;
use std::ops::Deref;
use std::rc::{self, Rc};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::cache::TRUSTED;
use super::folder::Entry;

/// How many snapshots there may be, each of another folder, view or time.
const MOST: usize = 16;

/// The most memory for the entries of long folders in the process, in bytes: clients that do not
/// read keep them. A single folder may have more.
const BUDGET: usize = 128 << 20;

/// The unit of the budget, in bytes.
const UNIT: usize = 1 << 10;

static ROOM: Semaphore = Semaphore::const_new(BUDGET / UNIT);

/// The entries of a folder, sorted.
#[derive(Debug)]
pub(super) struct Entries {
    list: Box<[Entry]>,
    /// Its part of the budget. A short list needs none.
    _room: Option<SemaphorePermit<'static>>,
}

impl Entries {
    /// A short list, which is dropped as soon as its listing is made.
    pub(super) fn short(list: Vec<Entry>) -> Arc<Self> {
        Arc::new(Self {
            list: list.into(),
            _room: None,
        })
    }

    /// A long list, which is kept as long as a client reads its listing; `None` if there is no
    /// room.
    pub(super) fn long(list: Vec<Entry>) -> Option<Arc<Self>> {
        let bytes: usize = list.iter().map(Entry::bytes).sum();
        let units = (bytes / UNIT).min(BUDGET / UNIT);
        let room = ROOM.try_acquire_many(u32::try_from(units).ok()?).ok()?;
        Some(Arc::new(Self {
            list: list.into(),
            _room: Some(room),
        }))
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.list
    }
}

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
    entries: Weak<Entries>,
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
    pub(super) fn find(&mut self, key: &[u8], now: Instant) -> Option<Arc<Entries>> {
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

    pub(super) fn add(&mut self, key: &[u8], entries: &Arc<Entries>, now: Instant) {
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
pub(super) mod testing {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// Held by a test that needs the whole budget.
    static BUDGET_OF_TESTS: Mutex<()> = Mutex::new(());

    pub(in crate::documents) fn lock_budget() -> MutexGuard<'static, ()> {
        let lock = BUDGET_OF_TESTS.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves no room until the result is dropped.
    pub(in crate::documents) fn use_all_room() -> (SemaphorePermit<'static>, MutexGuard<'static, ()>)
    {
        let guard = lock_budget();
        let all = u32::try_from(BUDGET / UNIT).unwrap();
        (ROOM.try_acquire_many(all).unwrap(), guard)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::lock_budget;
    use super::*;

    fn entries() -> Arc<Entries> {
        Entries::short(Vec::new())
    }

    /// Clients that read nothing keep entries, but not without end.
    #[test]
    fn long_lists_share_a_budget() {
        let _guard = lock_budget();
        let large = || {
            let entry = |_| Entry {
                name: Box::from(&[b'x'; 200][..]),
                is_folder: false,
                is_link: false,
                size: 0,
                modified: 0,
                media_type: None,
            };
            (0..100_000).map(entry).collect::<Vec<_>>()
        };
        let mut kept = Vec::new();
        while let Some(entries) = Entries::long(large()) {
            kept.push(entries);
            assert!(kept.len() < 10, "there is no end");
        }
        assert!(kept.len() > 2, "{}", kept.len());
        kept.pop();
        assert!(Entries::long(large()).is_some(), "there is room again");
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
