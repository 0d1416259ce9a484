//! The head of a response, as a client receives it, and how the body is framed (RFC 9112 sections 4
//! and 6.3).

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Buf, Bytes};
use http::{Method, StatusCode, Version};
use httparse::{EMPTY_HEADER, ParserConfig, Status};

use super::Leniency;
use super::framing::FramingFields;
use super::input::Input;
use super::refuse::{StartLine, refuse_head};
use super::section::{
    USUAL, as_http_11, check_line_ends, is_version, line_ends_within, offset, window,
};
use crate::http::MalformedResponse;
use crate::http::fields::Names;
use crate::http::head::is_persistent;
use crate::http::{Fields, Limits, Malformed};

/// The head of a response that a client has received (RFC 9112 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedHead {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The status code.
    pub status: StatusCode,
    /// The server's phrase for the status, possibly empty: "A client SHOULD ignore the
    /// reason-phrase content".
    pub reason: Bytes,
    /// The field lines.
    pub fields: Fields,
}

impl ReceivedHead {
    /// Whether the server keeps the connection open for another request (RFC 9112 section 9.3). It
    /// cannot if the body is [`ReplyBody::UntilClose`].
    ///
    /// # Examples
    /// ```
    /// use kamea_components::http::{Limits, Reply, ResponseDecoder};
    ///
    /// let mut decoder = ResponseDecoder::new(Limits::default());
    /// decoder.expect(&http::Method::GET);
    /// decoder.feed("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".into());
    /// let Some(Reply::Head(head, _)) = decoder.next()? else { unreachable!() };
    /// assert!(!head.is_persistent());
    /// # Ok::<(), kamea_components::http::MalformedResponse>(())
    /// ```
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        is_persistent(self.version, &self.fields)
    }
}

/// How the body of a response is framed (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// There is no body, or one of length zero.
    None,
    /// This many bytes, never zero.
    Sized(u64),
    /// The chunked transfer coding. If the response has other transfer codings too, the body is
    /// still encoded with them.
    Chunked,
    /// All bytes until the server closes the connection.
    UntilClose,
    /// All bytes until the server closes the connection, and they are not HTTP any more: the
    /// connection is a tunnel (`CONNECT`), or uses another protocol (status 101). There is no
    /// limit.
    Tunnel,
}

/// The properties of a request that determine how its response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Head,
    Connect,
    Other,
}

