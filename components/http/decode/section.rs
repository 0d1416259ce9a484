//! The sections of a message that consist of lines: the head and the trailer section.
//!
//! httparse reads the lines. This file adds the limits, stricter line ends, and the guarantee that
//! the verdict does not depend on how the input was cut: the first error in the order of the bytes
//! counts, whether a section arrives whole or byte by byte.

use std::mem::MaybeUninit;
use std::ops::Range;

use http::{Method, Version};
use httparse::{EMPTY_HEADER, Header, Status};

use super::framing::{BodyKind, FramingFields};
use super::refuse::{StartLine, malformed, refuse_head};
use crate::http::fields::Names;
use crate::http::target::{PathPart, find_path};
use crate::http::{Limits, Malformed};

/// Number of fields with room on the stack; the default limit.
pub(super) const USUAL: usize = 100;

/// The positions of the parts of a complete request head.
pub(super) struct HeadParts {
    pub(super) method: Method,
    pub(super) target: Range<usize>,
    /// In the target.
    pub(super) path: PathPart,
    pub(super) version: Version,
    pub(super) fields: Range<usize>,
    pub(super) names: Names,
    pub(super) body: BodyKind,
    /// Bytes of the whole head, with the empty line.
    pub(super) length: usize,
}

/// Reads a request head at the start of `bytes`; `None` if it is not complete.
pub(super) fn read_head(bytes: &[u8], limits: &Limits) -> Result<Option<HeadParts>, Malformed> {
    let window = window(bytes, limits);
    // Uninitialised, because clearing it would take longer than reading most requests.
    let mut usual = [const { MaybeUninit::uninit() }; USUAL];
    let mut many;
    let mut request = httparse::Request::new(&mut []);
    let room = &mut usual[..USUAL.min(limits.fields)];
    let mut outcome = request.parse_with_uninit_headers(window, room);
    if outcome == Err(httparse::Error::TooManyHeaders) && limits.fields > USUAL {
        many = vec![EMPTY_HEADER; limits.fields];
        request = httparse::Request::new(&mut many);
        outcome = request.parse(window);
    }
    match outcome {
        Ok(Status::Complete(length)) => accept_head(&request, &window[..length], limits).map(Some),
        Ok(Status::Partial) => refuse_head::<RequestLine, _>(None, bytes, limits),
        Err(httparse::Error::Version) => match as_http_11(bytes, 2, limits) {
            Some(bytes) => read_head(&bytes, limits),
            None => refuse_head::<RequestLine, _>(Some(httparse::Error::Version), bytes, limits),
        },
        Err(error) => refuse_head::<RequestLine, _>(Some(error), bytes, limits),
    }
}

/// Reads a trailer section at the start of `bytes`; returns its length and the names in it, or
/// `None` if it is not complete.
pub(super) fn read_trailers(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<(usize, Names)>, Malformed> {
    let mut names = Names::default();
    if bytes.starts_with(b"\r\n") {
        return Ok(Some((2, names)));
    }
    let window = window(bytes, limits);
    let mut headers = vec![EMPTY_HEADER; limits.fields];
    match httparse::parse_headers(window, &mut headers) {
        Ok(Status::Complete((length, headers))) => {
            check_line_ends(&window[..length], headers)?;
            if headers.iter().any(|h| is_forbidden_trailer(h.name)) {
                return Err(Malformed::Trailer);
            }
            headers.iter().for_each(|h| names.insert(h.name.as_bytes()));
            Ok(Some((length, names)))
        }
        Ok(Status::Partial) if bytes.len() > limits.head_bytes => Err(Malformed::HeadTooLarge),
        Ok(Status::Partial) => Ok(None),
        Err(error) => Err(malformed::<RequestLine>(error, window).unwrap_or(Malformed::FieldName)),
    }
}

/// When to parse an incomplete section again.
///
/// Parsing it again for every piece that arrives would take quadratic time. So it is parsed when
/// its first line or its end has arrived, when a limit is exceeded, and when its length has
/// doubled: often enough to detect a wrong start early.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The number of bytes in which no end was found.
    scanned: usize,
    /// Whether there is a line end among them.
    has_line: bool,
    /// Parse again when this many bytes have arrived.
    due: usize,
}

impl Progress {
    /// Reads the section with `read`, if that is worthwhile now.
    #[inline]
    pub(super) fn read<T, E>(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        read: impl FnOnce(&[u8], &Limits) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if !self.is_due(bytes) {
            return Ok(None);
        }
        let found = read(bytes, limits)?;
        if found.is_none() {
            self.note_incomplete(bytes, limits);
        }
        Ok(found)
    }

    /// Whether it is worthwhile to read the section now.
    #[inline]
    fn is_due(&mut self, bytes: &[u8]) -> bool {
        bytes.len() >= self.due || self.finds_end(bytes)
    }

    /// Records that the section was not complete.
    fn note_incomplete(&mut self, bytes: &[u8], limits: &Limits) {
        let length = bytes.len();
        self.scanned = length;
        self.has_line = self.has_line || bytes.contains(&b'\n');
        self.due = [limits.request_line + 2, limits.head_bytes + 1]
            .into_iter()
            .filter(|&threshold| threshold > length)
            .fold(length * 2, usize::min);
    }

