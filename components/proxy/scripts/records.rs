//! Decodes the records of a FastCGI backend.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::fastcgi::{REQUEST, kind};

/// What a FastCGI backend says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastCgiEvent {
    /// A part of the output: the header of the response, and then its body. Never empty.
    Output(Bytes),
    /// A part of the messages for the log. Never empty.
    Errors(Bytes),
    /// The end of the request, and the exit status of the script.
    End(u32),
}

/// A backend that does not speak FastCGI, or refuses a request.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastCgiError {
    /// Another version, or no FastCGI at all.
    #[error("the backend sent something else than FastCGI of version 1")]
    Version,
    /// A record of a request that there is not.
    #[error("the backend sent a record of request {0}, but the only request is 1")]
    Request(u16),
    /// A record that is too short.
    #[error("the backend sent a record that is too short")]
    Short,
    /// Bytes behind the end of the request.
    #[error("the backend sent something behind the end of the request")]
    Unawaited,
    /// Section 5.5: `FCGI_OVERLOADED` and others.
    #[error("the backend refused the request: {0}")]
    Refused(&'static str),
}

/// Turns the bytes of a FastCGI backend into [`FastCgiEvent`]s. The parts of the output are slices
/// of the input, and a record is not collected.
///
/// # Examples
/// ```
/// use kamea_proxy::scripts::{FastCgiDecoder, FastCgiEvent};
///
/// let mut decoder = FastCgiDecoder::new();
/// decoder.feed(b"\x01\x06\0\x01\0\x05\x03\0hel"[..].into());
/// assert_eq!(decoder.next()?, Some(FastCgiEvent::Output("hel".into())));
/// assert_eq!(decoder.next()?, None);
/// decoder.feed(b"lo---\x01\x03\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0"[..].into());
/// assert_eq!(decoder.next()?, Some(FastCgiEvent::Output("lo".into())));
/// assert_eq!(decoder.next()?, Some(FastCgiEvent::End(0)));
/// # Ok::<(), kamea_proxy::scripts::FastCgiError>(())
/// ```
#[derive(Debug, Default)]
pub struct FastCgiDecoder {
    input: BytesMut,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Header,
    /// Within the content of a record of this kind: bytes of it that are missing, and padding.
    Content(u8, usize, usize),
    /// Bytes to skip.
    Padding(usize),
    Ended,
}

const HEADER: usize = 8;

impl FastCgiDecoder {
    /// Creates a decoder for the answer to one request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes of the backend.
    pub fn feed(&mut self, bytes: Bytes) {
        match self.input.is_empty() {
            true => self.input = BytesMut::from(bytes),
            false => self.input.extend_from_slice(&bytes),
        }
    }

