//! Plain English: the documents and the comments of public items, checked for the patterns that make
//! them hard to read. The help of the programs is made from such comments.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Regular expressions (grep -E) for what must not come back, each with what to write instead.
const PATTERNS: [(&str, &str); 10] = [
    (r"\bwhoever\b", "name the actor"),
    (r"\bwhat becomes of\b", "what to do with"),
    (
        r"\b(name|value|length|text|it|which) is none\b",
        "is missing; is empty",
    ),
    (
        r"\b(name|value|length|text|address|word) is no\b",
        "is not a; is invalid",
    ),
    (r"\bholds? up\b", "slows (backpressure)"),
    (r"\bread anew\b", "reloads"),
    (
        r"\bhas (requests|files|it|them) [a-z]+ed\b",
        "the verb itself, in the active voice",
    ),
    (r"\bmakes use of\b", "uses"),
    (r"\bin order to\b", "to"),
    (r"\bthose who\b", "the actor"),
];

/// The longest line of a comment, and of a paragraph in a document.
const COMMENT: usize = 100;
const PARAGRAPH: usize = 115;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Returns the files below some folders with this extension.
fn files(folders: &[&str], extension: &str) -> Vec<PathBuf> {
    let mut left: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}

/// The lines of text, without examples, tables, pictures and links: each with its file and number.
fn lines_of_text() -> Vec<(String, usize)> {
    let mut lines = Vec::new();
    let documents = files(&["README.md", "docs/src"], "md").into_iter();
    let sources = ["src", "derive", "components", "recipes", "tools"];
    let sources = files(&sources, "rs").into_iter();
    let documents = documents.map(|path| (path, PARAGRAPH));
    for (path, limit) in documents.chain(sources.map(|path| (path, COMMENT))) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display();
        let mut is_example = false;
        for (number, line) in text.lines().enumerate() {
            let line = match limit {
                PARAGRAPH => line,
                _ => match line.trim_start() {
                    comment if comment.starts_with("///") || comment.starts_with("//!") => line,
                    _ => {
                        is_example = false;
                        continue;
                    }
                },
            };
            let bare = line
                .trim_start()
                .trim_start_matches(['/', '!'])
                .trim_start();
            if bare.starts_with("```") {
                is_example = !is_example;
            } else if !is_example && !bare.starts_with('|') && !line.starts_with("![") {
                let named = format!("{shown}:{}: {line}", number + 1);
                lines.push((named, limit));
            }
        }
    }
    assert!(lines.len() > 5000, "{} lines", lines.len());
    lines
}

#[test]
fn the_worst_patterns_do_not_come_back() {
    let mut grep = Command::new("grep");
    for (pattern, _) in PATTERNS {
        grep.args(["-e", pattern]);
    }
    let mut grep = grep
        .arg("-Ei")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = grep.stdin.take().unwrap();
    let text: Vec<_> = lines_of_text().into_iter().map(|(line, _)| line).collect();
    let writer = std::thread::spawn(move || input.write_all(text.join("\n").as_bytes()));
    let output = grep.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found.is_empty(),
        "write instead as {PATTERNS:#?} say:\n{found}"
    );
    // Grep says 1 if it finds nothing, and 2 if an expression is wrong.
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn lines_of_text_are_short() {
    let is_long = |(line, limit): &(String, usize)| {
        let text = line.splitn(3, ':').nth(2).unwrap_or_default();
        text.chars().count() > *limit + 1 && !text.contains("://")
    };
    let long: Vec<_> = lines_of_text().into_iter().filter(is_long).collect();
    let shown: Vec<_> = long.iter().map(|(line, _)| line.as_str()).collect();
    assert!(
        long.is_empty(),
        "{} lines are too long:\n{}",
        long.len(),
        shown.join("\n")
    );
}
