//! Console sessions of the docs: how the tests read them, and compare the output of commands.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Returns the commands of a chapter's sessions, each with its expected output.
pub(crate) fn sessions(chapter: &str) -> Vec<(String, String)> {
    let blocks = chapter.split("```console\n").skip(1);
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        match (line.strip_prefix("$ "), line.strip_prefix('>')) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            // A command continues.
            (None, Some(more)) => {
                let command = &mut commands.last_mut().unwrap().0;
                command.push('\n');
                command.push_str(more.strip_prefix(' ').unwrap_or(more));
            }
            (None, None) => {
                let printed = &mut commands.last_mut().unwrap().1;
                printed.push_str(line);
                printed.push('\n');
            }
        }
    }
    commands
}

/// Whether a text matches a pattern, in which `…` stands for anything within a line.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let matches = |(line, pattern): (&str, &str)| {
        let parts: Vec<_> = pattern.split('…').collect();
        let [first, middle @ .., last] = &parts[..] else {
            return line == pattern;
        };
        let rest = line
            .strip_prefix(first)
            .and_then(|rest| rest.strip_suffix(last));
        rest.is_some_and(|rest| middle.iter().all(|part| rest.contains(part)))
    };
    let (text, pattern) = (text.trim_end(), pattern.trim_end());
    text.lines().count() == pattern.lines().count()
        && text
            .lines()
            .map(str::trim_end)
            .zip(pattern.lines().map(str::trim_end))
            .all(matches)
}

/// Checks that a page shows a program as it is.
pub(crate) fn assert_shows(page: &str, path: &str) {
    let program = fs::read_to_string(root().join(path)).unwrap();
    let shown = format!("<!-- {path} -->\n\n```rust,ignore\n{program}```\n");
    assert!(
        page.contains(&shown),
        "a page shows another program than {path}: `make book` copies the programs"
    );
}
