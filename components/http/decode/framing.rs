//! Where a message ends: message body length (RFC 9112 section 6.3), and the other fields that
//! decide whether a request can be accepted (`Host`, `Expect`).

use http::Version;

use crate::http::grammar::{is_host, trim};
use crate::http::{Fields, Malformed, ReplyBody};

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is no body, or one of length zero: nothing follows the head.
    None,
    /// This many bytes, never zero.
    Sized(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// Returns how the body of a request with these fields is framed (RFC 9112 section 6.3), whatever
/// its method.
///
/// # Errors
/// [`Malformed`] if the fields leave any doubt, or if the request must be refused because of its
/// `Host` (RFC 9112 section 3.2) or `Expect` (RFC 9110 section 10.1.1).
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
    is_lenient: bool,
    has_host: bool,
    /// Whether the value of `Host` has no host: it is empty, or only a port.
    is_host_empty: bool,
    content_length: Option<u64>,
    codings: Codings,
}

/// The transfer codings seen so far, over all field lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codings {
    /// No Transfer-Encoding field.
    Absent,
    /// The field is present, without `chunked` so far.
    Open { others: bool },
    /// `chunked` was the last coding.
    Chunked { others: bool },
    /// Other codings followed `chunked`.
    Followed,
    /// `chunked` occurred twice.
    Repeated,
}

impl FramingFields {
    pub(super) const fn new(version: Version) -> Self {
        Self {
            version,
            is_lenient: false,
            has_host: false,
            is_host_empty: false,
            content_length: None,
            codings: Codings::Absent,
        }
    }

    /// Accepts a length beside a transfer coding, which overrides it (RFC 9112 section 6.3), a
    /// coding in HTTP/1.0, and repeated lengths that agree (RFC 9110 section 8.6).
    pub(super) const fn lenient(self) -> Self {
        Self {
            is_lenient: true,
            ..self
        }
    }

