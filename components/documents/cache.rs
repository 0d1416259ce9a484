//! A cache of small, popular files in memory; one per worker.
//!
//! How a change is noticed: an entry is trusted for [`TRUSTED`]. After that its path is opened
//! again, and must lead to the same file (device, inode), of the same size, with the same times of
//! change. So a changed, replaced, moved or removed file, or a changed link or folder on its path,
//! is noticed within that time. The clock of a file system is coarse: if a file changed less than
//! [`SETTLED`] before it was read, it may change again without a change of its times. Such an entry
//! is read again at its next check.

use std::collections::{HashMap, VecDeque};
use std::fs::Metadata;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::representation::Description;

/// How long an entry is trusted without a check of the file.
pub(super) const TRUSTED: Duration = Duration::from_millis(500);

/// How long a file must be unchanged before its times are reliable.
const SETTLED: Duration = Duration::from_secs(2);

/// Files up to this size, in bytes, are kept in memory.
pub(super) const LARGEST: u64 = 64 * 1024;

/// Distinguishes the states of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// A strong entity tag (RFC 9110 section 8.8.3): different for every state of the file that its
    /// times show.
    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", self.opaque())
    }

    /// The strong entity tag of a variant of the file: in a content coding, for example.
    pub(super) fn etag_of(&self, variant: &str) -> String {
        format!("\"{}-{variant}\"", self.opaque())
    }

    /// The text between the quotes of the entity tag.
    pub(super) fn opaque(&self) -> String {
        let nanoseconds = i128::from(self.modified.0) * 1_000_000_000 + i128::from(self.modified.1);
        format!("{:x}-{:x}-{nanoseconds:x}", self.digest(), self.size)
    }

    /// Distinguishes files of the same size and time, without showing the inode.
    fn digest(&self) -> u64 {
        // Without a key: all processes must compute the same tag. The time of change hides the
        // inode, because it appears nowhere else.
        let hashes = BuildHasherDefault::<DefaultHasher>::default();
        hashes.hash_one((self.device, self.inode, self.changed))
    }

    /// Whether the file was modified before the other one, by whole seconds.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        self.modified.0 < other.modified.0
    }

    /// Whether the file has been unchanged for so long that its times show every later change.
    fn is_settled(&self, at: SystemTime) -> bool {
        let seconds = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let last = self.modified.0.max(self.changed.0);
        u64::try_from(last).is_ok_and(|last| last + SETTLED.as_secs() < seconds)
    }
}

/// The source of an entry: a file, and the file beside it that holds its encoded form, if there is
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: Identity,
    pub(super) coded: Option<Identity>,
}

impl Origin {
    /// The source of an entry that does not come from a single file, and is never confirmed.
    pub(super) const NONE: Self = Self {
        file: Identity {
            device: 0,
            inode: 0,
            size: 0,
            modified: (0, 0),
            changed: (0, 0),
        },
        coded: None,
    };

    pub(super) fn of(file: Identity) -> Self {
        Self { file, coded: None }
    }

    fn is_settled(&self, at: SystemTime) -> bool {
        self.file.is_settled(at) && self.coded.is_none_or(|coded| coded.is_settled(at))
    }
}

/// A body in memory, ready to send.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) description: Description,
    pub(super) content: Bytes,
    /// Whether it was read completely: only then it may be cached.
    pub(super) is_whole: bool,
    origin: Origin,
    is_settled: bool,
}

impl Entry {
    /// An entry that was read at `now`, in calendar time.
    pub(super) fn new(
        description: Description,
        content: Bytes,
        origin: Origin,
        is_whole: bool,
        now: SystemTime,
    ) -> Self {
        Self {
            description,
            content,
            is_whole,
            origin,
            is_settled: origin.is_settled(now),
        }
    }

    fn cost(&self, key: &[u8]) -> usize {
        // Fields, tag and bookkeeping take about this much.
        const OVERHEAD: usize = 512;
        key.len() + self.content.len() + OVERHEAD
    }
}

struct Slot {
    entry: Rc<Entry>,
    checked: Instant,
    /// The generation of the cache in which it was checked.
    generation: u64,
    /// Whether it was requested since the hand of the clock last passed.
    is_used: bool,
}

