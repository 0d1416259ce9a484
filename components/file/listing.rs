//! The listing of a folder that has no index, as a page, as JSON or as text, in chunks of a bounded size.

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use time::OffsetDateTime;

use super::folder::{Entry, Key, View};

/// What may stand in a path segment as it is (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How many entries a chunk has at the most.
const ROWS: usize = 256;

/// The media types of a listing, in the order of our preference.
pub(super) const MEDIA_TYPES: [&str; 3] = ["text/html", "application/json", "text/plain"];

/// A listing, made chunk by chunk.
#[derive(Debug)]
pub(super) struct Listing {
    path: Vec<u8>,
    view: View,
    media_type: &'static str,
    entries: Vec<Entry>,
    /// How many entries have been listed.
    listed: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begins,
    Lists,
    Ended,
}

impl Listing {
    /// The listing of these entries of the folder at `path`, as one of [`MEDIA_TYPES`].
    pub(super) fn new(
        path: &[u8],
        view: View,
        media_type: &'static str,
        mut entries: Vec<Entry>,
    ) -> Self {
        view.arrange(&mut entries);
        Self {
            path: path.to_vec(),
            view,
            media_type,
            entries,
            listed: 0,
            state: State::Begins,
        }
    }

    /// Whether it fits into a chunk or two.
    pub(super) fn is_short(&self) -> bool {
        self.entries.len() <= ROWS
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the template engine says.
    pub(super) fn next_chunk(&mut self) -> Result<Option<String>, askama::Error> {
        match self.state {
            State::Begins => {
                self.state = State::Lists;
                self.head().map(Some)
            }
            State::Lists if self.listed < self.entries.len() => {
                let end = (self.listed + ROWS).min(self.entries.len());
                let rows = self.rows(self.listed, end)?;
                self.listed = end;
                Ok(Some(rows))
            }
            State::Lists => {
                self.state = State::Ended;
                self.foot().map(Some)
            }
            State::Ended => Ok(None),
        }
    }

    fn head(&self) -> Result<String, askama::Error> {
        match self.media_type {
            "text/html" => Head::new(&self.path, &self.view).render(),
            "application/json" => {
                let path = format!("/{}", String::from_utf8_lossy(&self.path));
                Ok(format!("{{\"path\":{},\"entries\":[", json_string(&path)))
            }
            _ => Ok(String::new()),
        }
    }

    fn rows(&self, start: usize, end: usize) -> Result<String, askama::Error> {
        let entries = &self.entries[start..end];
        match self.media_type {
            "text/html" => {
                let rows = entries.iter().map(Row::new).collect();
                Rows { rows }.render()
            }
            "application/json" => {
                let objects: Vec<_> = entries.iter().map(json_object).collect();
                let comma = if start > 0 { ",\n" } else { "\n" };
                Ok(format!("{comma}{}", objects.join(",\n")))
            }
            _ => Ok(entries
                .iter()
                .map(|entry| name_of(entry).replace(['\r', '\n'], "\u{fffd}") + "\n")
                .collect()),
        }
    }

    fn foot(&self) -> Result<String, askama::Error> {
        match self.media_type {
            "text/html" => Foot::new(&self.entries).render(),
            "application/json" => Ok("\n]}\n".to_owned()),
            _ => Ok(String::new()),
        }
    }
}

#[derive(Template)]
#[template(path = "file/listing_head.html")]
struct Head<'a> {
    title: String,
    crumbs: Vec<Crumb>,
    columns: Vec<Column>,
    view: &'a View,
    has_parent: bool,
}

/// A folder on the way to the one that is shown.
struct Crumb {
    name: String,
    href: String,
}

/// The head of a column: sorts by it, and the other way round if that is done already.
struct Column {
    label: &'static str,
    class: &'static str,
    href: String,
    /// The value of `aria-sort`; empty if the listing is sorted by another column.
    sorted: &'static str,
}

impl<'a> Head<'a> {
    fn new(path: &[u8], view: &'a View) -> Self {
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
        }
    }
}

