//! The listing as a page.

use askama::Template;
use percent_encoding::percent_encode;

use super::{SEGMENT, Shown, UPLOAD, date_and_time, href_of, name_of};
use crate::documents::folder::{Entry, Key, View};
use crate::documents::thumbnail::{LARGE_THUMBNAIL, THUMBNAIL, has_thumbnail};

#[derive(Template)]
#[template(path = "documents/listing_head.html")]
pub(super) struct Head<'a> {
    title: String,
    crumbs: Vec<Crumb>,
    columns: Vec<Column>,
    view: &'a View,
    has_parent: bool,
    shown: Shown,
    /// The query of the same folder in the other view.
    other_view: String,
}

/// A folder on the path to the listed one.
struct Crumb {
    name: String,
    href: String,
}

/// The head of a column: a link that sorts by it, or reverses the order if the listing is already
/// sorted by it.
struct Column {
    label: &'static str,
    class: &'static str,
    href: String,
    /// The value of `aria-sort`; empty if the listing is sorted by another column.
    sorted: &'static str,
}

impl<'a> Head<'a> {
    pub(super) fn new(path: &[u8], view: &'a View, shown: Shown) -> Self {
        let segments: Vec<_> = path
            .split(|&b| b == b'/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let mut crumbs = vec![Crumb {
            name: "Home".to_owned(),
            href: "/".to_owned(),
        }];
        for segment in &segments {
            let parent = crumbs.last().map_or("/", |crumb| crumb.href.as_str());
            crumbs.push(Crumb {
                href: format!("{parent}{}/", percent_encode(segment, SEGMENT)),
                name: String::from_utf8_lossy(segment).into_owned(),
            });
        }
        let title = crumbs
            .last()
            .map(|crumb| crumb.name.clone())
            .unwrap_or_default();
        Self {
            title,
            columns: Key::ALL.map(|key| Column::new(key, view)).into(),
            view,
            has_parent: !segments.is_empty(),
            crumbs,
            shown,
            other_view: query(view.key, view.descending, &view.filter, !view.grid),
        }
    }
}

impl Column {
    fn new(key: Key, view: &View) -> Self {
        let is_sorted = key == view.key;
        let href = query(key, is_sorted && !view.descending, &view.filter, view.grid);
        let (label, class) = match key {
            Key::Name => ("Name", "name"),
            Key::Size => ("Size", "size"),
            Key::Time => ("Changed", "time"),
            Key::Type => ("Type", "type"),
        };
        Self {
            label,
            class,
            href,
            sorted: match (is_sorted, view.descending) {
                (false, _) => "",
                (true, false) => "ascending",
                (true, true) => "descending",
            },
        }
    }
}

/// The query of a view.
fn query(key: Key, descending: bool, filter: &str, grid: bool) -> String {
    let mut query = format!("?sort={}", key.name());
    if descending {
        query.push_str("&order=desc");
    }
    if !filter.is_empty() {
        query.push_str("&filter=");
        query.extend(percent_encode(filter.as_bytes(), SEGMENT));
    }
    if grid {
        query.push_str("&view=grid");
    }
    query
}

#[derive(Template)]
#[template(path = "documents/listing_rows.html")]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// The query of thumbnails, and their size.
    thumbnail: &'static str,
    side: u32,
    forms: bool,
}

struct Row {
    /// With a slash if it is a folder, and without.
    name: String,
    own_name: String,
    href: String,
    /// The name as the forms send it.
    value: String,
    size: String,
    /// As a date in UTC, and the same without spaces.
    changed: String,
    datetime: String,
    media_type: String,
    icon: &'static str,
    has_thumbnail: bool,
}

impl Rows {
    pub(super) fn new(entries: &[Entry], grid: bool, shown: Shown) -> Self {
        let rows = entries.iter();
        let rows = rows.map(|entry| Row::new(entry, shown.thumbnails));
        Self {
            rows: rows.collect(),
            thumbnail: if grid { LARGE_THUMBNAIL } else { THUMBNAIL },
            side: if grid { 200 } else { 48 },
            forms: shown.forms,
        }
    }
}

impl Row {
    fn new(entry: &Entry, thumbnails: bool) -> Self {
        let media_type = entry.media_type.as_deref().unwrap_or("folder").to_owned();
        let icon = match media_type.split('/').next() {
            Some("folder") => "folder",
            Some("audio") => "audio",
            Some("image") => "image",
            Some("video") => "video",
            _ => "file",
        };
        let changed = date_and_time(entry.modified);
        Self {
            name: name_of(entry),
            own_name: entry.text(),
            value: percent_encode(&entry.name, SEGMENT).to_string(),
            href: href_of(entry),
            size: if entry.is_folder {
                String::new()
            } else {
                human_size(entry.size)
            },
            datetime: changed.replace(' ', "T") + "Z",
            changed,
            has_thumbnail: thumbnails && has_thumbnail(&media_type),
            media_type,
            icon,
        }
    }
}

#[derive(Template)]
#[template(path = "documents/listing_foot.html")]
pub(super) struct Foot {
    folders: usize,
    files: usize,
    size: String,
    /// A script; empty if the folder may not be changed.
    script: &'static str,
}

impl Foot {
    pub(super) fn new(entries: &[Entry], shown: Shown) -> Self {
        let files = entries.iter().filter(|entry| !entry.is_folder);
        Self {
            folders: entries.iter().filter(|entry| entry.is_folder).count(),
            files: files.clone().count(),
            size: human_size(files.map(|file| file.size).sum()),
            script: if shown.forms { UPLOAD } else { "" },
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
