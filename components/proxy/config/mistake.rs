//! Mistakes in a configuration, and how they are shown: all at once.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A range of the text, in bytes.
pub(super) type Span = Range<usize>;

/// A mistake, before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    /// What is wrong.
    pub(super) message: String,
    /// What would be right; empty if the message says it.
    pub(super) help: String,
}

/// The mistakes that were found so far.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<Mistake>);

impl Found {
    pub(super) fn push(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Mistake {
            span: span.clone(),
            message: message.into(),
            help: help.into(),
        });
    }

    /// Whether a mistake at this place, in bytes, has been found.
    pub(super) fn has_mistake_at(&self, start: usize) -> bool {
        self.0.iter().any(|mistake| mistake.span.start == start)
    }

    /// Returns the mistakes in the order of the text, if there are some.
    pub(super) fn into_mistakes(mut self, file: &Path, text: &str) -> Option<Mistakes> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|mistake| mistake.span.start);
        self.0.dedup();
        let shown = self.0.iter().map(|mistake| show(mistake, file, text));
        Some(Mistakes {
            file: file.to_owned(),
            shown: shown.collect(),
        })
    }
}

/// All mistakes of a configuration, each with its file, line and column, the line itself, and what
/// would be right.
///
/// # Examples
/// ```
/// use std::path::Path;
/// use kamea_proxy::config::read_plan;
///
/// let text = "host \"a.local\" {\n    proxy_pas http://127.0.0.1:9000;\n}\n";
/// let mistakes = read_plan(Path::new("proxy.conf"), text).unwrap_err();
/// assert_eq!(mistakes.to_string(), "\
/// error: proxy.conf:1:1: this block has no backend
///     host \"a.local\" {
///     ^^^^
///     add one: proxy_pass http://127.0.0.1:9000;
/// error: proxy.conf:2:5: there is no setting `proxy_pas`
///         proxy_pas http://127.0.0.1:9000;
///         ^^^^^^^^^
///     near it: proxy_pass
/// 2 mistakes in proxy.conf");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file: PathBuf,
    shown: Vec<String>,
}

impl Mistakes {
    /// Returns how many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shown.len()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shown in self.shown.iter().take(MOST_SHOWN) {
            writeln!(f, "{shown}")?;
        }
        let count = self.count();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} mistake{plural} in {}", self.file.display())?;
        match count > MOST_SHOWN {
            true => write!(f, ", of which the first {MOST_SHOWN} are shown"),
            false => Ok(()),
        }
    }
}

impl std::error::Error for Mistakes {}

/// The limit for mistakes that are shown. A file of another kind would have thousands.
const MOST_SHOWN: usize = 50;

/// The limit for characters of a line that is shown.
const WIDEST: usize = 160;

/// `error: FILE:LINE:COLUMN: MESSAGE`, the line, carets, and the help.
fn show(mistake: &Mistake, file: &Path, text: &str) -> String {
    let start = text.floor_char_boundary(mistake.span.start.min(text.len()));
    let end = text.floor_char_boundary(mistake.span.end.clamp(start, text.len()));
    let (number, line_start) = line_of(text, start);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let column = text[line_start..start].chars().count() + 1;
    // Tabs stay tabs, so that the carets are below the right characters.
    let indent = |c: char| if c == '\t' { '\t' } else { ' ' };
    let indent: String = text[line_start..start].chars().map(indent).collect();
    let end_of_line = (line_start + line.len()).max(start);
    let carets = text[start..end.clamp(start, end_of_line)].chars().count();
    let place = format!("{}:{number}:{column}", file.display());
    let mut shown = format!("error: {place}: {}", mistake.message);
    if column + carets <= WIDEST {
        let line: String = line.chars().map(visible).take(WIDEST).collect();
        let carets = "^".repeat(carets.max(1));
        shown.push_str(&format!("\n    {line}\n    {indent}{carets}"));
    }
    for help in mistake.help.lines() {
        shown.push_str("\n    ");
        shown.push_str(help);
    }
    shown
}

/// Shows a control character as `?`, so that a file cannot control a terminal.
fn visible(c: char) -> char {
    match c {
        '\t' => '\t',
        c if c.is_control() => '?',
        c => c,
    }
}

/// Returns the number of the line at `start`, counted from 1, and where it begins.
pub(super) fn line_of(text: &str, start: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(start.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, line_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Span) -> String {
        let mut found = Found::default();
        found.push(&span, "wrong", "right\nreally");
        let mistakes = found.into_mistakes(Path::new("f"), text).unwrap();
        mistakes.to_string()
    }

    #[test]
    fn the_carets_stand_below_what_is_wrong() {
        let rows = [
            (
                "ab cd",
                3..5,
                "f:1:4: wrong\n    ab cd\n       ^^\n    right\n    really",
            ),
            ("\n\tab", 2..4, "f:2:2: wrong\n    \tab\n    \t^^\n"),
            // Up to the end of the line, and beyond the end of the text.
            ("ab\ncd", 1..4, "f:1:2: wrong\n    ab\n     ^\n"),
            ("ab", 2..3, "f:1:3: wrong\n    ab\n      ^\n"),
            ("", 9..9, "f:1:1: wrong\n    \n    ^\n"),
            (
                "\u{e9}\u{e9} x",
                5..6,
                "f:1:4: wrong\n    \u{e9}\u{e9} x\n       ^\n",
            ),
            ("a\u{1b}[2J", 0..1, "f:1:1: wrong\n    a?[2J\n    ^\n"),
        ];
        for (text, span, expected) in rows {
            let shown = shown(text, span);
            assert!(shown.contains(expected), "{text:?}: {shown}");
        }
    }

    #[test]
    fn a_file_of_another_kind_does_not_fill_the_screen() {
        let mut found = Found::default();
        for start in 0..1000 {
            found.push(&(start..start), "wrong", "");
        }
        let text = "x".repeat(100_000);
        let mistakes = found.into_mistakes(Path::new("f"), &text).unwrap();
        let shown = mistakes.to_string();
        assert!(shown.ends_with("1000 mistakes in f, of which the first 50 are shown"));
        assert!(shown.lines().all(|line| line.len() < 200));
    }
}
