//! A mistake in a text, and how it is shown.

use std::fmt;

use super::syntax::Span;

/// A mistake in a text, its position, and a hint how to correct it.
///
/// # Examples
///
/// ```
/// use kamea_components::notation::Catalogue;
///
/// let text = "read_file access.log => console_ecoer";
/// let mistake = Catalogue::shipped().read(text).unwrap_err();
/// assert_eq!(mistake.show("", text), "\
/// error: column 25: there is no component `console_ecoer`
///     read_file access.log => console_ecoer
///                             ^^^^^^^^^^^^^
///     near it: console_echoer");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    span: Span,
    message: String,
    note: Option<String>,
}

impl Mistake {
    pub(super) fn new(span: &Span, message: impl Into<String>) -> Self {
        Self {
            span: span.clone(),
            message: message.into(),
            note: None,
        }
    }

    /// Creates a mistake of the build phase; the caller adds the position.
    pub(super) fn nowhere(message: impl Into<String>) -> Self {
        Self::new(&(0..0), message)
    }

    /// Adds a hint how to correct it; an empty `note` adds nothing.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into()).filter(|note| !note.is_empty());
        self
    }

    /// Shows the mistake with the line of `text` that contains it. `origin` is the file that the
    /// text was read from; `None` for the command line.
    #[must_use]
    pub fn show(&self, origin: &str, text: &str) -> String {
        let start = floor(text, self.span.start);
        let end = floor(text, self.span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let number = text[..line_start].matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let place = match (origin, text.trim_end().contains('\n')) {
            ("", false) => format!("column {column}"),
            ("", true) => format!("line {number}, column {column}"),
            (origin, _) => format!("{origin}:{number}:{column}"),
        };
        // Tabs stay tabs, so that the carets are below the right characters.
        let indent = |c: char| if c == '\t' { '\t' } else { ' ' };
        let indent: String = text[line_start..start].chars().map(indent).collect();
        let end_of_line = line_start + line.len();
        let marked = text[start..end.clamp(start, end_of_line.max(start))].chars();
        let carets = "^".repeat(marked.count().max(1));
        let mut shown = format!("error: {place}: {self}\n    {line}\n    {indent}{carets}");
        if let Some(note) = &self.note {
            shown.push_str("\n    ");
            shown.push_str(note);
        }
        shown
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

/// Returns the beginning of the character at `index`.
fn floor(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index.min(text.len()))
}

/// Returns the known names that are similar to `name`, the nearest first.
pub(super) fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let rank = |known: &'n str| {
        let similarity = strsim::jaro_winkler(name, known);
        // `parse` is near `web.parse`.
        let is_part = name.len() > 2 && known.split(['.', '_']).any(|part| part == name);
        let similarity = if is_part { 1.0 } else { similarity };
        (similarity > 0.8).then_some((similarity, known))
    };
    let mut near: Vec<_> = known.into_iter().filter_map(rank).collect();
    near.sort_by(|(a, name), (b, other)| b.total_cmp(a).then(name.cmp(other)));
    // If one is much nearer than the others, only that one is returned.
    let nearest = near.first().map_or(0.0, |(similarity, _)| *similarity);
    near.retain(|(similarity, _)| *similarity > nearest - 0.05);
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Returns `near it: a, b`, or nothing.
pub(super) fn near_note<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let near = near(name, known);
    if near.is_empty() {
        return String::new();
    }
    format!("near it: {}", near.join(", "))
}

/// Programs of a shell, and the components that do the same.
const ELSEWHERE: [(&str, &str); 9] = [
    ("cat", "read_file"),
    ("grep", "filter"),
    ("listen", "tcp"),
    ("nc", "tcp"),
    ("print", "console_echoer"),
    ("read", "read_file"),
    ("stdin", "console_reader"),
    ("stdout", "console_echoer"),
    ("write", "write_file"),
];

/// Returns the component that does the same as the program of this name.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    let known = ELSEWHERE.iter().find(|(program, _)| *program == name);
    known.map(|(_, component)| *component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Catalogue;

    #[test]
    fn what_a_shell_calls_otherwise_is_a_component_here() {
        for (program, component) in ELSEWHERE {
            assert!(
                Catalogue::shipped().find(component).is_some(),
                "{component}"
            );
            assert!(Catalogue::shipped().find(program).is_none(), "{program}");
        }
    }
}
