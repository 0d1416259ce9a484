//! The contents of a folder, and their order in a listing.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, statat};

use super::kept_back::{KeptBack, identity};
use super::mime::content_type;
use super::{Docroot, FileOptions};
use crate::file::Wanted;

/// A file or a folder in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) is_folder: bool,
    /// Whether its name is a link.
    pub(super) is_link: bool,
    /// In bytes.
    pub(super) size: u64,
    /// In seconds since the epoch.
    pub(super) modified: i64,
    /// Without parameters; `None` for a folder.
    pub(super) media_type: Option<Box<str>>,
}

impl Entry {
    /// How much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        /// What the allocator adds to a name.
        const OVERHEAD: usize = 16;
        let media_type = self.media_type.as_deref().map_or(0, str::len);
        size_of::<Self>() + self.name.len() + media_type + 2 * OVERHEAD
    }

    /// The name as text, with invalid parts replaced.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

fn media_type(name: &[u8], own: &HashMap<String, String>) -> Option<Box<str>> {
    let media_type = content_type(Path::new(OsStr::from_bytes(name)), own);
    media_type.split(';').next().map(Box::from)
}

/// Reads a folder of a docroot: the files and folders that requests could reach, links included.
/// Reads the disk: do not call it on a worker. Fails once nobody waits for the result.
pub(super) fn read_folder(
    folder: &File,
    docroot: &Docroot,
    kept_back: &KeptBack,
    options: &FileOptions,
    wanted: &Wanted,
) -> io::Result<Vec<Entry>> {
    let path = docroot.relative_path_of(folder)?;
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        wanted.check()?;
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." || (name.starts_with(b".") && !options.hidden) {
            continue;
        }
        // Files that disappear meanwhile are left out.
        let path = [&path[..], if path.is_empty() { b"" } else { b"/" }, name].concat();
        let Some(seen) = see(folder, docroot, &path, &entry) else {
            continue;
        };
        let is_folder = seen.kind == FileType::Directory;
        let is_shown = is_folder || seen.kind == FileType::RegularFile;
        let real = seen.real.as_deref();
        if !is_shown || !kept_back.is_listed(&path, real, is_folder, seen.identity) {
            continue;
        }
        entries.push(Entry {
            name: name.into(),
            is_folder,
            is_link: real.is_some(),
            size: seen.size,
            modified: seen.modified,
            media_type: if is_folder {
                None
            } else {
                media_type(name, &options.types)
            },
        });
    }
    Ok(entries)
}

/// What a request for an entry would find.
struct Seen {
    kind: FileType,
    identity: (u64, u64),
    size: u64,
    modified: i64,
    /// The target of a link.
    real: Option<Vec<u8>>,
}

/// Inspects an entry. A link is followed as for a request: never outside the docroot.
fn see(folder: &File, docroot: &Docroot, path: &[u8], entry: &DirEntry) -> Option<Seen> {
    let is_plain = matches!(
        entry.file_type(),
        FileType::RegularFile | FileType::Directory
    );
    if is_plain {
        let stat = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        return Some(Seen {
            kind: FileType::from_raw_mode(stat.st_mode),
            identity: (stat.st_dev, stat.st_ino),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime,
            real: None,
        });
    }
    let located = docroot.locate(path).ok()?;
    let metadata = located.metadata();
    Some(Seen {
        kind: FileType::from_raw_mode(metadata.mode()),
        identity: identity(metadata),
        size: metadata.len(),
        modified: metadata.mtime(),
        real: located.real_path().map(<[u8]>::to_vec),
    })
}

/// The sort key of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Size,
    Time,
    Type,
}

impl Key {
    pub(super) const ALL: [Self; 4] = [Self::Name, Self::Size, Self::Time, Self::Type];

    /// As in a query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Time => "time",
            Self::Type => "type",
        }
    }
}

/// The order of a listing, and its filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) key: Key,
    pub(super) descending: bool,
    /// Only names that contain this, in any case; empty for all.
    pub(super) filter: String,
    /// Whether it is a grid of large thumbnails.
    pub(super) grid: bool,
}

