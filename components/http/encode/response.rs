//! Encodes responses (RFC 9112 sections 4, 6 and 7): appends to a buffer, no I/O.

#[cfg(test)]
mod tests;

use http::{StatusCode, Version};

use crate::http::fields::{Names, is_framing};
use crate::http::{Fields, ResponseHead};

/// How the body of a response is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body: `Content-Length: 0`, where the status allows a body at all.
    None,
    /// This many bytes: `Content-Length`. For `HEAD`, the length that `GET` would have.
    Sized(u64),
    /// The chunked transfer coding.
    Chunked,
    /// The body ends when the connection closes.
    UntilClose,
}

/// Whether the connection serves another request after this response (RFC 9112 section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It stays open.
    KeepAlive,
    /// It is closed.
    Close,
}

/// Appends the head of a response to a request of this version, and returns the framing and the
/// connection state that it has decided; the caller must follow them.
///
/// - 1xx, 204 and 304 have no body, and no framing fields (RFC 9110 section 8.6, RFC 9112 section
///   6.1); 205 has an empty one (RFC 9110 section 15.3.6).
/// - `Chunked` becomes `UntilClose` for HTTP/1.0 (RFC 9112 section 6.1), and `UntilClose` implies
///   `Close`.
/// - `Content-Length`, `Transfer-Encoding` and `Connection` among the fields are not written: the
///   encoder decides about them. A `Connection` with `close` closes the connection, a `Date` is
///   kept, and 101 keeps its `Connection`.
/// - Every final response that is not [forwarded](ResponseHead::is_forwarded) has
///   `X-Content-Type-Options: nosniff`, unless its fields set another value.
///
/// # Examples
/// ```
/// use http::{StatusCode, Version};
/// use kamea_components::http::{BodyFraming, Connection, Fields, ResponseHead, encode_head};
///
/// let fields = Fields::new().with("Content-Type", "text/plain");
/// let head = ResponseHead { fields, ..ResponseHead::new(StatusCode::OK) };
/// let mut out = Vec::new();
/// let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
/// let sent = encode_head(&mut out, Version::HTTP_11, &head, BodyFraming::Sized(5), Connection::KeepAlive, date);
/// assert_eq!(sent, (BodyFraming::Sized(5), Connection::KeepAlive));
/// assert_eq!(
///     out,
///     b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
///       Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 5\r\n\r\n"
/// );
/// ```
pub fn encode_head(
    out: &mut Vec<u8>,
    version: Version,
    head: &ResponseHead,
    body: BodyFraming,
    connection: Connection,
    date: &[u8; 29],
) -> (BodyFraming, Connection) {
    let ResponseHead { status, fields, .. } = head;
    out.reserve(200 + fields.as_bytes().len());
    encode_status_line(out, *status);
    if status.is_informational() {
        encode_fields(out, fields, *status == StatusCode::SWITCHING_PROTOCOLS);
        out.extend_from_slice(b"\r\n");
        return (BodyFraming::None, connection);
    }
    let is_dated = encode_fields(out, fields, false);
    // "A recipient with a clock that receives a response message without a Date header field MUST
    // record the time it was received and append a corresponding Date header field to the message"
    // (RFC 9110, 6.6.1).
    if !is_dated {
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    let is_own = !head.is_forwarded;
    if is_own && (!fields.may_contain_any(SNIFFING) || !fields.contains("x-content-type-options")) {
        out.extend_from_slice(NOSNIFF);
    }
    let wants_close = fields.may_frame() && fields.list_contains("connection", "close");
    let body = encode_framing(out, version, *status, body);
    let connection = match body {
        _ if wants_close => Connection::Close,
        BodyFraming::UntilClose => Connection::Close,
        _ => connection,
    };
    match connection {
        Connection::Close => out.extend_from_slice(b"Connection: close\r\n"),
        Connection::KeepAlive if version == Version::HTTP_10 => {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        Connection::KeepAlive => {}
    }
    out.extend_from_slice(b"\r\n");
    (body, connection)
}

/// Browsers treat each body as the declared media type, and as nothing else (Fetch standard,
/// section 3.6).
const NOSNIFF: &[u8] = b"X-Content-Type-Options: nosniff\r\n";

const SNIFFING: Names = Names::of(&[b"x-content-type-options"]);

/// Appends a chunk (RFC 9112 section 7.1). Empty data appends nothing, because an empty chunk is
/// the last one.
///
/// # Examples
/// ```
/// use kamea_components::http::{Fields, encode_chunk, encode_last_chunk};
///
/// let mut out = Vec::new();
/// encode_chunk(&mut out, b"hello");
/// encode_chunk(&mut out, b"");
/// encode_last_chunk(&mut out, &Fields::new());
/// assert_eq!(out, b"5\r\nhello\r\n0\r\n\r\n");
/// ```
pub fn encode_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        encode_chunk_size(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the bytes before chunk data of this length (not 0), for data that is sent without a
/// copy.
///
/// CRLF must follow the data.
pub fn encode_chunk_size(out: &mut Vec<u8>, size: usize) {
    debug_assert_ne!(size, 0, "a chunk of size 0 is the last one");
    let digits = size.checked_ilog2().map_or(1, |log| log / 4 + 1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[size >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailer section (RFC 9112 sections 7.1 and 7.1.2).
///
/// Trailers that would frame the message are left out (RFC 9110 section 6.5.1).
pub fn encode_last_chunk(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    encode_fields(out, trailers, false);
    out.extend_from_slice(b"\r\n");
}

/// Appends `100 Continue`: it asks for the body (RFC 9110 section 15.2.1).
pub fn encode_continue(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Appends an interim response (RFC 9110 section 15.2). It has no body, and fields that would frame
/// one are left out.
///
/// # Examples
/// ```
/// use http::StatusCode;
/// use kamea_components::http::{Fields, ResponseHead, encode_interim};
///
/// let mut head = ResponseHead::new(StatusCode::EARLY_HINTS);
/// let link = "</style.css>; rel=preload";
/// head.fields = Fields::new().with("Link", link).with("Content-Length", "5");
/// let mut out = Vec::new();
/// encode_interim(&mut out, &head);
/// assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
/// ```
pub fn encode_interim(out: &mut Vec<u8>, head: &ResponseHead) {
    encode_status_line(out, head.status);
    encode_fields(out, &head.fields, false);
    out.extend_from_slice(b"\r\n");
}

/// The version is ours, whatever that of the request (RFC 9110 section 6.2).
fn encode_status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends the fields except those that the encoder decides about; returns whether there was a
/// date.
fn encode_fields(out: &mut Vec<u8>, fields: &Fields, keep_connection: bool) -> bool {
    if !fields.may_frame() {
        out.extend_from_slice(fields.as_bytes());
        return false;
    }
    let mut is_dated = false;
    for line in fields.raw_lines() {
        let name = line.split(|&b| b == b':').next().unwrap_or_default();
        let is_date = name.eq_ignore_ascii_case(b"date");
        let is_kept = is_date || keep_connection && name.eq_ignore_ascii_case(b"connection");
        if is_kept || !is_framing(name) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        is_dated |= is_date;
    }
    is_dated
}

fn encode_framing(
    out: &mut Vec<u8>,
    version: Version,
    status: StatusCode,
    body: BodyFraming,
) -> BodyFraming {
    match (status, body) {
        // "A server MUST NOT send a Content-Length header field in any response with a status code
        // of 1xx (Informational) or 204 (No Content)" (RFC 9110, 8.6); in 304 it is only allowed.
        (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => BodyFraming::None,
        (_, BodyFraming::None) | (StatusCode::RESET_CONTENT, _) => {
            out.extend_from_slice(b"Content-Length: 0\r\n");
            BodyFraming::None
        }
        (_, BodyFraming::Sized(length)) => {
            encode_content_length(out, length);
            body
        }
        // "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding
        // request indicates HTTP/1.1 (or later minor revisions)" (RFC 9112, 6.1).
        (_, BodyFraming::Chunked) if version != Version::HTTP_10 => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            body
        }
        (_, BodyFraming::Chunked | BodyFraming::UntilClose) => BodyFraming::UntilClose,
    }
}

fn encode_content_length(out: &mut Vec<u8>, mut length: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // A remainder of ten fits.
        digits[start] = b'0' + (length % 10) as u8;
        length /= 10;
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(&digits[start..]);
    out.extend_from_slice(b"\r\n");
}
