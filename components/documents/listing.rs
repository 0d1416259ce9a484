//! The listing of a folder without an index, as a page, as JSON or as text, in chunks of bounded
//! size.

mod page;

use std::sync::Arc;

use askama::Template;
use futures_lite::future::yield_now;
use kamea::{Graph, link, spawn};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::FileOptions;
use super::folder::{Entry, View};
use super::snapshots::Entries;
use crate::chassis::NoPorts;
use crate::http::Chunk;
use crate::web::Body;
use page::{Foot, Head, Rows};

/// The characters that are not escaped in a path segment (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The most entries in a chunk.
const ROWS: usize = 256;

/// The most entries in a listing that is made in one step.
pub(super) const SHORT: usize = 4096;

/// How many chunks may wait for the writer.
const CAPACITY: usize = 2;

/// The media types of a listing, in the order of the server's preference.
pub(super) const MEDIA_TYPES: [&str; 3] = ["text/html", "application/json", "text/plain"];

/// What the page of a listing shows besides names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// Thumbnails of images.
    pub(super) thumbnails: bool,
    /// Forms that change files.
    pub(super) forms: bool,
}

impl Shown {
    pub(super) fn by(options: &FileOptions) -> Self {
        Self {
            thumbnails: options.thumbnails,
            forms: options.writable,
        }
    }
}

/// The script that uploads files, and its digest for `Content-Security-Policy`.
pub(super) const UPLOAD: &str = include_str!("listing/upload.js");
pub(super) const UPLOAD_DIGEST: &str = "sha256-4DMUg4MMYt/apNHtTLFqerlnKfSXqOwWhpFIi0ADzVc=";

/// A listing, made chunk by chunk.
#[derive(Debug)]
pub(super) struct Listing {
    path: Vec<u8>,
    view: View,
    media_type: &'static str,
    shown: Shown,
    entries: Arc<Entries>,
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
    /// The listing of these sorted entries, of the folder at `path`, as one of [`MEDIA_TYPES`].
    pub(super) fn new(
        path: &[u8],
        view: View,
        media_type: &'static str,
        shown: Shown,
        entries: Arc<Entries>,
    ) -> Self {
        Self {
            path: path.to_vec(),
            view,
            media_type,
            shown,
            entries,
            listed: 0,
            state: State::Begins,
        }
    }

    /// Makes the whole listing, which may take a while.
    ///
    /// # Errors
    ///
    /// The errors of the template engine.
    pub(super) fn into_whole(mut self) -> Result<String, askama::Error> {
        let mut whole = String::new();
        while let Some(chunk) = self.next_chunk()? {
            whole.push_str(&chunk);
        }
        Ok(whole)
    }

    /// Makes the listing while it is sent: in a graph of its own, at the speed of the peer.
    pub(super) fn into_stream(mut self) -> Body {
        let (sender, chunks) = link(CAPACITY);
        let mut graph = Graph::new("listing");
        graph.add("lister", async move |_: &mut NoPorts| {
            while let Some(chunk) = self.next_chunk()? {
                sender.send(chunk.into()).await?;
                yield_now().await;
            }
            Ok(sender.send(Chunk::END).await?)
        });
        let flow = graph.start();
        spawn(flow.expect("a graph of one component without ports is right"));
        Body::Stream {
            chunks,
            length: None,
        }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    ///
    /// The errors of the template engine.
    fn next_chunk(&mut self) -> Result<Option<String>, askama::Error> {
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
            "text/html" => Head::new(&self.path, &self.view, self.shown).render(),
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
            "text/html" => Rows::new(entries, self.view.grid, self.shown).render(),
            "application/json" => {
                let objects: Vec<_> = entries.iter().map(json_object).collect();
                let comma = if start > 0 { ",\n" } else { "\n" };
                Ok(format!("{comma}{}", objects.join(",\n")))
            }
            _ => Ok(entries
                .iter()
                .map(|entry| plain_name(&name_of(entry)) + "\n")
                .collect()),
        }
    }

    fn foot(&self) -> Result<String, askama::Error> {
        match self.media_type {
            "text/html" => Foot::new(&self.entries, self.shown).render(),
            "application/json" => Ok("\n]}\n".to_owned()),
            _ => Ok(String::new()),
        }
    }
}

/// The name, with a slash after that of a folder.
fn name_of(entry: &Entry) -> String {
    entry.text() + if entry.is_folder { "/" } else { "" }
}

/// A name for a terminal: control characters become question marks, as in the output of `ls`. A
/// name that changes the direction of text is isolated from the following text (Unicode Standard
/// Annex 9).
fn plain_name(name: &str) -> String {
    let (mut plain, mut open) = (String::with_capacity(name.len()), 0);
    for character in name.chars() {
        match character {
            ISOLATE_END if open == 0 => {
                plain.push('?');
                continue;
            }
            ISOLATE_END => open -= 1,
            '\u{2066}'..='\u{2068}' => open += 1,
            _ => {}
        }
        plain.push(if character.is_control() {
            '?'
        } else {
            character
        });
    }
    if !plain.contains(is_bidi_control) {
        return plain;
    }
    let ends = ISOLATE_END.to_string().repeat(open + 1);
    format!("{ISOLATE}{plain}{ends}")
}

const ISOLATE: char = '\u{2068}';
const ISOLATE_END: char = '\u{2069}';

