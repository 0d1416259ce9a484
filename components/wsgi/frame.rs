//! The frames between the server and a worker: requests, responses and bodies. Bytes in, frames
//! out.
//!
//! A frame is its kind (a letter), its length (4 bytes, the most significant one first), and that
//! many bytes:
//!
//! | to the worker | | |
//! |---|---|---|
//! | `R` | length of the names (4 bytes), names, values, NUL between them | a request without a body |
//! | `P` | as `R` | a request with a body |
//! | `B` | length of the body (4 bytes), then as `R`, then the body | a request with a short body |
//! | `D` | bytes | a part of the body |
//! | `E` | | its end |
//! | `X` | | the rest of the body is missing |
//!
//! | from the worker | | |
//! |---|---|---|
//! | `A` | number, head, NUL, bytes | a complete response |
//! | `H` | number, head, NUL, bytes | a response, and the beginning of its body |
//! | `D` | bytes | a part of the body |
//! | `E` | | its end |
//! | `C` | text | the application has failed: the rest of the body is missing |
//! | `F` | number, text | the application has failed before there was a response |
//! | `W` | number | the application wants the body of the request |
//!
//! The number (8 bytes) identifies the request: each process counts its requests from 1. A head is
//! its status and then names and values, with LF between them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;

use crate::gateway::Variables;
use crate::http::{Fields, ResponseHead};

/// The most bytes of a body in one frame.
pub(super) const CHUNK: usize = 64 * 1024;

/// The longest frame from a worker: a head and a chunk, with a margin.
const LONGEST: usize = 512 * 1024;

/// The length of a frame's header, in bytes.
const PREFIX: usize = 5;

/// How the body of a request is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum RequestBody<'a> {
    None,
    /// Within the frame.
    Whole(&'a [u8]),
    /// After it, when the worker asks for it.
    OnRequest,
}

/// A request as a frame. The names come before the values, because the requests of one client
/// mostly have the same names: the worker caches its conversion of them.
pub(super) fn encode_request(variables: &Variables, body: RequestBody<'_>) -> Bytes {
    let (kind, content) = match body {
        RequestBody::None => (b'R', None),
        RequestBody::Whole(content) => (b'B', Some(content)),
        RequestBody::OnRequest => (b'P', None),
    };
    let mut frame = BytesMut::with_capacity(1024 + content.map_or(0, <[u8]>::len));
    frame.put_u8(kind);
    frame.put_bytes(0, PREFIX - 1);
    if let Some(content) = content {
        frame.put_slice(&length(content.len()));
    }
    let head = frame.len() + 4;
    frame.put_bytes(0, 4);
    put_all(
        &mut frame,
        variables.iter().map(|(name, _)| name.as_bytes()),
    );
    let names = length(frame.len() - head);
    put_all(&mut frame, variables.iter().map(|(_, value)| value));
    frame.put_slice(content.unwrap_or_default());
    let all = length(frame.len() - PREFIX);
    frame[1..PREFIX].copy_from_slice(&all);
    frame[head - 4..head].copy_from_slice(&names);
    frame.freeze()
}

/// Adds texts, with NUL between them.
fn put_all<'a>(frame: &mut BytesMut, texts: impl Iterator<Item = &'a [u8]>) {
    for (at, text) in texts.enumerate() {
        if at > 0 {
            frame.put_u8(0);
        }
        frame.put_slice(text);
    }
}

fn length(bytes: usize) -> [u8; 4] {
    let bytes = u32::try_from(bytes).expect("a head is bounded far below 4 GiB");
    bytes.to_be_bytes()
}

/// Adds a part of a body, of any length.
pub(super) fn encode_content(out: &mut BytesMut, content: &[u8]) {
    for chunk in content.chunks(CHUNK) {
        out.put_u8(b'D');
        out.put_u32(u32::try_from(chunk.len()).expect("a chunk is short"));
        out.put_slice(chunk);
    }
}

/// Adds the end of a body; `is_complete` says whether all of it arrived.
pub(super) fn encode_end(out: &mut BytesMut, is_complete: bool) {
    out.put_u8(if is_complete { b'E' } else { b'X' });
    out.put_u32(0);
}

/// A frame from a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A complete response.
    Answer(u64, Result<AnswerHead, HeadError>, Bytes),
    /// The head of a response, and the beginning of its body.
    Head(u64, Result<AnswerHead, HeadError>, Bytes),
    /// A part of the body.
    Data(Bytes),
    /// The end of the body.
    End,
    /// The application has failed, and the body is incomplete.
    Cut(String),
    /// The application has failed before there was a response.
    Failed(u64, String),
    /// The application wants the body of the request.
    Wanted(u64),
}

/// The head of a response from the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) head: ResponseHead,
    /// Its `Content-Length`.
    pub(super) length: Option<u64>,
}

/// The data from a worker is invalid: no further frame can be found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of an unknown kind, or of a wrong length")]
pub(super) struct FrameError;