    /// Whether the new bytes contain the end of the first line, or an empty line, which ends the
    /// section.
    fn finds_end(&mut self, bytes: &[u8]) -> bool {
        let is_end = |i: usize| {
            let ends_section =
                matches!(bytes[..i], [] | [b'\r'] | [.., b'\n'] | [.., b'\n', b'\r']);
            bytes[i] == b'\n' && (ends_section || !self.has_line)
        };
        let found = (self.scanned..bytes.len()).any(is_end);
        self.scanned = bytes.len();
        found
    }
}

/// The number of bytes within which a section must end.
pub(super) fn window<'a>(bytes: &'a [u8], limits: &Limits) -> &'a [u8] {
    &bytes[..bytes.len().min(limits.head_bytes)]
}

fn accept_head(
    request: &httparse::Request<'_, '_>,
    head: &[u8],
    limits: &Limits,
) -> Result<HeadParts, Malformed> {
    // httparse sets all three in a complete request.
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Malformed::RequestLine);
    };
    let empty_line = head.len() - 2;
    let fields = request
        .headers
        .first()
        .map_or(empty_line, |h| offset(head, h.name));
    if fields >= limits.request_line && !line_ends_within(head, limits) {
        return Err(Malformed::RequestLineTooLong);
    }
    check_line_ends(head, request.headers)?;
    let version = if version == 0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    let mut framing = FramingFields::new(version);
    let mut names = Names::default();
    for header in request.headers.iter() {
        names.insert(header.name.as_bytes());
        framing.observe(header.name.as_bytes(), header.value)?;
    }
    framing.check_host(target.as_bytes())?;
    let body = framing.body_kind()?;
    if matches!(body, BodyKind::Sized(length) if length > limits.body) {
        return Err(Malformed::BodyTooLarge);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed::RequestLine)?;
    let start = offset(head, target);
    Ok(HeadParts {
        path: find_path(&method, target.as_bytes())?,
        target: start..start + target.len(),
        method,
        version,
        fields: fields..empty_line,
        names,
        body,
        length: head.len(),
    })
}

/// The start line of a request.
pub(super) struct RequestLine;

impl StartLine for RequestLine {
    type Wrong = Malformed;
    const TOO_LONG: Malformed = Malformed::RequestLineTooLong;
    const INVALID: Malformed = Malformed::RequestLine;
    const VERSION: Malformed = Malformed::Version;

    fn error_in(line: &[u8]) -> Option<httparse::Error> {
        httparse::Request::new(&mut []).parse(line).err()
    }

    fn has_version(head: &[u8]) -> Option<bool> {
        let version = head.splitn(3, |&b| b == b' ').nth(2);
        is_version(version.unwrap_or_default(), b'\r')
    }
}

/// Whether the start line ends within its limit, as far as the bytes show.
pub(super) fn line_ends_within(head: &[u8], limits: &Limits) -> bool {
    head.get(..limits.request_line + 2)
        .is_none_or(|line| line.contains(&b'\n'))
}

/// Refuses a section in which a line ends in a bare LF.
///
/// RFC 9112 section 2.2 lets a recipient accept a bare LF as a line end. Recipients that accept it
/// and recipients that do not see different messages, which makes request smuggling possible.
pub(super) fn check_line_ends(section: &[u8], headers: &[Header<'_>]) -> Result<(), Malformed> {
    let lines_end_well = headers.iter().all(|header| {
        let before = &section[..offset(section, header.name)];
        before.is_empty() || before.ends_with(b"\r\n")
    });
    if lines_end_well && section.ends_with(b"\r\n\r\n") {
        Ok(())
    } else {
        Err(Malformed::LineEnd)
    }
}

/// Where `part`, a slice of `whole`, starts in it.
pub(super) fn offset(whole: &[u8], part: &str) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

/// Fields that would change where the message ends or which host it is for (RFC 9110 section
/// 6.5.1).
pub(super) fn is_forbidden_trailer(name: &str) -> bool {
    ["content-length", "transfer-encoding", "host"]
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// The same head as one of HTTP/1.1, if it is of a later minor version: "A recipient that receives
/// a message with a major version number that it implements and a minor version number higher than
/// what it implements SHOULD process the message as if it was in the highest minor version within
/// that major version to which the recipient is conformant" (RFC 9110 section 2.5).
///
/// The version is the word of the start line after `words` other words.
pub(super) fn as_http_11(bytes: &[u8], words: usize, limits: &Limits) -> Option<Vec<u8>> {
    // One byte more than the limit for a head, so that an excess is still visible.
    let bytes = &bytes[..bytes.len().min(limits.head_bytes + 1)];
    let version = bytes.splitn(words + 1, |&b| b == b' ').nth(words)?;
    let minor = version.strip_prefix(b"HTTP/1.")?.first()?;
    if !(b'2'..=b'9').contains(minor) {
        return None;
    }
    let at = bytes.len() - version.len() + b"HTTP/1.".len();
    let mut same = bytes.to_vec();
    same[at] = b'1';
    Some(same)
}

/// Whether `bytes` begin with any HTTP version, followed by `end`; `None` if more bytes are needed.
pub(super) fn is_version(bytes: &[u8], end: u8) -> Option<bool> {
    let mut version = bytes.iter();
    for &expected in b"HTTP/0.0".iter().chain([&end]) {
        let &byte = version.next()?;
        if byte != expected && !(expected == b'0' && byte.is_ascii_digit()) {
            return Some(false);
        }
    }
    Some(true)
}
