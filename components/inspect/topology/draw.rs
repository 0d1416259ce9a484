//! The topology protocol on one connection: lines in, answers out, and the resulting sketches for
//! the pages.
//!
//! ```text
//! bytes ──▶ draw_topology ──▶ answers
//!                ╌╌▶ sketches    to the gatherer, which is another graph
//! ```

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use kamea::{Component, Done, Pipe, Sender};
use memchr::memchr;

use super::sketch::{Sketch, refusal};

/// The longest line, in bytes.
const LONGEST_LINE: usize = 4096;

/// The most bytes of unsent answers before the next line is executed: a command of eight bytes asks
/// for everything.
const ENOUGH: usize = 65_536;

/// The current drawing of a program.
#[derive(Debug, Clone)]
pub struct Sketched {
    /// Identifies the program.
    pub program: u64,
    /// The name of the program: its address.
    pub name: String,
    /// The drawing.
    pub sketch: Arc<Sketch>,
    /// Whether the program is still connected.
    pub is_connected: bool,
}

/// Executes the topology commands of one program, one per line. Sends to `sketches` the drawing
/// after all lines that have arrived.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::Graph;
/// use kamea_components::inspect::draw_topology;
///
/// let (sketches, mut drawn) = kamea::link(16);
/// let mut graph = Graph::new("topology");
/// let draw = graph.add("draw", draw_topology(1, "a program", sketches));
/// let (lines, mut answers) = (graph.feed(draw.inbox), graph.take(draw.outbox));
/// lines.try_send(Bytes::from("ADD NODE 1 one auto -\r\nADD NODE 2 two auto -\nADD LI")).unwrap();
/// lines.try_send(Bytes::from("NK 1 2\nADD LINK 1 3\n")).unwrap();
/// drop(lines);
/// kamea::testing::block_on(graph.start()?)?;
/// assert_eq!(answers.try_next().unwrap(), "ERROR \"there is no node 3\"\n");
/// let last = std::iter::from_fn(|| drawn.try_next()).last().unwrap();
/// assert_eq!(last.sketch.to_json()["links"][0]["to"], "2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn draw_topology(
    program: u64,
    name: impl Into<String>,
    sketches: Sender<Sketched>,
) -> impl Component<Pipe<Bytes, Bytes>> + Send {
    let name = name.into();
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let mut drawing = Drawing::default();
        let sketched = |sketch: &Sketch, is_connected| Sketched {
            program,
            name: name.clone(),
            sketch: Arc::new(sketch.clone()),
            is_connected,
        };
        let drawn = async {
            while let Some(bytes) = io.inbox.next().await {
                let (mut answers, mut next) = (String::new(), Some(bytes));
                // The lines that have arrived count before the drawing is shown.
                while let Some(bytes) = next {
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        drawing.feed(&mut rest, &mut answers);
                        if drawing.is_http {
                            return Done::Ok(());
                        }
                        if answers.len() >= ENOUGH {
                            io.outbox.send(mem::take(&mut answers).into()).await?;
                        }
                    }
                    next = io.inbox.try_next();
                }
                sketches.send(sketched(&drawing.sketch, true)).await?;
                if !answers.is_empty() {
                    io.outbox.send(answers.into()).await?;
                }
            }
            Done::Ok(())
        };
        let drawn = drawn.await;
        sketches.send(sketched(&drawing.sketch, false)).await?;
        drawn
    }
}

/// A sketch, and the line that is arriving.
#[derive(Default)]
struct Drawing {
    sketch: Sketch,
    line: Vec<u8>,
    /// Whether the line is too long, and therefore dropped.
    is_too_long: bool,
    /// Whether a line has ended.
    has_begun: bool,
    /// Whether the first line is one of HTTP: a browser was sent here, and none of its lines is
    /// executed.
    is_http: bool,
}

impl Drawing {
    /// Takes bytes, and executes their lines, until there are enough answers.
    fn feed(&mut self, bytes: &mut &[u8], answers: &mut String) {
        while answers.len() < ENOUGH && !self.is_http {
            let Some(end) = memchr(b'\n', bytes) else {
                self.gather(mem::take(bytes));
                return;
            };
            self.gather(&bytes[..end]);
            self.end_line(answers);
            *bytes = &bytes[end + 1..];
        }
    }