impl Awaited {
    pub(super) fn by(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Returns the framing of a response with this status, if it does not depend on its fields.
    fn framing(self, status: StatusCode) -> Option<ReplyBody> {
        match status {
            StatusCode::SWITCHING_PROTOCOLS => Some(ReplyBody::Tunnel),
            // "Any 2xx (Successful) response to a CONNECT request implies that the connection will
            // become a tunnel [...]. A client MUST ignore any Content-Length or Transfer-Encoding
            // header fields received in such a message."
            _ if self == Self::Connect && status.is_success() => Some(ReplyBody::Tunnel),
            // "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No
            // Content), or 304 (Not Modified) status code is always terminated by the first empty
            // line after the header fields, regardless of the header fields present in the message,
            // and thus cannot contain a message body or trailer section."
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(ReplyBody::None),
            _ if self == Self::Head || status.is_informational() => Some(ReplyBody::None),
            _ => None,
        }
    }
}

/// The positions of the parts of a complete response head.
pub(super) struct HeadParts {
    version: Version,
    pub(super) status: StatusCode,
    reason: Range<usize>,
    fields: Range<usize>,
    names: Names,
    pub(super) body: ReplyBody,
    /// Bytes of the whole head, with the empty line.
    length: usize,
}

impl HeadParts {
    /// Takes the head out of the input.
    pub(super) fn take(self, input: &mut Input) -> ReceivedHead {
        let mut lines = input.take(self.length);
        let reason = lines.slice(self.reason);
        lines.truncate(self.fields.end);
        lines.advance(self.fields.start);
        ReceivedHead {
            version: self.version,
            status: self.status,
            reason,
            fields: Fields::from_checked(lines, self.names),
        }
    }
}

/// Reads a response head at the start of `bytes`; `None` if it is not complete.
pub(super) fn read_head(
    bytes: &[u8],
    awaited: Awaited,
    limits: &Limits,
    leniency: Leniency,
) -> Result<Option<HeadParts>, MalformedResponse> {
    let window = window(bytes, limits);
    // Uninitialised, because clearing it would take longer than reading most responses.
    let mut usual = [const { MaybeUninit::uninit() }; USUAL];
    let mut many;
    let mut response = httparse::Response::new(&mut []);
    let room = &mut usual[..USUAL.min(limits.fields)];
    let config = ParserConfig::default();
    let mut outcome = config.parse_response_with_uninit_headers(&mut response, window, room);
    if outcome == Err(httparse::Error::TooManyHeaders) && limits.fields > USUAL {
        many = vec![EMPTY_HEADER; limits.fields];
        response = httparse::Response::new(&mut many);
        outcome = response.parse(window);
    }
    match outcome {
        Ok(Status::Complete(length)) => {
            accept_head(&response, &window[..length], awaited, limits, leniency).map(Some)
        }
        Ok(Status::Partial) => refuse_head::<StatusLine, _>(None, bytes, limits),
        Err(httparse::Error::Version) => match as_http_11(bytes, 0, limits) {
            Some(bytes) => read_head(&bytes, awaited, limits, leniency),
            None => refuse_head::<StatusLine, _>(Some(httparse::Error::Version), bytes, limits),
        },
        Err(error) => refuse_head::<StatusLine, _>(Some(error), bytes, limits),
    }
}

fn accept_head(
    response: &httparse::Response<'_, '_>,
    head: &[u8],
    awaited: Awaited,
    limits: &Limits,
    leniency: Leniency,
) -> Result<HeadParts, MalformedResponse> {
    // httparse sets both in a complete response.
    let (Some(version), Some(code)) = (response.version, response.code) else {
        return Err(MalformedResponse::StatusLine);
    };
    let empty_line = head.len() - 2;
    let fields = response
        .headers
        .first()
        .map_or(empty_line, |h| offset(head, h.name));
    if fields >= limits.request_line && !line_ends_within(head, limits) {
        return Err(MalformedResponse::StatusLineTooLong);
    }
    check_line_ends(head, response.headers)?;
    let status = StatusCode::from_u16(code).map_err(|_| MalformedResponse::StatusLine)?;
    let version = if version == 0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    let mut names = Names::default();
    for header in response.headers.iter() {
        names.insert(header.name.as_bytes());
    }
    let body = match awaited.framing(status) {
        Some(body) => body,
        None => {
            let mut framing = match leniency {
                Leniency::Strict => FramingFields::new(version),
                Leniency::Lenient => FramingFields::new(version).lenient(),
            };
            for header in response.headers.iter() {
                framing.observe_length(header.name.as_bytes(), header.value)?;
            }
            framing.reply_body()?
        }
    };
    if matches!(body, ReplyBody::Sized(length) if length > limits.body) {
        return Err(Malformed::BodyTooLarge.into());
    }
    // The space before the reason phrase is often missing if the phrase is empty.
    let reason = (b"HTTP/1.1 200 ".len()).min(fields - 2)..fields - 2;
    Ok(HeadParts {
        version,
        status,
        reason,
        fields: fields..empty_line,
        names,
        body,
        length: head.len(),
    })
}

/// The start line of a response.
struct StatusLine;

impl StartLine for StatusLine {
    type Wrong = MalformedResponse;
    const TOO_LONG: MalformedResponse = MalformedResponse::StatusLineTooLong;
    const INVALID: MalformedResponse = MalformedResponse::StatusLine;
    const VERSION: MalformedResponse = MalformedResponse::Version;

    fn error_in(line: &[u8]) -> Option<httparse::Error> {
        httparse::Response::new(&mut []).parse(line).err()
    }

    fn has_version(head: &[u8]) -> Option<bool> {
        is_version(head, b' ')
    }
}
