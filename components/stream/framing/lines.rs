//! The lines of a stream of bytes.

use bytes::Bytes;
use kamea::{Component, Pipe};

/// The default limit for a line, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

/// A line is longer than [`lines`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line is too long: {longest} bytes are allowed")]
pub struct LineError {
    /// The limit, in bytes.
    pub longest: usize,
}

/// Splits bytes into lines. A line ends with `\n` or `\r\n`, which is removed; the last line may
/// lack it.
///
/// Invalid UTF-8 is replaced by U+FFFD, so no line is lost. To keep such bytes, cut the lines
/// yourself.
///
/// # Faults
///
/// [`LineError`] as soon as a line has more than `longest` bytes, so that an endless line cannot
/// fill the memory. [`LONGEST_LINE`] is a good default.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::testing::collect;
/// use kamea_components::stream::{LONGEST_LINE, lines};
///
/// let received = ["one\r\nt", "wo\n\nno end"].map(Bytes::from);
/// assert_eq!(collect(lines(LONGEST_LINE), received), ["one", "two", "", "no end"]);
/// ```
pub fn lines(longest: usize) -> impl Component<Pipe<Bytes, String>> + Clone + Send + Sync {
    async move |io: &mut Pipe<Bytes, String>| {
        let mut splitter = LineSplitter::new(longest);
        while let Some(mut bytes) = io.inbox.next().await {
            while let Some(line) = splitter.next(&mut bytes)? {
                io.outbox.send(line).await?;
            }
        }
        if let Some(line) = splitter.finish()? {
            io.outbox.send(line).await?;
        }
        Ok(())
    }
}

/// Finds lines in pieces of bytes.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    longest: usize,
    /// The start of a line whose end has not come.
    begun: Vec<u8>,
}

impl LineSplitter {
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            longest,
            begun: Vec::new(),
        }
    }

    /// Takes the next line that ends in `bytes`. If none does, it keeps the bytes.
    pub(crate) fn next(&mut self, bytes: &mut Bytes) -> Result<Option<String>, LineError> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.begun.extend_from_slice(bytes);
            bytes.clear();
            // The last byte may be a carriage return that belongs to the line end.
            let length = self.begun.len() - usize::from(self.begun.last() == Some(&b'\r'));
            return self.check(length).map(|()| None);
        };
        let piece = bytes.split_to(end + 1);
        let piece = &piece[..end];
        if self.begun.is_empty() {
            return self.line(without_return(piece)).map(Some);
        }
        self.begun.extend_from_slice(piece);
        let line = std::mem::take(&mut self.begun);
        self.line(without_return(&line)).map(Some)
    }

    /// The last line without a line end, if there is one.
    pub(crate) fn finish(&mut self) -> Result<Option<String>, LineError> {
        let line = std::mem::take(&mut self.begun);
        if line.is_empty() {
            return Ok(None);
        }
        self.line(&line).map(Some)
    }

    fn line(&self, line: &[u8]) -> Result<String, LineError> {
        self.check(line.len())?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn check(&self, length: usize) -> Result<(), LineError> {
        let longest = self.longest;
        if length > longest {
            return Err(LineError { longest });
        }
        Ok(())
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::{pieces, run, stuck};

    #[test]
    fn lines_are_found_however_they_are_cut() {
        let rows: [(&[u8], &[&str]); 9] = [
            (b"", &[]),
            (b"\n", &[""]),
            (b"one\ntwo\n", &["one", "two"]),
            (b"one\r\ntwo", &["one", "two"]),
            (b"\r\n\n\r\n", &["", "", ""]),
            (b"a\rb\r\r\nc\r", &["a\rb\r", "c\r"]),
            ("caf\u{e9}\n".as_bytes(), &["caf\u{e9}"]),
            (b"\xff\xfea\nb\n", &["\u{fffd}\u{fffd}a", "b"]),
            (b"1234567890\n1234567890\r\n1234567890", &["1234567890"; 3]),
        ];
        for (bytes, expected) in rows {
            for size in 1..=bytes.len().max(1) {
                let (found, outcome) = run(lines(10), pieces(bytes, size));
                outcome.unwrap();
                assert_eq!(found, expected, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_a_fault_before_its_end_has_come() {
        let rows: [&[u8]; 5] = [
            b"one\n12345678901\n",
            b"one\n12345678901\r\n",
            b"one\n12345678901",
            b"one\n1234567890\r!",
            b"one\n1234567890\r",
        ];
        for bytes in rows {
            for size in 1..=bytes.len() {
                let (found, outcome) = run(lines(10), pieces(bytes, size));
                assert_eq!(found, ["one"]);
                let fault = outcome.unwrap_err().to_string();
                assert!(
                    fault.ends_with("a line is too long: 10 bytes are allowed"),
                    "{fault}"
                );
            }
        }
        let endless = std::iter::repeat(Bytes::from_static(b"no end"));
        assert!(run(lines(LONGEST_LINE), endless).1.is_err());
    }

    #[test]
    fn what_cannot_be_sent_on_is_not_taken_and_not_lost() {
        let (accepted, found) = stuck(lines(10), |number| Bytes::from(format!("{number}\n\n")));
        assert_eq!(found.len(), 2 * accepted as usize);
    }
}
