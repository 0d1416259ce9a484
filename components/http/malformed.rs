//! What can be wrong with a request, and how to answer it.

use http::StatusCode;
use thiserror::Error;

/// An invalid request: always an error of the peer.
///
/// The connection cannot be used for another request afterwards, because the start of the next one
/// is unknown.
///
/// # Examples
/// ```
/// use http::StatusCode;
/// use kamea_components::http::{Limits, Malformed, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed("GET / HTTP/1.1\r\n\r\n".into());
/// let malformed = decoder.next().unwrap_err();
/// assert_eq!(malformed, Malformed::MissingHost);
/// assert_eq!(malformed.status(), StatusCode::BAD_REQUEST);
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// RFC 9112 section 3. Also HTTP/0.9, which has no version, and an invalid version.
    #[error("the request line is not a method, a target and an HTTP version")]
    RequestLine,
    /// RFC 9112 section 3: "414 (URI Too Long)".
    #[error("the request line is too long")]
    RequestLineTooLong,
    /// RFC 9112 section 3.2.
    #[error("the request target is not valid for the method")]
    Target,
    /// RFC 9110 section 15.6.6: well-formed, but neither HTTP/1.0 nor HTTP/1.1.
    #[error("the HTTP version is not supported")]
    Version,
    /// RFC 9112 section 2.2: a CR or LF alone; we choose the strict option.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// RFC 9112 section 2.2: empty lines before a message are skipped, up to a limit.
    #[error("there are too many empty lines before the start line")]
    EmptyLines,
    /// RFC 9112 section 5.1: includes white space before the colon, and a line folded (section
    /// 5.2).
    #[error("a field name is not a token followed by a colon")]
    FieldName,
    /// RFC 9110 section 5.5.
    #[error("a field value contains a control character")]
    FieldValue,
    /// RFC 6585 section 5.
    #[error("the head or the trailer section is too large")]
    HeadTooLarge,
    /// RFC 6585 section 5.
    #[error("there are too many fields")]
    TooManyFields,
    /// RFC 9112 section 3.2.
    #[error("the Host field is missing")]
    MissingHost,
    /// RFC 9112 section 3.2.
    #[error("the Host field is repeated")]
    RepeatedHost,
    /// RFC 9112 section 3.2.
    #[error("the Host field is not a host and a port")]
    InvalidHost,
    /// RFC 9112 section 6.3 rule 5.
    #[error("the Content-Length is not a decimal number")]
    ContentLength,
    /// RFC 9112 section 6.3 rule 5; we refuse even equal values.
    #[error("the Content-Length field is repeated")]
    RepeatedContentLength,
    /// RFC 9112 section 6.1: both may be an attempt at request smuggling.
    #[error("both Content-Length and Transfer-Encoding are present")]
    LengthAndCoding,
    /// RFC 9112 section 6.1: the framing of such a message is faulty.
    #[error("Transfer-Encoding is present in an HTTP/1.0 message")]
    CodingInHttp10,
    /// RFC 9112 sections 6.1 and 6.3 rule 4.
    #[error("chunked is not the last transfer coding, or not only once")]
    ChunkedNotLast,
    /// RFC 9112 section 6.1.
    #[error("the transfer coding is not implemented")]
    TransferCoding,
    /// RFC 9110 section 10.1.1.
    #[error("the expectation is not 100-continue")]
    Expectation,
    /// RFC 9110 section 15.5.14.
    #[error("the body is too large")]
    BodyTooLarge,
    /// RFC 9112 section 7.1.
    #[error("the size of a chunk is not a hexadecimal number and CR LF")]
    ChunkSize,
    /// RFC 9112 section 7.1.1: "a server ought to limit the total length of chunk extensions".
    #[error("a chunk extension is too long or contains a control character")]
    ChunkExtension,
    /// RFC 9112 section 7.1.
    #[error("the data of a chunk does not end in CR LF")]
    ChunkEnd,
    /// RFC 9110 section 6.5.1.
    #[error("the trailer section contains a field that frames messages")]
    Trailer,
    /// RFC 9112 section 8.
    #[error("the input ends inside a request")]
    Truncated,
}

impl Malformed {
    /// Returns the status code for the answer (RFC 9110 section 15).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestLineTooLong => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::HeadTooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