/// Whether a character changes the direction of text.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The URL reference from the listing to the entry. It is also exact if the name is not valid text.
fn href_of(entry: &Entry) -> String {
    let slash = if entry.is_folder { "/" } else { "" };
    format!("{}{slash}", percent_encode(&entry.name, SEGMENT))
}

fn json_object(entry: &Entry) -> String {
    let (name, href) = (json_string(&entry.text()), json_string(&href_of(entry)));
    let changed = json_string(&timestamp(entry.modified));
    match &entry.media_type {
        None => format!(
            "{{\"name\":{name},\"href\":{href},\"type\":\"folder\",\"modified\":{changed}}}"
        ),
        Some(media_type) => format!(
            "{{\"name\":{name},\"href\":{href},\"type\":\"file\",\"media_type\":{},\"size\":{},\"modified\":{changed}}}",
            json_string(media_type),
            entry.size
        ),
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `2026-11-21T09:42:31Z` (RFC 3339); empty for times outside the calendar.
fn timestamp(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// `2026-11-21 09:42`, in UTC; empty for times outside the calendar.
fn date_and_time(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or(String::new(), |at| {
        let (month, day) = (u8::from(at.month()), at.day());
        let (hour, minute) = (at.hour(), at.minute());
        format!("{}-{month:02}-{day:02} {hour:02}:{minute:02}", at.year())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8], is_folder: bool, size: u64) -> Entry {
        Entry {
            name: name.into(),
            is_folder,
            is_link: false,
            size,
            modified: 784_111_777,
            media_type: (!is_folder).then(|| "text/plain".into()),
        }
    }

    fn whole(media_type: &'static str, path: &[u8], query: &str, entries: Vec<Entry>) -> String {
        let (view, mut entries) = (View::from_query(query), entries);
        view.arrange(&mut entries);
        let listing = Listing::new(path, view, media_type, PLAIN, Entries::short(entries));
        listing.into_whole().unwrap()
    }

    const PLAIN: Shown = Shown {
        thumbnails: true,
        forms: false,
    };

    #[test]
    fn only_a_writable_folder_has_forms_and_every_name_survives_them() {
        let page = |forms| {
            let shown = Shown { forms, ..PLAIN };
            let view = View::from_query("");
            let listing = Listing::new(b"", view, "text/html", shown, Entries::short(odd_names()));
            listing.into_whole().unwrap()
        };
        assert!(!page(false).contains("method=\"post\""));
        let page = page(true);
        // The value is what the browser sends: the name, percent-encoded once.
        for value in ["z", "a%20%3Cb%3E%26%22c", "%FF%3F%23%25"] {
            let field = format!("name=\"delete\" value=\"{value}\"");
            assert!(page.contains(&field), "{field} in {page}");
        }
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(page.contains(UPLOAD));
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
        assert_eq!(value["entries"][2]["modified"], "1994-11-06T08:49:37Z");
        let empty = whole("application/json", b"", "", Vec::new());
        assert!(serde_json::from_str::<serde_json::Value>(&empty).is_ok());
    }

    #[test]
    fn text_is_a_name_a_line() {
        let mut entries = odd_names();
        entries.push(entry(b"two\nlines", false, 0));
        let text = whole("text/plain", b"", "", entries);
        assert_eq!(text, "z/\na <b>&\"c\ntwo?lines\n\u{fffd}?#%\n");
    }

    #[test]
    fn a_name_does_nothing_to_a_terminal_or_to_its_neighbours() {
        for (name, expected) in [
            ("plain \u{e9}\u{5d0}", "plain \u{e9}\u{5d0}"),
            ("\u{1b}[31m\t\u{7f}\u{9b}", "?[31m???"),
            ("a\u{202e}gpj.exe", "\u{2068}a\u{202e}gpj.exe\u{2069}"),
            ("a\u{2069}\u{202e}b", "\u{2068}a?\u{202e}b\u{2069}"),
            ("\u{2067}x", "\u{2068}\u{2067}x\u{2069}\u{2069}"),
            ("\u{2067}x\u{2069}y", "\u{2068}\u{2067}x\u{2069}y\u{2069}"),
        ] {
            assert_eq!(plain_name(name), expected, "{name:?}");
        }
        let page = whole(
            "text/html",
            b"",
            "",
            vec![entry("a\u{202e}b".as_bytes(), false, 0)],
        );
        assert!(page.contains("<bdi>a\u{202e}b</bdi>"), "{page}");
    }

    #[test]
    fn chunks_are_bounded_and_lose_nothing() {
        let entries: Vec<_> = (0..ROWS * 3 + 1)
            .map(|i| entry(format!("{i:05}").as_bytes(), false, 0))
            .collect();
        let view = View::from_query("");
        let mut listing = Listing::new(b"", view, "text/plain", PLAIN, Entries::short(entries));
        let chunks: Vec<_> = std::iter::from_fn(|| listing.next_chunk().unwrap()).collect();
        assert!(chunks.iter().all(|chunk| chunk.lines().count() <= ROWS));
        let names: Vec<String> = chunks.concat().lines().map(str::to_owned).collect();
        let expected: Vec<_> = (0..ROWS * 3 + 1).map(|i| format!("{i:05}")).collect();
        assert_eq!(names, expected);
    }
}