    /// Returns how many bytes have been fed and not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.input.len()
    }

    /// Begins the answer to another request on the same connection.
    pub fn reset(&mut self) {
        self.state = State::Header;
    }

    /// Returns the next event; `None` if more bytes are needed, and after the end.
    ///
    /// # Errors
    /// [`FastCgiError`]: then the connection cannot be used any more.
    #[expect(
        clippy::should_implement_trait,
        reason = "as the other decoders: it can fail"
    )]
    pub fn next(&mut self) -> Result<Option<FastCgiEvent>, FastCgiError> {
        loop {
            match self.state {
                State::Ended if self.input.is_empty() => return Ok(None),
                State::Ended => return Err(FastCgiError::Unawaited),
                State::Header if self.input.len() < HEADER => return Ok(None),
                State::Header => self.state = self.header()?,
                State::Content(_, 0, padding) => self.state = State::Padding(padding),
                State::Padding(0) => self.state = State::Header,
                State::Padding(left) => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    let skipped = left.min(self.input.len());
                    self.input.advance(skipped);
                    self.state = State::Padding(left - skipped);
                }
                State::Content(kind::END_REQUEST, left, _) => return self.end(left),
                State::Content(kind, left, padding) => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    let part = self.input.split_to(left.min(self.input.len())).freeze();
                    self.state = State::Content(kind, left - part.len(), padding);
                    match kind {
                        kind::STDOUT => return Ok(Some(FastCgiEvent::Output(part))),
                        kind::STDERR => return Ok(Some(FastCgiEvent::Errors(part))),
                        // Records about the backend itself.
                        _ => {}
                    }
                }
            }
        }
    }

    fn header(&mut self) -> Result<State, FastCgiError> {
        let version = self.input.get_u8();
        if version != 1 {
            return Err(FastCgiError::Version);
        }
        let kind = self.input.get_u8();
        let id = self.input.get_u16();
        let length = usize::from(self.input.get_u16());
        let padding = usize::from(self.input.get_u8());
        self.input.advance(1);
        // Id 0 is for records about the backend itself (section 3.3).
        let is_ours = id == REQUEST || (id == 0 && kind > kind::STDERR);
        match is_ours {
            false => Err(FastCgiError::Request(id)),
            true if kind == kind::END_REQUEST && length < 8 => Err(FastCgiError::Short),
            true => Ok(State::Content(kind, length, padding)),
        }
    }

    /// Exit status, protocol status, reserved.
    fn end(&mut self, length: usize) -> Result<Option<FastCgiEvent>, FastCgiError> {
        let State::Content(_, _, padding) = self.state else {
            return Ok(None);
        };
        // At most 65,535 and 255 bytes.
        if self.input.len() < length + padding {
            return Ok(None);
        }
        let exit = self.input.get_u32();
        let protocol = self.input.get_u8();
        self.input.advance(length - 5 + padding);
        self.state = State::Ended;
        match protocol {
            0 => Ok(Some(FastCgiEvent::End(exit))),
            1 => Err(FastCgiError::Refused(
                "it takes one request on a connection",
            )),
            2 => Err(FastCgiError::Refused("it is overloaded")),
            3 => Err(FastCgiError::Refused("it has another role")),
            _ => Err(FastCgiError::Refused(
                "for a reason that the protocol does not know",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, id: u8, content: &[u8], padding: u8) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut bytes = vec![1, kind, 0, id, high, low, padding, 0];
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + usize::from(padding), 0xff);
        bytes
    }

    /// Output, errors and the end of bytes that are fed in parts of this size.
    fn read(bytes: &[u8], size: usize) -> Result<(String, String, Option<u32>), FastCgiError> {
        let mut decoder = FastCgiDecoder::new();
        let (mut output, mut errors, mut end) = (String::new(), String::new(), None);
        for part in bytes.chunks(size) {
            decoder.feed(Bytes::copy_from_slice(part));
            while let Some(event) = decoder.next()? {
                match event {
                    FastCgiEvent::Output(part) => output.push_str(str::from_utf8(&part).unwrap()),
                    FastCgiEvent::Errors(part) => errors.push_str(str::from_utf8(&part).unwrap()),
                    FastCgiEvent::End(status) => end = Some(status),
                }
            }
        }
        Ok((output, errors, end))
    }

    #[test]
    fn the_answer_does_not_depend_on_how_it_was_cut() {
        let bytes = [
            record(6, 1, b"Status: 200\r\n", 3),
            record(7, 1, b"a warning", 7),
            // About the backend itself, and of an unknown kind.
            record(10, 0, b"values", 2),
            record(11, 0, &[99, 0, 0, 0, 0, 0, 0, 0], 0),
            record(6, 1, b"\r\nhello", 0),
            record(7, 1, b"", 0),
            record(6, 1, b"", 8),
            record(3, 1, &[0, 0, 1, 2, 0, 0, 0, 0], 5),
        ]
        .concat();
        let expected = ("Status: 200\r\n\r\nhello", "a warning", Some(0x102));
        for size in 1..bytes.len() {
            let (output, errors, end) = read(&bytes, size).unwrap();
            assert_eq!((&*output, &*errors, end), expected, "{size}");
        }
    }

    #[test]
    fn what_is_no_answer() {
        let end = |status| record(3, 1, &[0, 0, 0, 0, status, 0, 0, 0], 0);
        let rows = [
            (b"HTTP/1.1 200 OK\r\n".to_vec(), FastCgiError::Version),
            (record(6, 2, b"x", 0), FastCgiError::Request(2)),
            (record(6, 0, b"x", 0), FastCgiError::Request(0)),
            (record(3, 1, b"1234567", 0), FastCgiError::Short),
            (
                end(1),
                FastCgiError::Refused("it takes one request on a connection"),
            ),
            (end(2), FastCgiError::Refused("it is overloaded")),
            ([end(0), end(0)].concat(), FastCgiError::Unawaited),
        ];
        for (bytes, expected) in rows {
            for size in [1, bytes.len()] {
                assert_eq!(read(&bytes, size), Err(expected), "{bytes:?}");
            }
        }
    }

    #[test]
    fn another_request_on_the_same_connection() {
        let bytes = record(3, 1, &[0; 8], 0);
        let mut decoder = FastCgiDecoder::new();
        for _ in 0..3 {
            decoder.feed(bytes.clone().into());
            assert_eq!(decoder.next(), Ok(Some(FastCgiEvent::End(0))));
            assert_eq!((decoder.next(), decoder.unread()), (Ok(None), 0));
            decoder.reset();
        }
    }
}
