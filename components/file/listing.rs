//! The page of a folder that has no index: plain, but correct for any name.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::mime::content_type;

/// What may stand in a path segment as it is (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[derive(Template)]
#[template(path = "file/listing.html")]
struct Page {
    title: String,
    has_parent: bool,
    rows: Vec<Row>,
}

struct Row {
    is_folder: bool,
    name: String,
    href: String,
    size: String,
    kind: String,
}

/// Makes the page of a folder. Reads the disk: not for a worker.
///
/// Names are sorted, folders first; names that begin with a dot are left out unless `hidden`. A name that is no UTF-8 is shown
/// as well as it can be, and linked exactly.
pub(super) fn listing(folder: &File, path: &[u8], hidden: bool) -> io::Result<String> {
    let mut rows = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." || (name.starts_with(b".") && !hidden) {
            continue;
        }
        // Links are shown as what they lead to, if that may be told; a file that goes meanwhile is left out.
        let Ok(stat) = statat(folder, OsStr::from_bytes(name), AtFlags::empty()) else {
            continue;
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => rows.push(Row::folder(name)),
            FileType::RegularFile => {
                rows.push(Row::file(name, u64::try_from(stat.st_size).unwrap_or(0)))
            }
            _ => {}
        }
    }
    rows.sort_by(|a, b| {
        b.is_folder
            .cmp(&a.is_folder)
            .then_with(|| a.name.cmp(&b.name))
    });
    let title = format!("/{}", String::from_utf8_lossy(path));
    Page {
        title,
        has_parent: !path.is_empty(),
        rows,
    }
    .render()
    .map_err(io::Error::other)
}

impl Row {
    fn folder(name: &[u8]) -> Self {
        Self {
            is_folder: true,
            name: format!("{}/", String::from_utf8_lossy(name)),
            href: format!("{}/", percent_encode(name, SEGMENT)),
            size: String::new(),
            kind: "folder".to_owned(),
        }
    }

    fn file(name: &[u8], size: u64) -> Self {
        let kind = content_type(Path::new(OsStr::from_bytes(name)));
        Self {
            is_folder: false,
            name: String::from_utf8_lossy(name).into_owned(),
            href: percent_encode(name, SEGMENT).to_string(),
            size: human_size(size),
            kind: kind.split(';').next().unwrap_or_default().to_owned(),
        }
    }
}

/// A size with at most one decimal, in the units of IEC 80000-13.
fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{size:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_sorted_escaped_and_linked() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("z")).unwrap();
        fs::write(folder.path().join("a <b>&\"c"), "12345").unwrap();
        fs::write(folder.path().join(".hidden"), "").unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff?#%")), [0; 2048]).unwrap();
        let page = |hidden| listing(&File::open(folder.path()).unwrap(), b"x<y/", hidden).unwrap();
        let shown = page(false);
        let positions: Vec<_> = [
            "href=\"z/\"",
            "href=\"a%20%3Cb%3E%26%22c\"",
            "href=\"%FF%3F%23%25\"",
        ]
        .iter()
        .map(|href| {
            shown
                .find(href)
                .unwrap_or_else(|| panic!("{href} in {shown}"))
        })
        .collect();
        assert!(positions.is_sorted());
        assert!(!shown.contains("<b>") && !shown.contains("x<y"), "{shown}");
        assert!(shown.contains("2.0 KiB") && shown.contains(">5 B<"));
        assert!(!shown.contains(".hidden") && page(true).contains(".hidden"));
    }
}