impl Column {
    fn new(key: Key, view: &View) -> Self {
        let is_sorted = key == view.key;
        let mut href = format!("?sort={}", key.name());
        if is_sorted && !view.descending {
            href.push_str("&order=desc");
        }
        if !view.filter.is_empty() {
            href.push_str("&filter=");
            href.extend(percent_encode(view.filter.as_bytes(), SEGMENT));
        }
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

#[derive(Template)]
#[template(path = "file/listing_rows.html")]
struct Rows {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    href: String,
    size: String,
    /// As a date in UTC, and as the same without blanks.
    changed: String,
    datetime: String,
    media_type: String,
    icon: &'static str,
}

impl Row {
    fn new(entry: &Entry) -> Self {
        let media_type = entry.media_type().unwrap_or_else(|| "folder".to_owned());
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
            href: href_of(entry),
            size: if entry.is_folder {
                String::new()
            } else {
                human_size(entry.size)
            },
            datetime: changed.replace(' ', "T") + "Z",
            changed,
            media_type,
            icon,
        }
    }
}

#[derive(Template)]
#[template(path = "file/listing_foot.html")]
struct Foot {
    folders: usize,
    files: usize,
    size: String,
}

impl Foot {
    fn new(entries: &[Entry]) -> Self {
        let files = entries.iter().filter(|entry| !entry.is_folder);
        Self {
            folders: entries.iter().filter(|entry| entry.is_folder).count(),
            files: files.clone().count(),
            size: human_size(files.map(|file| file.size).sum()),
        }
    }
}

/// The name, with a slash behind that of a folder.
fn name_of(entry: &Entry) -> String {
    entry.text() + if entry.is_folder { "/" } else { "" }
}

/// The way to it from the listing, exact also where the name is no text.
fn href_of(entry: &Entry) -> String {
    let slash = if entry.is_folder { "/" } else { "" };
    format!("{}{slash}", percent_encode(&entry.name, SEGMENT))
}

fn json_object(entry: &Entry) -> String {
    let (name, href) = (json_string(&entry.text()), json_string(&href_of(entry)));
    let changed = json_string(&(date_and_time(entry.modified).replace(' ', "T") + ":00Z"));
    match entry.media_type() {
        None => format!(
            "{{\"name\":{name},\"href\":{href},\"type\":\"folder\",\"modified\":{changed}}}"
        ),
        Some(media_type) => format!(
            "{{\"name\":{name},\"href\":{href},\"type\":\"file\",\"media_type\":{},\"size\":{},\"modified\":{changed}}}",
            json_string(&media_type),
            entry.size
        ),
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `2026-11-21 09:42`, in UTC; empty for what no calendar holds.
fn date_and_time(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or(String::new(), |at| {
        let (month, day) = (u8::from(at.month()), at.day());
        let (hour, minute) = (at.hour(), at.minute());
        format!("{}-{month:02}-{day:02} {hour:02}:{minute:02}", at.year())
    })
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
    use super::*;

    fn entry(name: &[u8], is_folder: bool, size: u64) -> Entry {
        Entry {
            name: name.to_vec(),
            is_folder,
            size,
            modified: 784_111_777,
        }
    }

    fn whole(media_type: &'static str, path: &[u8], query: &str, entries: Vec<Entry>) -> String {
        let mut listing = Listing::new(path, View::from_query(query), media_type, entries);
        std::iter::from_fn(|| listing.next_chunk().unwrap()).collect()
    }

    fn odd_names() -> Vec<Entry> {
        vec![
            entry(b"a <b>&\"c", false, 5),
            entry(b"\xff?#%", false, 2048),
            entry(b"z", true, 4096),
        ]
    }

    #[test]
    fn a_page_escapes_and_links_any_name() {
        let page = whole("text/html", b"x<y/", "filter=%22%3E%3Cb%3E", Vec::new());
        assert!(!page.contains("<b>") && !page.contains("x<y"), "{page}");
        let page = whole("text/html", b"x/", "", odd_names());
        let hrefs = [
            "href=\"z/\"",
            "href=\"a%20%3Cb%3E%26%22c\"",
            "href=\"%FF%3F%23%25\"",
        ];
        let positions: Vec<_> = hrefs
            .iter()
            .map(|href| {
                page.find(href)
                    .unwrap_or_else(|| panic!("{href} in {page}"))
            })
            .collect();
        assert!(positions.is_sorted());
        assert!(!page.contains("<b>"), "{page}");
        assert!(page.contains("2.0 KiB") && page.contains(">5 B<"));
        assert!(page.contains("1994-11-06 08:49"));
        assert!(!page.contains("<script"), "a strict policy would refuse it");
    }

    #[test]
    fn json_is_json_for_any_name() {
        let text = whole("application/json", b"x/", "", odd_names());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["path"], "/x/");
        assert_eq!(value["entries"][0]["type"], "folder");
        assert_eq!(value["entries"][1]["name"], "a <b>&\"c");
        assert_eq!(value["entries"][1]["size"], 5);
        assert_eq!(value["entries"][2]["href"], "%FF%3F%23%25");
        assert_eq!(value["entries"][2]["modified"], "1994-11-06T08:49:00Z");
        let empty = whole("application/json", b"", "", Vec::new());
        assert!(serde_json::from_str::<serde_json::Value>(&empty).is_ok());
    }

    #[test]
    fn text_is_a_name_a_line() {
        let mut entries = odd_names();
        entries.push(entry(b"two\nlines", false, 0));
        let text = whole("text/plain", b"", "", entries);
        assert_eq!(text, "z/\na <b>&\"c\ntwo\u{fffd}lines\n\u{fffd}?#%\n");
    }

    #[test]
    fn chunks_are_bounded_and_lose_nothing() {
        let entries = (0..ROWS * 3 + 1)
            .map(|i| entry(format!("{i:05}").as_bytes(), false, 0))
            .collect();
        for media_type in MEDIA_TYPES {
            let mut listing = Listing::new(b"", View::from_query(""), media_type, Vec::new());
            assert!(listing.is_short());
            while listing.next_chunk().unwrap().is_some() {}
        }
        let mut listing = Listing::new(b"", View::from_query(""), "text/plain", entries);
        assert!(!listing.is_short());
        let chunks: Vec<_> = std::iter::from_fn(|| listing.next_chunk().unwrap()).collect();
        assert!(chunks.iter().all(|chunk| chunk.lines().count() <= ROWS));
        let names: Vec<String> = chunks.concat().lines().map(str::to_owned).collect();
        let expected: Vec<_> = (0..ROWS * 3 + 1).map(|i| format!("{i:05}")).collect();
        assert_eq!(names, expected);
    }
}
