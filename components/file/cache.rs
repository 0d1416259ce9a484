//! The small files that are asked for often, in memory; one cache a worker.
//!
//! How a change is noticed: an entry is trusted for [`TRUSTED`]; after that its path is opened anew, and what is found there
//! must be the same file (device, inode), of the same size, with the same times of change. So a changed, replaced, moved or
//! removed file, or a changed link or folder on the way to it, is seen within that time. The clock of a file system is
//! coarse: a file that had changed less than [`SETTLED`] before it was read may change again without its times showing
//! it. Such an entry is read anew at its next check.

use std::collections::{HashMap, VecDeque};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::http::Fields;

/// How long an entry is trusted without a look at the file.
pub(super) const TRUSTED: Duration = Duration::from_millis(500);

/// How long a file must have been left alone before its times are relied on.
const SETTLED: Duration = Duration::from_secs(2);

/// Files up to this size, in bytes, are kept in memory.
pub(super) const LARGEST: u64 = 64 * 1024;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// A strong entity tag (RFC 9110 section 8.8.3): another one for every state of the file that its times show.
    pub(super) fn etag(&self) -> String {
        let nanoseconds = i128::from(self.modified.0) * 1_000_000_000 + i128::from(self.modified.1);
        format!("\"{:x}-{:x}-{nanoseconds:x}\"", self.inode, self.size)
    }

    /// Whether the file has been left alone for long enough that its times tell every later change.
    fn is_settled(&self, at: SystemTime) -> bool {
        let seconds = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let last = self.modified.0.max(self.changed.0);
        u64::try_from(last).is_ok_and(|last| last + SETTLED.as_secs() < seconds)
    }
}

/// A file in memory, ready to be sent.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) fields: Fields,
    pub(super) etag: String,
    pub(super) modified: SystemTime,
    pub(super) content: Bytes,
    identity: Identity,
    is_settled: bool,
}

impl Entry {
    /// An entry that was read at `now`, by the calendar.
    pub(super) fn new(
        fields: Fields,
        identity: Identity,
        modified: SystemTime,
        content: Bytes,
        now: SystemTime,
    ) -> Self {
        Self {
            fields,
            etag: identity.etag(),
            modified,
            content,
            identity,
            is_settled: identity.is_settled(now),
        }
    }

    fn cost(&self, path: &[u8]) -> usize {
        // Fields, tag and bookkeeping come to about this much.
        const OVERHEAD: usize = 512;
        path.len() + self.content.len() + OVERHEAD
    }
}

struct Slot {
    entry: Rc<Entry>,
    checked: Instant,
    /// Asked for since the hand of the clock last came by.
    is_used: bool,
}

/// Entries by path, bounded in bytes; the least recently used go first, more or less (the clock algorithm).
pub(super) struct Cache {
    slots: HashMap<Box<[u8]>, Slot, RandomState>,
    hand: VecDeque<Box<[u8]>>,
    bytes: usize,
    most_bytes: usize,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            slots: HashMap::default(),
            hand: VecDeque::new(),
            bytes: 0,
            most_bytes,
        }
    }

    /// The entry of a path, if it is to be trusted at `now`.
    pub(super) fn fresh(&mut self, path: &[u8], now: Instant) -> Option<Rc<Entry>> {
        let slot = self.slots.get_mut(path)?;
        slot.is_used = true;
        (now.saturating_duration_since(slot.checked) < TRUSTED).then(|| slot.entry.clone())
    }

    /// The entry of a path whose file has been looked at: trusted again if the file is still the same.
    pub(super) fn confirm(
        &mut self,
        path: &[u8],
        found: Identity,
        now: Instant,
    ) -> Option<Rc<Entry>> {
        let slot = self.slots.get_mut(path)?;
        if slot.entry.identity != found || !slot.entry.is_settled {
            return None;
        }
        slot.checked = now;
        Some(slot.entry.clone())
    }

    pub(super) fn insert(&mut self, path: &[u8], entry: Rc<Entry>, now: Instant) {
        self.remove(path);
        let cost = entry.cost(path);
        while self.bytes + cost > self.most_bytes {
            let Some(oldest) = self.hand.pop_front() else {
                return;
            };
            match self.slots.get_mut(&oldest) {
                Some(slot) if slot.is_used => {
                    slot.is_used = false;
                    self.hand.push_back(oldest);
                }
                Some(_) => self.forget(&oldest),
                None => {}
            }
        }
        self.bytes += cost;
        self.hand.push_back(path.into());
        self.slots.insert(
            path.into(),
            Slot {
                entry,
                checked: now,
                is_used: false,
            },
        );
    }

    pub(super) fn remove(&mut self, path: &[u8]) {
        if self.slots.contains_key(path) {
            self.forget(path);
            self.hand.retain(|held| **held != *path);
        }
    }

    fn forget(&mut self, path: &[u8]) {
        if let Some(slot) = self.slots.remove(path) {
            self.bytes -= slot.entry.cost(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(content: &'static [u8], identity: Identity, now: SystemTime) -> Rc<Entry> {
        Rc::new(Entry::new(
            Fields::new(),
            identity,
            now,
            Bytes::from_static(content),
            now,
        ))
    }

    fn identity(size: u64, modified: i64) -> Identity {
        Identity {
            device: 1,
            inode: 2,
            size,
            modified: (modified, 0),
            changed: (modified, 0),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_entry_is_trusted_for_a_while_and_then_confirmed() {
        let (mut cache, start) = (Cache::new(1 << 20), Instant::now());
        let known = identity(1, 100);
        cache.insert(b"a", entry(b"x", known, at(1000)), start);
        assert!(cache.fresh(b"a", start + TRUSTED / 2).is_some());
        let later = start + TRUSTED;
        assert!(
            cache.fresh(b"a", later).is_none(),
            "not without a look at the file"
        );
        assert!(
            cache.confirm(b"a", identity(2, 100), later).is_none(),
            "another size"
        );
        assert!(
            cache.confirm(b"a", identity(1, 101), later).is_none(),
            "another time"
        );
        assert!(cache.confirm(b"a", known, later).is_some());
        assert!(cache.fresh(b"a", later + TRUSTED / 2).is_some());
    }

    #[test]
    fn a_file_that_has_just_changed_is_read_anew() {
        let (mut cache, start) = (Cache::new(1 << 20), Instant::now());
        let known = identity(1, 999);
        cache.insert(b"a", entry(b"x", known, at(1000)), start);
        assert!(cache.fresh(b"a", start).is_some());
        assert!(cache.confirm(b"a", known, start + TRUSTED).is_none());
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let (mut cache, now) = (Cache::new(4 * 600), Instant::now());
        for name in [b"a", b"b", b"c", b"d"] {
            cache.insert(name, entry(b"x", identity(1, 1), at(1000)), now);
        }
        assert!(cache.fresh(b"a", now).is_some());
        cache.insert(b"e", entry(b"x", identity(1, 1), at(1000)), now);
        assert!(cache.bytes <= 4 * 600);
        assert!(cache.fresh(b"a", now).is_some(), "it was used");
        assert!(cache.fresh(b"b", now).is_none(), "it was not");
        static LARGE: [u8; 4000] = [0; 4000];
        cache.insert(b"f", entry(&LARGE, identity(1, 1), at(1000)), now);
        assert!(
            cache.fresh(b"f", now).is_none(),
            "larger than the whole cache"
        );
    }
}
