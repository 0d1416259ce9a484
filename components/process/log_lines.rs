//! Writes the output of a process to the log, line by line.

use bytes::Bytes;
use kamea::{Component, Sink};
use log::Level;

/// How much of a line is logged, in bytes.
const LONGEST: usize = 4096;

/// Logs each line of its input, after a prefix. Control characters are escaped, and a very long
/// line is cut.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::process::{Command, log_lines, unix_process};
///
/// let mut graph = Graph::new("complaining");
/// let process = graph.add("process", unix_process(Command::new("ls").arg("/missing")));
/// let log = graph.add("log", log_lines("ls".to_owned(), log::Level::Warn));
/// graph.link(process.stderr, log.inbox);
/// let listing = graph.take(process.stdout);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(listing.into_iter().count(), 0);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn log_lines(prefix: String, level: Level) -> impl Component<Sink<Bytes>> + Send {
    async move |io: &mut Sink<Bytes>| {
        let mut lines = Lines::default();
        while let Some(bytes) = io.inbox.next().await {
            lines.feed(&bytes, |line| log::log!(level, "{prefix} | {line}"));
        }
        lines.finish(|line| log::log!(level, "{prefix} | {line}"));
        Ok(())
    }
}

/// Finds the lines in input that arrives in pieces.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of the current line.
    line: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut log: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LONGEST - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.finish(&mut log);
            }
        }
    }

    /// Ends the current line, if there is one.
    fn finish(&mut self, mut log: impl FnMut(&str)) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if !line.is_empty() {
            log(&printable(line));
        }
    }
}

/// Escapes text so that it is harmless in a terminal: control characters, and characters that
/// change the direction of text.
///
/// # Examples
///
/// ```
/// use kamea_components::process::printable;
///
/// assert_eq!(printable(b"one\ntwo \x1b[31m"), "one\\ntwo \\u{1b}[31m");
/// ```
#[must_use]
pub fn printable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for character in String::from_utf8_lossy(line).chars() {
        if (character.is_control() || is_bidi_control(character)) && character != '\t' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_they_are_cut() {
        let long = [b"x".repeat(LONGEST + 10), b"\nnext\n".to_vec()].concat();
        let rows: [(&[u8], Vec<String>); 6] = [
            (b"one\ntwo\n", vec!["one".into(), "two".into()]),
            (b"one\r\n\n\nno end", vec!["one".into(), "no end".into()]),
            (
                b"\x1b[31mred\0\x7f\ttab",
                vec!["\\u{1b}[31mred\\u{0}\\u{7f}\ttab".into()],
            ),
            ("caf\u{e9}\n".as_bytes(), vec!["caf\u{e9}".into()]),
            (b"\xff\n", vec!["\u{fffd}".into()]),
            (&long, vec!["x".repeat(LONGEST), "next".into()]),
        ];
        for (bytes, expected) in rows {
            for size in [1, 2, 3, bytes.len()] {
                let (mut lines, mut found) = (Lines::default(), Vec::new());
                for piece in bytes.chunks(size) {
                    lines.feed(piece, |line| found.push(line.to_owned()));
                }
                lines.finish(|line| found.push(line.to_owned()));
                assert_eq!(found, expected, "in pieces of {size}");
            }
        }
    }
}