    fn gather(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.line.len() + bytes.len() > LONGEST_LINE;
        if self.is_too_long {
            // `POST /xxx...`: no command has a slash after its first word.
            let line = [&self.line[..], &bytes[..bytes.len().min(LONGEST_LINE)]].concat();
            let mut words = line.split(|&byte| byte == b' ');
            let target = words.nth(1).unwrap_or_default();
            self.is_http |= !self.has_begun && target.starts_with(b"/");
            self.line.clear();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, answers: &mut String) {
        let line = String::from_utf8_lossy(&self.line).replace('\r', "");
        let is_first = !mem::replace(&mut self.has_begun, true);
        self.is_http |= is_first && is_request_line(&line);
        if self.is_http {
            self.is_too_long = false;
        } else if mem::take(&mut self.is_too_long) {
            answers.push_str(&refusal(&format!("a line may have {LONGEST_LINE} bytes")));
        } else if !line.trim().is_empty() {
            answers.push_str(&self.sketch.command(&line));
        }
        self.line.clear();
    }
}

/// Whether a line begins an HTTP request (RFC 9112 section 3).
fn is_request_line(line: &str) -> bool {
    let version = line.trim_end().rsplit(' ').next().unwrap_or_default();
    version.starts_with("HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(parts: &[&[u8]]) -> String {
        let (mut drawing, mut answers) = (Drawing::default(), String::new());
        for part in parts {
            drawing.feed(&mut &part[..], &mut answers);
            assert!(drawing.line.len() <= LONGEST_LINE);
        }
        answers
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let text = b"ADD NODE 1 a auto -\r\n\n  \nGET_NAME NODE 1\n";
        let whole = answers(&[text]);
        assert_eq!(whole, "UPDATE_NAME NODE 1 a\n");
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(answers(&bytes), whole);
    }

    #[test]
    fn a_browser_is_not_obeyed() {
        let commands = b"\nADD NODE 1 a auto -\nGET_NAME NODE 1\n";
        for line in ["POST / HTTP/1.1\r", "GET /x HTTP/1.0", "PRI * HTTP/2.0\r"] {
            for size in [1, 7, 1000] {
                let text = [line.as_bytes(), commands].concat();
                let parts: Vec<&[u8]> = text.chunks(size).collect();
                assert_eq!(answers(&parts), "", "{line} in pieces of {size}");
            }
        }
        let long = [
            &b"POST /"[..],
            &[b'x'; 2 * LONGEST_LINE],
            b" HTTP/1.1",
            commands,
        ]
        .concat();
        assert_eq!(answers(&[&long]), "");
        let told =
            answers(&[b"GET_NAME NODE 1\nGET / HTTP/1.1\nADD NODE 1 a auto -\nGET_NAME NODE 1\n"]);
        assert!(told.ends_with("UPDATE_NAME NODE 1 a\n"), "{told}");
    }

    #[test]
    fn a_line_too_long_is_refused_and_the_next_is_obeyed() {
        let long = vec![b'x'; LONGEST_LINE];
        let fits = answers(&[&long, b"\n"]);
        assert!(fits.starts_with("ERROR \"the commands are"), "{fits}");
        let told = answers(&[
            &long,
            b"x",
            &long,
            b"\nADD NODE 1 a auto -\nGET_NAME NODE 1\n",
        ]);
        assert_eq!(
            told,
            "ERROR \"a line may have 4096 bytes\"\nUPDATE_NAME NODE 1 a\n"
        );
    }

    #[test]
    fn answers_do_not_gather() {
        let name = "x".repeat(1000);
        let text = format!("ADD NODE 1 {name} auto -\n") + &"GET ALL\n".repeat(1000);
        let (mut drawing, mut rest, mut told) = (Drawing::default(), text.as_bytes(), 0);
        while !rest.is_empty() {
            let mut answers = String::new();
            drawing.feed(&mut rest, &mut answers);
            assert!(answers.len() < ENOUGH + 2 * name.len(), "{}", answers.len());
            told += answers.matches("DEL ALL\n").count();
        }
        assert_eq!(told, 1000);
    }

    #[test]
    fn what_is_no_text_is_still_a_line() {
        let told = answers(&[b"ADD NODE 1 \xff\xfe auto -\nGET_NAME NODE 1\n"]);
        assert_eq!(told, "UPDATE_NAME NODE 1 \u{fffd}\u{fffd}\n");
    }
}
