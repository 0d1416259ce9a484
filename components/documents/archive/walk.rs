//! The files of a folder and of the folders in it, one after the other.

use std::fs::File;
use std::io::{self, ErrorKind::CrossesDevices, ErrorKind::NotFound};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use crate::documents::docroot::Opened;
use crate::documents::folder::{Entry, read_folder};
use crate::documents::kept_back::KeptBack;
use crate::documents::listing::SHORT;
use crate::documents::snapshots::Entries;
use crate::documents::{Docroot, FileOptions, Found};
use crate::file::wanted;

/// A walk through a folder. It reads the disk: do not use it on a worker.
///
/// It finds what listings and index pages would show, and nothing else. It does not follow links to
/// folders, which could lead in a circle.
#[derive(Debug)]
pub(super) struct Walk {
    docroot: Docroot,
    kept_back: Arc<KeptBack>,
    options: FileOptions,
    /// The rest of each folder on the way.
    levels: Vec<Level>,
}

/// Whether a walk has entered a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    Inside,
    /// The folder is no longer there.
    Gone,
    /// Its entries have no room beside those of other archives and listings.
    NoRoom,
}

const NO_ROOM: &str = "there is no room for the names in a folder of an archive";

/// The rest of a folder.
#[derive(Debug)]
struct Level {
    /// Relative to the root; ends with a slash unless it is empty.
    path: Vec<u8>,
    entries: Arc<Entries>,
    /// How many of them have been found.
    found: usize,
}

/// What a walk finds.
#[derive(Debug)]
pub(super) struct Item {
    /// Relative to the root. That of a folder ends with a slash.
    pub(super) path: Vec<u8>,
    /// In seconds since the epoch.
    pub(super) modified: i64,
    /// The open file and its length; `None` for a folder.
    pub(super) file: Option<(File, u64)>,
}

impl Walk {
    pub(super) fn new(docroot: Docroot, kept_back: Arc<KeptBack>, options: FileOptions) -> Self {
        Self {
            docroot,
            kept_back,
            options,
            levels: Vec::new(),
        }
    }

    /// Goes into a folder.
    pub(super) fn enter(&mut self, path: &[u8], folder: &File) -> io::Result<Entered> {
        if folder.metadata()?.nlink() == 0 {
            return Ok(Entered::Gone);
        }
        let (_waiting, wanted) = wanted();
        let (docroot, options) = (&self.docroot, &self.options);
        let mut entries = match read_folder(folder, docroot, &self.kept_back, options, &wanted) {
            // XDEV: it was moved out of the root.
            Err(error) if matches!(error.kind(), NotFound | CrossesDevices) => {
                return Ok(Entered::Gone);
            }
            entries => entries?,
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        // A folder with an index is never listed.
        let is = |entry: &Entry, name: &String| !entry.is_folder && *entry.name == *name.as_bytes();
        let names = &self.options.index;
        if let Some(index) = names
            .iter()
            .find(|&name| entries.iter().any(|entry| is(entry, name)))
        {
            entries.retain(|entry| is(entry, index));
        }
        let Some(entries) = self.hold(entries) else {
            return Ok(Entered::NoRoom);
        };
        self.levels.push(Level {
            path: path.to_vec(),
            entries,
            found: 0,
        });
        Ok(Entered::Inside)
    }

    /// Holds the entries of a folder, those of long ones within the budget. All short ones on the
    /// way together have the length of one: a client can nest any number of folders.
    fn hold(&self, entries: Vec<Entry>) -> Option<Arc<Entries>> {
        let held: usize = self.levels.iter().map(|level| level.entries.len()).sum();
        match held + entries.len() > SHORT {
            true => Entries::long(entries),
            false => Some(Entries::short(entries)),
        }
    }

    /// Whether a filter protects what was found: it let the request for a folder above pass.
    fn is_protected(&self, path: &[u8], opened: &Opened) -> bool {
        if self.options.protected.is_empty() {
            return false;
        }
        // The path of the archive itself may contain a link.
        let real = match &opened.found {
            Found::File(file, _) | Found::Folder(file) => self.docroot.relative_path_of(file),
        };
        let is_protected = |path: &[u8]| self.kept_back.is_protected(path);
        is_protected(path) || real.is_ok_and(|path| is_protected(&path))
    }

    /// Returns the next file or folder; `None` at the end. What disappears meanwhile, and what the
    /// server may not read, is left out.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.get(level.found) else {
                self.levels.pop();
                continue;
            };
            level.found += 1;
            if entry.is_folder && entry.is_link {
                continue;
            }
            let mut path = [&level.path[..], &entry.name].concat();
            let Ok(opened) = self.docroot.open_file(&path) else {
                continue;
            };
            let real = opened.real.as_deref();
            if self.kept_back.check(&path, real, &opened.metadata).is_err()
                || self.is_protected(&path, &opened)
            {
                continue;
            }
            let modified = opened.metadata.mtime();
            let file = match opened.found {
                Found::File(file, metadata) => Some((file, metadata.len())),
                Found::Folder(folder) => {
                    path.push(b'/');
                    match self.enter(&path, &folder)? {
                        Entered::Inside => None,
                        Entered::Gone => continue,
                        Entered::NoRoom => return Err(io::Error::other(NO_ROOM)),
                    }
                }
            };
            return Ok(Some(Item {
                path,
                modified,
                file,
            }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::documents::snapshots::testing::use_all_room;

    fn walk(root: &Path) -> Walk {
        let (docroot, options) = (Docroot::open(root).unwrap(), FileOptions::default());
        let kept_back = KeptBack::new(&docroot, &options);
        Walk::new(docroot, Arc::new(kept_back), options)
    }

    #[test]
    fn a_folder_that_disappears_is_left_out() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = root.path().join("folder");
        let mut walk = walk(root.path());
        for is_moved in [false, true] {
            fs::create_dir(&path).unwrap();
            let folder = File::open(&path).unwrap();
            match is_moved {
                true => fs::rename(&path, outside.path().join("folder")).unwrap(),
                false => fs::remove_dir(&path).unwrap(),
            }
            let entered = walk.enter(b"folder/", &folder).unwrap();
            assert_eq!(entered, Entered::Gone, "{is_moved}");
        }
        assert!(walk.next().unwrap().is_none());
    }

    /// Also many short folders, one in the other.
    #[test]
    fn the_entries_on_the_way_share_the_budget_of_listings() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for folder in [root.path(), &inner] {
            for number in 0..SHORT * 2 / 3 {
                fs::write(folder.join(number.to_string()), "").unwrap();
            }
        }
        let _room = use_all_room();
        let mut walk = walk(root.path());
        let folder = File::open(root.path()).unwrap();
        assert_eq!(walk.enter(b"", &folder).unwrap(), Entered::Inside);
        let error = loop {
            match walk.next() {
                Ok(item) => assert!(item.is_some(), "there is no end"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), NO_ROOM);

        for number in 0..SHORT {
            fs::write(root.path().join(format!("more {number}")), "").unwrap();
        }
        assert_eq!(walk.enter(b"", &folder).unwrap(), Entered::NoRoom);
    }
}