/// Entries by key, bounded in bytes; approximately the least recently used are removed first (the
/// clock algorithm). The key of a file is its path. The keys of its variants continue after a NUL,
/// which no path contains.
pub(super) struct Cache {
    slots: HashMap<Box<[u8]>, Slot, RandomState>,
    hand: VecDeque<Box<[u8]>>,
    bytes: usize,
    most_bytes: usize,
    generation: u64,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            slots: HashMap::default(),
            hand: VecDeque::new(),
            bytes: 0,
            most_bytes,
            generation: 0,
        }
    }

    /// If `generation` is new, files have been changed through this server: then all older checks
    /// expire.
    pub(super) fn begin_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// The entry of a key, if it is still trusted at `now`.
    pub(super) fn fresh(&mut self, key: &[u8], now: Instant) -> Option<Rc<Entry>> {
        let slot = self.slots.get_mut(key)?;
        slot.is_used = true;
        let is_trusted = slot.generation == self.generation
            && now.saturating_duration_since(slot.checked) < TRUSTED;
        is_trusted.then(|| slot.entry.clone())
    }

    /// The entry of a key whose file has been checked: trusted again if the file is still the same.
    pub(super) fn confirm(&mut self, key: &[u8], found: Origin, now: Instant) -> Option<Rc<Entry>> {
        let slot = self.slots.get_mut(key)?;
        if slot.entry.origin != found || !slot.entry.is_settled {
            return None;
        }
        slot.checked = now;
        slot.generation = self.generation;
        Some(slot.entry.clone())
    }

    pub(super) fn insert(&mut self, key: &[u8], entry: Rc<Entry>, now: Instant) {
        self.remove(key);
        let cost = entry.cost(key);
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
        self.hand.push_back(key.into());
        self.slots.insert(
            key.into(),
            Slot {
                entry,
                checked: now,
                generation: self.generation,
                is_used: false,
            },
        );
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if self.slots.contains_key(key) {
            self.forget(key);
            self.hand.retain(|held| **held != *key);
        }
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(slot) = self.slots.remove(key) {
            self.bytes -= slot.entry.cost(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Fields;

    fn entry(content: &'static [u8], origin: Origin, now: SystemTime) -> Rc<Entry> {
        let description = Description {
            fields: Fields::new(),
            etag: origin.file.etag(),
            modified: Some(now),
            has_codings: false,
        };
        let content = Bytes::from_static(content);
        Rc::new(Entry::new(description, content, origin, true, now))
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

    fn origin(size: u64, modified: i64) -> Origin {
        Origin::of(identity(size, modified))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_entry_is_trusted_for_a_while_and_then_confirmed() {
        let (mut cache, start) = (Cache::new(1 << 20), Instant::now());
        let known = origin(1, 100);
        cache.insert(b"a", entry(b"x", known, at(1000)), start);
        assert!(cache.fresh(b"a", start + TRUSTED / 2).is_some());
        let later = start + TRUSTED;
        assert!(
            cache.fresh(b"a", later).is_none(),
            "not without a look at the file"
        );
        assert!(
            cache.confirm(b"a", origin(2, 100), later).is_none(),
            "another size"
        );
        assert!(
            cache.confirm(b"a", origin(1, 101), later).is_none(),
            "another time"
        );
        let coded = Some(identity(1, 100));
        assert!(
            cache
                .confirm(b"a", Origin { coded, ..known }, later)
                .is_none(),
            "a coded file beside it"
        );
        assert!(cache.confirm(b"a", known, later).is_some());
        assert!(cache.fresh(b"a", later + TRUSTED / 2).is_some());
    }

    #[test]
    fn a_file_that_has_just_changed_is_read_anew() {
        let (mut cache, start) = (Cache::new(1 << 20), Instant::now());
        let known = origin(1, 999);
        cache.insert(b"a", entry(b"x", known, at(1000)), start);
        assert!(cache.fresh(b"a", start).is_some());
        assert!(cache.confirm(b"a", known, start + TRUSTED).is_none());
    }

    #[test]
    fn what_was_checked_before_files_were_changed_is_not_trusted() {
        let (mut cache, now) = (Cache::new(1 << 20), Instant::now());
        let known = origin(1, 100);
        cache.insert(b"a", entry(b"x", known, at(1000)), now);
        cache.begin_generation(1);
        assert!(cache.fresh(b"a", now).is_none());
        assert!(cache.confirm(b"a", known, now).is_some());
        assert!(cache.fresh(b"a", now).is_some());
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let (mut cache, now) = (Cache::new(4 * 600), Instant::now());
        for name in [b"a", b"b", b"c", b"d"] {
            cache.insert(name, entry(b"x", origin(1, 1), at(1000)), now);
        }
        assert!(cache.fresh(b"a", now).is_some());
        cache.insert(b"e", entry(b"x", origin(1, 1), at(1000)), now);
        assert!(cache.bytes <= 4 * 600);
        assert!(cache.fresh(b"a", now).is_some(), "it was used");
        assert!(cache.fresh(b"b", now).is_none(), "it was not");
        static LARGE: [u8; 4000] = [0; 4000];
        cache.insert(b"f", entry(&LARGE, origin(1, 1), at(1000)), now);
        assert!(
            cache.fresh(b"f", now).is_none(),
            "larger than the whole cache"
        );
    }
}
