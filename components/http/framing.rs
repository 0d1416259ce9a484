//! Where a request ends: message body length (RFC 9112 section 6.3), and the other fields that decide
//! whether a request can be taken at all (`Host`, `Expect`).

use http::Version;

use super::grammar::{is_host, trim};
use super::{Fields, Malformed};

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is no body, or one of length zero: nothing follows the head.
    None,
    /// That many bytes, never zero.
    Sized(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// How the body of a request with these fields is framed (RFC 9112 section 6.3), whatever its method.
///
/// # Errors
/// [`Malformed`] if the fields leave any doubt, and if the request cannot be taken for its `Host`
/// (RFC 9112 section 3.2) or `Expect` (RFC 9110 section 10.1.1).
///
/// # Examples
/// ```
/// use http::Version;
/// use kamea_components::http::{BodyKind, Fields, Malformed, request_framing};
///
/// let fields = Fields::new().with("Host", "example.org").with("Content-Length", "5");
/// assert_eq!(request_framing(Version::HTTP_11, &fields), Ok(BodyKind::Sized(5)));
/// let fields = fields.with("Transfer-Encoding", "chunked");
/// assert_eq!(request_framing(Version::HTTP_11, &fields), Err(Malformed::LengthAndCoding));
/// ```
pub fn request_framing(version: Version, fields: &Fields) -> Result<BodyKind, Malformed> {
    let mut framing = FramingFields::new(version);
    for (name, value) in fields.iter() {
        framing.observe(name.as_bytes(), value)?;
    }
    framing.body_kind()
}

/// The framing fields seen so far in one head.
pub(super) struct FramingFields {
    version: Version,
    has_host: bool,
    content_length: Option<u64>,
    codings: Codings,
}

/// The transfer codings seen so far, over all field lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codings {
    /// No Transfer-Encoding field.
    Absent,
    /// The field is there, `chunked` is not yet.
    Open { others: bool },
    /// `chunked` was the last one.
    Chunked { others: bool },
    /// `chunked` was followed by another.
    Broken,
}

impl FramingFields {
    pub(super) const fn new(version: Version) -> Self {
        Self {
            version,
            has_host: false,
            content_length: None,
            codings: Codings::Absent,
        }
    }

    /// Takes note of a field if it matters for framing.
    #[inline]
    pub(super) fn observe(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What all fields together say.
    pub(super) fn body_kind(&self) -> Result<BodyKind, Malformed> {
        if !self.has_host && self.version != Version::HTTP_10 {
            return Err(Malformed::MissingHost);
        }
        if self.codings == Codings::Absent {
            return Ok(match self.content_length {
                None | Some(0) => BodyKind::None,
                Some(length) => BodyKind::Sized(length),
            });
        }
        if self.content_length.is_some() {
            return Err(Malformed::LengthAndCoding);
        }
        if self.version == Version::HTTP_10 {
            return Err(Malformed::CodingInHttp10);
        }
        match self.codings {
            Codings::Chunked { others: false } => Ok(BodyKind::Chunked),
            Codings::Chunked { others: true } => Err(Malformed::TransferCoding),
            _ => Err(Malformed::ChunkedNotLast),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.has_host {
            return Err(Malformed::RepeatedHost);
        }
        self.has_host = true;
        if is_host(value) {
            Ok(())
        } else {
            Err(Malformed::InvalidHost)
        }
    }

    fn expect(&self, value: &[u8]) -> Result<(), Malformed> {
        let known = value
            .split(|&b| b == b',')
            .map(trim)
            .all(|member| member.is_empty() || member.eq_ignore_ascii_case(b"100-continue"));
        if known || self.version == Version::HTTP_10 {
            Ok(())
        } else {
            Err(Malformed::Expectation)
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.content_length.is_some() {
            return Err(Malformed::RepeatedContentLength);
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Malformed::ContentLength);
        }
        let length = value.iter().try_fold(0u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        self.content_length = Some(length.ok_or(Malformed::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        if self.codings == Codings::Absent {
            self.codings = Codings::Open { others: false };
        }
        // "A recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110, 5.6.1.2).
        for coding in value.split(|&b| b == b',').map(trim) {
            if !coding.is_empty() {
                self.codings = self.codings.then(coding.eq_ignore_ascii_case(b"chunked"));
            }
        }
    }
}

impl Codings {
    fn then(self, is_chunked: bool) -> Self {
        match self {
            Self::Chunked { .. } | Self::Broken => Self::Broken,
            Self::Absent => Self::Open { others: false }.then(is_chunked),
            Self::Open { others } if is_chunked => Self::Chunked { others },
            Self::Open { .. } => Self::Open { others: true },
        }
    }
}