impl View {
    /// Reads `sort`, `order`, `filter` and `view` of a query; ignores invalid values.
    pub(super) fn from_query(query: &str) -> Self {
        let mut view = Self {
            key: Key::Name,
            descending: false,
            filter: String::new(),
            grid: false,
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = value.replace('+', " ");
            let value = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
            match name {
                "sort" => {
                    let key = Key::ALL.into_iter().find(|key| key.name() == value);
                    view.key = key.unwrap_or(view.key);
                }
                "view" => view.grid = value == "grid",
                "order" => view.descending = value == "desc",
                "filter" => view.filter = value.into_owned(),
                _ => {}
            }
        }
        view
    }

    /// Filters and sorts the entries: folders first, for every key.
    pub(super) fn arrange(&self, entries: &mut Vec<Entry>) {
        let wanted = self.filter.to_lowercase();
        if !wanted.is_empty() {
            entries.retain(|entry| entry.text().to_lowercase().contains(&wanted));
        }
        entries.sort_by_cached_key(|entry| {
            let media_type = match self.key {
                Key::Type => entry.media_type.clone(),
                _ => None,
            };
            Sorted {
                is_file: !entry.is_folder,
                key: self.key,
                descending: self.descending,
                number: match self.key {
                    Key::Size if !entry.is_folder => i128::from(entry.size),
                    Key::Time => i128::from(entry.modified),
                    _ => 0,
                },
                text: (media_type, entry.text().to_lowercase(), entry.name.clone()),
            }
        });
    }
}

/// The value for the comparison of entries.
#[derive(PartialEq, Eq)]
struct Sorted {
    is_file: bool,
    key: Key,
    descending: bool,
    number: i128,
    /// The media type if that is the key, then the name in lower case, then the name.
    text: (Option<Box<str>>, String, Box<[u8]>),
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let ascending = self
            .number
            .cmp(&other.number)
            .then_with(|| self.text.cmp(&other.text));
        let by_key = if self.descending {
            ascending.reverse()
        } else {
            ascending
        };
        self.is_file.cmp(&other.is_file).then(by_key)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, is_folder: bool, size: u64, modified: i64) -> Entry {
        Entry {
            name: name.as_bytes().into(),
            is_folder,
            is_link: false,
            size,
            modified,
            media_type: if is_folder {
                None
            } else {
                media_type(name.as_bytes(), &HashMap::new())
            },
        }
    }

    fn arranged(query: &str) -> Vec<String> {
        let mut entries = vec![
            entry("b.txt", false, 3, 30),
            entry("A.png", false, 1, 20),
            entry("z", true, 4096, 10),
            entry("c.png", false, 2, 40),
            entry("Y", true, 4096, 50),
        ];
        View::from_query(query).arrange(&mut entries);
        entries.iter().map(Entry::text).collect()
    }

    #[test]
    fn folders_come_first_whatever_the_order() {
        let rows = [
            ("", ["Y", "z", "A.png", "b.txt", "c.png"]),
            ("order=desc", ["z", "Y", "c.png", "b.txt", "A.png"]),
            ("sort=size", ["Y", "z", "A.png", "c.png", "b.txt"]),
            (
                "sort=size&order=desc",
                ["z", "Y", "b.txt", "c.png", "A.png"],
            ),
            ("sort=time", ["z", "Y", "A.png", "b.txt", "c.png"]),
            ("sort=type", ["Y", "z", "A.png", "c.png", "b.txt"]),
            (
                "sort=nonsense&order=&x",
                ["Y", "z", "A.png", "b.txt", "c.png"],
            ),
        ];
        for (query, expected) in rows {
            assert_eq!(arranged(query), expected, "{query}");
        }
    }

    #[test]
    fn a_filter_leaves_out_what_it_does_not_name() {
        assert_eq!(arranged("filter=PNG"), ["A.png", "c.png"]);
        assert_eq!(arranged("filter=.t%78t"), ["b.txt"]);
        assert_eq!(arranged("filter=%FF+"), [""; 0]);
        assert_eq!(arranged("filter=").len(), 5);
    }

    #[test]
    fn a_folder_is_not_read_for_nobody() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "x").unwrap();
        let docroot = Docroot::open(root.path()).unwrap();
        let options = FileOptions::default();
        let kept_back = KeptBack::new(&docroot, &options);
        let folder = File::open(root.path()).unwrap();
        let (waiting, is_wanted) = crate::file::wanted();
        let read = || read_folder(&folder, &docroot, &kept_back, &options, &is_wanted);
        assert_eq!(read().unwrap().len(), 1);
        drop(waiting);
        let error = read().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