/// An error in the head of a response, which is the application's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// PEP 3333: "a string of the form "999 Message here"".
    #[error("the status {0:?} is not of the form \"200 OK\", from 200 to 999")]
    Status(String),
    /// It is not a valid field.
    #[error("the field {name:?} cannot be sent: {error}")]
    Field {
        name: String,
        error: crate::http::FieldError,
    },
    /// `Content-Length` is not a number, or there are two that differ.
    #[error("the Content-Length {0:?} is not a number of bytes")]
    Length(String),
}

/// Decodes the data from a worker, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct FrameDecoder {
    /// An incomplete frame.
    bytes: BytesMut,
    /// The data that has not been examined yet.
    fresh: Bytes,
}

impl FrameDecoder {
    pub(super) fn feed(&mut self, bytes: Bytes) {
        if self.bytes.is_empty() && self.fresh.is_empty() {
            // Usually frames arrive whole: then they are slices of the received data.
            self.fresh = bytes;
        } else {
            self.bytes.extend_from_slice(&self.fresh);
            self.bytes.extend_from_slice(&bytes);
            self.fresh = Bytes::new();
        }
    }

    /// The next frame, if it has arrived completely.
    ///
    /// # Errors
    ///
    /// [`FrameError`], and nothing after it.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let waiting: &[u8] = if self.fresh.is_empty() {
            &self.bytes
        } else {
            &self.fresh
        };
        let Some((&[kind, a, b, c, d], _)) = waiting.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            return Err(FrameError);
        }
        let whole = PREFIX + length;
        if waiting.len() < whole {
            return Ok(None);
        }
        let mut frame = if self.fresh.is_empty() {
            self.bytes.split_to(whole).freeze()
        } else {
            self.fresh.split_to(whole)
        };
        frame.advance(PREFIX);
        decode(kind, frame).map(Some)
    }
}

fn decode(kind: u8, mut bytes: Bytes) -> Result<Frame, FrameError> {
    let numbered = |bytes: &mut Bytes| bytes.try_get_u64().map_err(|_| FrameError);
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(match kind {
        b'A' | b'H' => {
            let number = numbered(&mut bytes)?;
            let end = memchr::memchr(0, &bytes).ok_or(FrameError)?;
            let head = decode_head(&bytes.split_to(end));
            bytes.advance(1);
            match kind {
                b'A' => Frame::Answer(number, head, bytes),
                _ => Frame::Head(number, head, bytes),
            }
        }
        b'D' => Frame::Data(bytes),
        b'E' if bytes.is_empty() => Frame::End,
        b'C' => Frame::Cut(text(&bytes)),
        b'F' => Frame::Failed(numbered(&mut bytes)?, text(&bytes)),
        b'W' if bytes.len() == 8 => Frame::Wanted(numbered(&mut bytes)?),
        _ => return Err(FrameError),
    })
}

/// Fields of the connection (RFC 9110 section 7.6.1): they belong to the server, not to the
/// application.
const OF_THE_CONNECTION: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The head of a response, without the fields of the connection.
fn decode_head(bytes: &[u8]) -> Result<AnswerHead, HeadError> {
    let mut parts = bytes.split(|&byte| byte == b'\n');
    let line = parts.next().unwrap_or_default();
    let status = decode_status(line).ok_or_else(|| HeadError::Status(lossy(line)))?;
    let (mut fields, mut length) = (Fields::new(), None);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let name = str::from_utf8(name).unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            let number = decode_length(value).filter(|new| length.is_none_or(|old| old == *new));
            length = Some(number.ok_or_else(|| HeadError::Length(lossy(value)))?);
        } else if OF_THE_CONNECTION
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
        {
            log::debug!("{name} is not the application's to set");
        } else {
            let pushed = fields.push(name, value);
            pushed.map_err(|error| HeadError::Field {
                name: name.to_owned(),
                error,
            })?;
        }
    }
    let head = ResponseHead {
        fields,
        ..ResponseHead::new(status)
    };
    Ok(AnswerHead { head, length })
}

/// The code of a status such as `200 OK`. The reason phrase is not sent.
fn decode_status(line: &[u8]) -> Option<StatusCode> {
    let (code, rest) = line.split_at_checked(3)?;
    let status = StatusCode::from_bytes(code).ok()?;
    let is_final = !status.is_informational();
    (is_final && matches!(rest, [] | [b' ', ..])).then_some(status)
}

fn decode_length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(value).ok().filter(|_| is_number)?;
    number.parse().ok()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// For the fuzzer: checks that the decoder returns the same for any input, split in any way, and
/// that it ends.
///
/// # Panics
///
/// If it does not.
#[doc(hidden)]
pub fn check_frames(data: &[u8]) {
    let whole = frames([Bytes::copy_from_slice(data)]);
    let bytewise = frames(data.chunks(1).map(Bytes::copy_from_slice));
    assert_eq!(whole, bytewise);
    let thirds = frames(data.chunks(data.len() / 3 + 1).map(Bytes::copy_from_slice));
    assert_eq!(whole, thirds);
}

fn frames(parts: impl IntoIterator<Item = Bytes>) -> Vec<Result<Frame, FrameError>> {
    let (mut decoder, mut found) = (FrameDecoder::default(), Vec::new());
    for part in parts {
        decoder.feed(part);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(frame)) => found.push(Ok(frame)),
                Err(bad) => {
                    found.push(Err(bad));
                    return found;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