    /// Records a field if it matters for framing.
    #[inline]
    pub(super) fn observe(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            _ => self.observe_length(name, value),
        }
    }

    /// Records a field if it determines the length of a body, in a request or in a response.
    #[inline]
    pub(super) fn observe_length(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns the framing that all fields of a request determine together.
    pub(super) fn body_kind(&self) -> Result<BodyKind, Malformed> {
        if !self.has_host && self.version != Version::HTTP_10 {
            return Err(Malformed::MissingHost);
        }
        match self.coded()? {
            Codings::Absent => Ok(match self.content_length {
                None | Some(0) => BodyKind::None,
                Some(length) => BodyKind::Sized(length),
            }),
            Codings::Chunked { others: false } => Ok(BodyKind::Chunked),
            Codings::Chunked { others: true } => Err(Malformed::TransferCoding),
            _ => Err(Malformed::ChunkedNotLast),
        }
    }

    /// Checks that the request names its host: in its target, or else in `Host`.
    pub(super) fn check_host(&self, target: &[u8]) -> Result<(), Malformed> {
        // RFC 9112 section 3.2.2: the authority of an absolute-form target counts instead of
        // `Host`.
        let has_authority = !matches!(target, [b'/', ..] | b"*");
        if self.is_host_empty && !has_authority {
            return Err(Malformed::InvalidHost);
        }
        Ok(())
    }

    /// Returns the framing that all fields of a response determine together, if it has a body.
    pub(super) fn reply_body(&self) -> Result<ReplyBody, Malformed> {
        match self.coded()? {
            Codings::Absent => Ok(match self.content_length {
                None => ReplyBody::UntilClose,
                Some(0) => ReplyBody::None,
                Some(length) => ReplyBody::Sized(length),
            }),
            Codings::Chunked { .. } => Ok(ReplyBody::Chunked),
            // "If a Transfer-Encoding header field is present in a response and the chunked
            // transfer coding is not the final encoding, the message body length is determined by
            // reading the connection until it is closed".
            Codings::Open { .. } | Codings::Followed => Ok(ReplyBody::UntilClose),
            Codings::Repeated => Err(Malformed::ChunkedNotLast),
        }
    }

    /// Returns the transfer codings, if the version of the message allows them.
    fn coded(&self) -> Result<Codings, Malformed> {
        if self.codings != Codings::Absent && !self.is_lenient {
            if self.content_length.is_some() {
                return Err(Malformed::LengthAndCoding);
            }
            if self.version == Version::HTTP_10 {
                return Err(Malformed::CodingInHttp10);
            }
        }
        Ok(self.codings)
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.has_host {
            return Err(Malformed::RepeatedHost);
        }
        self.has_host = true;
        self.is_host_empty = matches!(value, [] | [b':', ..]);
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
        if self.is_lenient && value.contains(&b',') {
            let mut lengths = value.split(|&byte| byte == b',').map(trim);
            return lengths.try_for_each(|length| self.content_length(length));
        }
        let earlier = self.content_length;
        self.one_content_length(value)?;
        match earlier {
            Some(_) if earlier != self.content_length => Err(Malformed::RepeatedContentLength),
            _ => Ok(()),
        }
    }

    fn one_content_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.content_length.is_some() && !self.is_lenient {
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
        // "A recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110,
        // 5.6.1.2).
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
            Self::Chunked { .. } | Self::Followed if !is_chunked => Self::Followed,
            Self::Chunked { .. } | Self::Followed | Self::Repeated => Self::Repeated,
            Self::Absent => Self::Open { others: false }.then(is_chunked),
            Self::Open { others } if is_chunked => Self::Chunked { others },
            Self::Open { .. } => Self::Open { others: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the framing of a request with a host and the fields of these lines.
    fn framing(version: Version, lines: &str) -> Result<BodyKind, Malformed> {
        let lines = format!("Host: a\r\n{lines}");
        request_framing(version, &Fields::from_lines(lines))
    }

    #[test]
    fn content_length() {
        // RFC 9110, 8.6: "Content-Length = 1*DIGIT"; "a recipient MUST anticipate potentially large
        // decimal numerals and prevent parsing errors due to integer conversion overflows".
        let rows = [
            ("0", Ok(BodyKind::None)),
            ("5", Ok(BodyKind::Sized(5))),
            ("007", Ok(BodyKind::Sized(7))),
            ("18446744073709551615", Ok(BodyKind::Sized(u64::MAX))),
            ("18446744073709551616", Err(Malformed::ContentLength)),
            ("99999999999999999999999", Err(Malformed::ContentLength)),
            ("", Err(Malformed::ContentLength)),
            ("+5", Err(Malformed::ContentLength)),
            ("-5", Err(Malformed::ContentLength)),
            ("5 5", Err(Malformed::ContentLength)),
            ("5,5", Err(Malformed::ContentLength)),
            ("5, 5", Err(Malformed::ContentLength)),
            ("0x5", Err(Malformed::ContentLength)),
            ("5.0", Err(Malformed::ContentLength)),
            ("abc", Err(Malformed::ContentLength)),
            ("\u{665}", Err(Malformed::ContentLength)),
        ];
        for (value, expected) in rows {
            let lines = format!("Content-Length: {value}\r\n");
            assert_eq!(framing(Version::HTTP_11, &lines), expected, "{value:?}");
            assert_eq!(framing(Version::HTTP_10, &lines), expected, "{value:?}");
        }
        for second in ["5", "6"] {
            let lines = format!("Content-Length: 5\r\ncontent-length: {second}\r\n");
            let expected = Err(Malformed::RepeatedContentLength);
            assert_eq!(framing(Version::HTTP_11, &lines), expected);
        }
    }

    #[test]
    fn transfer_encoding() {
        // RFC 9112, 6.3: "If a Transfer-Encoding header field is present in a request and the
        // chunked transfer coding is not the final encoding, the message body length cannot be
        // determined reliably; the server MUST respond with the 400 (Bad Request) status code". RFC
        // 9112, 6.1: "A sender MUST NOT apply the chunked transfer coding more than once". RFC
        // 9112, 6.1: "A server that receives a request message with a transfer coding it does not
        // understand SHOULD respond with 501 (Not Implemented)." RFC 9112, 7: "The chunked coding
        // does not define any parameters."
        let rows: [(&[&str], Result<BodyKind, Malformed>); 17] = [
            (&["chunked"], Ok(BodyKind::Chunked)),
            (&["Chunked"], Ok(BodyKind::Chunked)),
            (&[" , chunked ,"], Ok(BodyKind::Chunked)),
            (&["", "chunked"], Ok(BodyKind::Chunked)),
            (&[""], Err(Malformed::ChunkedNotLast)),
            (&[","], Err(Malformed::ChunkedNotLast)),
            (&["gzip"], Err(Malformed::ChunkedNotLast)),
            (&["identity"], Err(Malformed::ChunkedNotLast)),
            (&["chunked, gzip"], Err(Malformed::ChunkedNotLast)),
            (&["chunked", "gzip"], Err(Malformed::ChunkedNotLast)),
            (&["chunked, chunked"], Err(Malformed::ChunkedNotLast)),
            (&["chunked", "chunked"], Err(Malformed::ChunkedNotLast)),
            (&["chunked;a=b"], Err(Malformed::ChunkedNotLast)),
            (&["xchunked"], Err(Malformed::ChunkedNotLast)),
            (&["\"chunked\""], Err(Malformed::ChunkedNotLast)),
            (&["gzip, chunked"], Err(Malformed::TransferCoding)),
            (&["identity", "chunked"], Err(Malformed::TransferCoding)),
        ];
        for (values, expected) in rows {
            let lines = values
                .iter()
                .map(|value| format!("Transfer-Encoding: {value}\r\n"));
            let lines: String = lines.collect();
            assert_eq!(framing(Version::HTTP_11, &lines), expected, "{values:?}");
            // RFC 9112, 6.1: "A server or client that receives an HTTP/1.0 message containing a
            // Transfer-Encoding header field MUST treat the message as if the framing is faulty".
            let expected = Err(Malformed::CodingInHttp10);
            assert_eq!(framing(Version::HTTP_10, &lines), expected, "{values:?}");
            // RFC 9112, 6.3: "Such a message might indicate an attempt to perform request
            // smuggling".
            for both in [
                format!("Content-Length: 5\r\n{lines}"),
                format!("{lines}Content-Length: 0\r\n"),
            ] {
                let expected = Err(Malformed::LengthAndCoding);
                assert_eq!(framing(Version::HTTP_11, &both), expected, "{both:?}");
            }
        }
    }

    #[test]
    fn no_framing_fields_no_body() {
        // RFC 9112, 6.3: "If this is a request message and none of the above are true, then the
        // message body length is zero (no message body is present)."
        assert_eq!(
            framing(Version::HTTP_11, "Accept: *\r\n"),
            Ok(BodyKind::None)
        );
        // Fields with similar names do not affect the framing.
        let lines =
            "Content-Lengths: 5\r\nX-Transfer-Encoding: chunked\r\nTransfer_Encoding: chunked\r\n";
        assert_eq!(framing(Version::HTTP_11, lines), Ok(BodyKind::None));
    }

    #[test]
    fn host() {
        // RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any
        // HTTP/1.1 request message that lacks a Host header field and to any request message that
        // contains more than one Host header field line or a Host header field with an invalid
        // field value."
        let check =
            |version, lines: &'static str| request_framing(version, &Fields::from_lines(lines));
        assert_eq!(check(Version::HTTP_11, ""), Err(Malformed::MissingHost));
        assert_eq!(check(Version::HTTP_10, ""), Ok(BodyKind::None));
        assert_eq!(check(Version::HTTP_11, "hOST:\r\n"), Ok(BodyKind::None));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let repeated = check(version, "Host: a\r\nHost: a\r\n");
            assert_eq!(repeated, Err(Malformed::RepeatedHost));
            let invalid = check(version, "Host: a/b\r\n");
            assert_eq!(invalid, Err(Malformed::InvalidHost));
        }
    }

    #[test]
    fn expectations() {
        // RFC 9110, 10.1.1: "The Expect field value is case-insensitive"; "A server that receives
        // an Expect field value containing a member other than 100-continue MAY respond with a
        // 417".
        let rows = [
            ("100-continue", Ok(BodyKind::None)),
            ("100-Continue", Ok(BodyKind::None)),
            ("100-continue, 100-continue", Ok(BodyKind::None)),
            ("", Ok(BodyKind::None)),
            ("200-ok", Err(Malformed::Expectation)),
            ("100-continue, more", Err(Malformed::Expectation)),
            ("100-continue;a=b", Err(Malformed::Expectation)),
        ];
        for (value, expected) in rows {
            let lines = format!("Expect: {value}\r\n");
            assert_eq!(framing(Version::HTTP_11, &lines), expected, "{value}");
            assert_eq!(
                framing(Version::HTTP_10, &lines),
                Ok(BodyKind::None),
                "{value}"
            );
        }
    }
}
