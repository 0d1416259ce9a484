//! What can be wrong with a response.

use thiserror::Error;

use crate::http::Malformed;

/// An invalid or missing response: always an error of the server, or of the network.
///
/// The connection cannot be used for another request afterwards, because the start of the next
/// response is unknown.
///
/// # Examples
/// ```
/// use kamea_components::http::{Limits, Malformed, MalformedResponse, ResponseDecoder};
///
/// let mut decoder = ResponseDecoder::new(Limits::default());
/// decoder.expect(&http::Method::GET);
/// decoder.feed("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n".into());
/// let malformed = decoder.next().unwrap_err();
/// assert_eq!(malformed, MalformedResponse::Message(Malformed::ContentLength));
/// assert_eq!(malformed.to_string(), "the Content-Length is not a decimal number");
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedResponse {
    /// RFC 9112 section 4.
    #[error("the status line is not an HTTP version, a status code and a reason")]
    StatusLine,
    /// Longer than the [limit](crate::http::Limits::request_line) for the first line.
    #[error("the status line is too long")]
    StatusLineTooLong,
    /// RFC 9110 section 2.5: well-formed, but neither HTTP/1.0 nor HTTP/1.1.
    #[error("the HTTP version of the response is not supported")]
    Version,
    /// RFC 9112 section 9.2: "If a client receives data on a connection that doesn't have
    /// outstanding requests, the client MUST NOT consider that data to be a valid response".
    #[error("the server sent something although no request was outstanding")]
    Unawaited,
    /// The connection ended before an awaited response began.
    #[error("the server closed the connection without a response")]
    Unanswered,
    /// RFC 9112 section 8: the connection ended within the head.
    #[error("the server closed the connection in the midst of the head of its response")]
    IncompleteHead,
    /// RFC 9112 section 8: the connection ended within a body of known length.
    #[error("the server closed the connection when {missing} bytes of the body were still to come")]
    IncompleteBody {
        /// How many bytes are missing.
        missing: u64,
    },
    /// RFC 9112 section 8: "A message body that uses the chunked transfer coding is incomplete if
    /// the zero-sized chunk that terminates the encoding has not been received." Or its trailer
    /// section has not been received whole.
    #[error("the server closed the connection before the last chunk of the body")]
    IncompleteChunks,
    /// An error that is possible in any message: in its fields, its framing or its chunks.
    #[error(transparent)]
    Message(#[from] Malformed),
}
