//! The files of a folder and of the folders in it, one after the other.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::vec;

use crate::documents::folder::{Entry, read_folder};
use crate::documents::kept_back::KeptBack;
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

/// The rest of a folder.
#[derive(Debug)]
struct Level {
    /// Relative to the root; ends with a slash unless it is empty.
    path: Vec<u8>,
    entries: vec::IntoIter<Entry>,
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
    pub(super) fn enter(&mut self, path: &[u8], folder: &File) -> io::Result<()> {
        let (_waiting, wanted) = wanted();
        let (docroot, options) = (&self.docroot, &self.options);
        let mut entries = read_folder(folder, docroot, &self.kept_back, options, &wanted)?;
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
        self.levels.push(Level {
            path: path.to_vec(),
            entries: entries.into_iter(),
        });
        Ok(())
    }

    /// Returns the next file or folder; `None` at the end. What disappears meanwhile, and what the
    /// server may not read, is left out.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.next() else {
                self.levels.pop();
                continue;
            };
            if entry.is_folder && entry.is_link {
                continue;
            }
            let mut path = [&level.path[..], &entry.name].concat();
            let Ok(opened) = self.docroot.open_file(&path) else {
                continue;
            };
            let real = opened.real.as_deref();
            if self.kept_back.check(&path, real, &opened.metadata).is_err() {
                continue;
            }
            let modified = opened.metadata.mtime();
            let file = match opened.found {
                Found::File(file, metadata) => Some((file, metadata.len())),
                Found::Folder(folder) => {
                    path.push(b'/');
                    self.enter(&path, &folder)?;
                    None
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
