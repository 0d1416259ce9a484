//! `multipart/form-data` without I/O (RFC 7578, RFC 2046 section 5.1): bytes in, events out.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use super::head::{PartHead, parse_head};

/// What the decoder finds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MultipartEvent {
    /// A part begins.
    Part(PartHead),
    /// Some bytes of its content.
    Data(Bytes),
    /// The part has ended.
    EndOfPart,
    /// The last part has ended.
    End,
}

/// What is wrong with a multipart body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The body ended within a part, or before the first.
    #[error("it ends before its last boundary")]
    Unfinished,
    /// A boundary is followed by more than 256 spaces.
    #[error("a boundary is followed by too many spaces")]
    Boundary,
    /// A part has no `Content-Disposition: form-data` with a name (RFC 7578 section 4.2).
    #[error("a part has no name in its Content-Disposition")]
    Name,
    /// The head of a part is not one of header fields in UTF-8.
    #[error("the head of a part is invalid")]
    Head,
    /// The head of a part is too long.
    #[error("the head of a part is too long")]
    HeadTooLarge,
    /// There are too many parts.
    #[error("it has too many parts")]
    TooManyParts,
}

/// How many bytes the head of a part may have.
const MOST_HEAD: usize = 16 * 1024;

/// How many parts a body may have.
const MOST_PARTS: usize = 1000;

/// How many spaces may follow a boundary (RFC 2046 section 5.1.1: "transport padding").
const MOST_PADDING: usize = 256;

/// Decodes `multipart/form-data`.
///
/// # Examples
///
/// ```
/// use kamea_app::{MultipartDecoder, MultipartEvent};
///
/// let mut decoder = MultipartDecoder::new("xyz");
/// decoder.feed(b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--xyz--\r\n");
/// let Some(MultipartEvent::Part(head)) = decoder.next()? else { unreachable!() };
/// assert_eq!(head.name, "a");
/// assert_eq!(decoder.next()?, Some(MultipartEvent::Data("hello".into())));
/// assert_eq!(decoder.next()?, Some(MultipartEvent::EndOfPart));
/// assert_eq!(decoder.next()?, Some(MultipartEvent::End));
/// # Ok::<(), kamea_app::MultipartError>(())
/// ```
#[derive(Debug)]
pub struct MultipartDecoder {
    /// `\r\n--boundary`. The line break before a boundary belongs to it.
    delimiter: Finder<'static>,
    buffer: BytesMut,
    state: State,
    parts: usize,
    ready: VecDeque<MultipartEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary: what comes is ignored.
    Preamble,
    /// In the head of a part.
    Head,
    /// In the content of a part.
    Content,
    /// After the last boundary: what comes is ignored.
    Epilogue,
}

impl MultipartDecoder {
    /// Decodes a body with this boundary.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}");
        Self {
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            // As if a line had ended before the first boundary.
            buffer: BytesMut::from(&b"\r\n"[..]),
            state: State::Preamble,
            parts: 0,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.state != State::Epilogue {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the next event; `None` if that needs more bytes.
    ///
    /// # Errors
    ///
    /// [`MultipartError`], if the body is invalid. The rest cannot be decoded.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot say that more may come"
    )]
    pub fn next(&mut self) -> Result<Option<MultipartEvent>, MultipartError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let progress = match self.state {
                State::Preamble | State::Content => self.content()?,
                State::Head => self.head()?,
                State::Epilogue => false,
            };
            if !progress && self.ready.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Checks that the body was complete, once all of it was fed and all events were taken.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Unfinished`], if the last boundary is missing.
    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue => Ok(()),
            _ => Err(MultipartError::Unfinished),
        }
    }

    /// Passes content on up to the next boundary. Returns whether something happened.
    fn content(&mut self) -> Result<bool, MultipartError> {
        let length = self.delimiter.needle().len();
        let Some(at) = self.delimiter.find(&self.buffer) else {
            // The end may be the beginning of a boundary.
            let sure = self.buffer.len().saturating_sub(length - 1);
            return Ok(self.emit(sure));
        };
        match after_boundary(&self.buffer[at + length..])? {
            After::Unknown => Ok(self.emit(at)),
            After::Nothing => {
                // Not a boundary, but content that begins like one.
                Ok(self.emit(at + length))
            }
            After::Part(rest) => {
                self.emit(at);
                self.end_part();
                // The line break stays: it may be that of an empty head, or of a boundary.
                let _ = self.buffer.split_to(length + rest);
                self.state = State::Head;
                Ok(true)
            }
            After::End => {
                self.emit(at);
                self.end_part();
                self.ready.push_back(MultipartEvent::End);
                self.buffer.clear();
                self.state = State::Epilogue;
                Ok(true)
            }
        }
    }

    /// Passes the first bytes of the buffer on. Those of the preamble are ignored.
    fn emit(&mut self, count: usize) -> bool {
        if count == 0 {
            return false;
        }
        let bytes = self.buffer.split_to(count).freeze();
        if self.state == State::Content {
            self.ready.push_back(MultipartEvent::Data(bytes));
        }
        true
    }

    fn end_part(&mut self) {
        if self.state == State::Content {
            self.ready.push_back(MultipartEvent::EndOfPart);
        }
    }

    /// Reads the head of a part; the buffer begins with the line break after the boundary.
    fn head(&mut self) -> Result<bool, MultipartError> {
        let end = memchr::memmem::find(&self.buffer, b"\r\n\r\n");
        let Some(end) = end else {
            return match self.buffer.len() > MOST_HEAD {
                true => Err(MultipartError::HeadTooLarge),
                false => Ok(false),
            };
        };
        if end > MOST_HEAD {
            return Err(MultipartError::HeadTooLarge);
        }
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(MultipartError::TooManyParts);
        }
        let head = self.buffer.split_to(end + 2);
        let head = parse_head(head.get(2..).unwrap_or_default())?;
        self.ready.push_back(MultipartEvent::Part(head));
        self.state = State::Content;
        let _ = self.buffer.split_to(2);
        Ok(true)
    }
}

/// What follows a boundary.
enum After {
    /// More bytes are needed to tell.
    Unknown,
    /// It was none.
    Nothing,
    /// A line break, after this many bytes: a part.
    Part(usize),
    /// Two hyphens: it was the last.
    End,
}

fn after_boundary(rest: &[u8]) -> Result<After, MultipartError> {
    if rest.starts_with(b"--") {
        return Ok(After::End);
    }
    let padding = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    if padding > MOST_PADDING {
        return Err(MultipartError::Boundary);
    }
    Ok(match &rest[padding..] {
        [] | [b'\r'] | [b'-'] => After::Unknown,
        [b'\r', b'\n', ..] => After::Part(padding),
        _ => After::Nothing,
    })
}
