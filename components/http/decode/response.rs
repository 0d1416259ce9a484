//! Decodes responses (RFC 9112): bytes in, replies out, no I/O.
//!
//! ```text
//! expect: methods of requests ─┐
//!         feed                 ▼           next
//! bytes ───────────▶ [ input | head | body ] ────▶ Interim ..., Head, Chunk ..., End
//! ```
//!
//! How a response is framed depends on its request, so the decoder must know each request that is
//! sent. It is as strict as the decoder of requests, and shares its parts: if two clients disagree
//! about the end of a response, responses can be split.

mod check;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Method, StatusCode};

#[doc(hidden)]
pub use check::check_response_split_invariance;

use super::Leniency;
use super::body::{BodyDecoder, BodyPart};
use super::input::Input;
use super::received_head::{Awaited, HeadParts, read_head};
use super::section::Progress;
use super::tidy::{section_length, tidy_head};
use crate::http::{Fields, Limits, MalformedResponse, ReceivedHead, ReplyBody};

/// The result of a [`ResponseDecoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An interim response (status 1xx): the final response is still to come (RFC 9110 section
    /// 15.2).
    Interim(ReceivedHead),
    /// The head of a response, and how its body is framed.
    Head(ReceivedHead, ReplyBody),
    /// Some bytes of the body, never empty.
    Chunk(Bytes),
    /// The end of a response, also of one without a body, and the trailer section, if there was
    /// one.
    End(Fields),
}

/// Turns the bytes of a server into [`Reply`]s.
///
/// Announce each request that is sent, in order ([`expect`](Self::expect)). Take replies until
/// `next` returns `None`, then feed the next bytes; when the server has closed the connection, call
/// [`finish`](Self::finish). A body is never collected, and its chunks are slices of the input. The
/// verdict on a response does not depend on how its bytes were cut.
///
/// A server may send interim responses for ever: a client needs a timeout for the whole response.
///
/// # Examples
/// ```
/// use http::{Method, StatusCode};
/// use kamea_components::http::{Limits, Reply, ReplyBody, ResponseDecoder};
///
/// let limits = Limits { body: u64::MAX, ..Limits::default() };
/// let mut decoder = ResponseDecoder::new(limits);
/// decoder.expect(&Method::GET);
/// decoder.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel".into());
/// let Some(Reply::Head(head, body)) = decoder.next()? else { unreachable!() };
/// assert_eq!((head.status, body), (StatusCode::OK, ReplyBody::Sized(5)));
/// assert_eq!(decoder.next()?, Some(Reply::Chunk("hel".into())));
/// assert_eq!(decoder.next()?, None);
///
/// decoder.feed("lo".into());
/// assert_eq!(decoder.next()?, Some(Reply::Chunk("lo".into())));
/// assert!(matches!(decoder.next()?, Some(Reply::End(trailers)) if trailers.is_empty()));
/// assert_eq!(decoder.awaited(), 0);
/// assert_eq!(decoder.finish(), Ok(None));
/// # Ok::<(), kamea_components::http::MalformedResponse>(())
/// ```
#[derive(Debug)]
pub struct ResponseDecoder {
    limits: Limits,
    leniency: Leniency,
    input: Input,
    /// The requests whose responses are not complete, the oldest first.
    awaited: VecDeque<Awaited>,
    state: State,
    /// The progress of the current head.
    progress: Progress,
    /// Empty lines skipped before the next status line.
    empty_lines: usize,
}

#[derive(Debug)]
enum State {
    Head,
    Body(BodyDecoder),
    /// The response that ends with its head has been returned, its end not yet.
    End,
    Failed(MalformedResponse),
}

impl ResponseDecoder {
    /// Creates a decoder at the start of a connection. A client that does not store what it
    /// receives sets no limit for the [body](Limits::body).
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.without_overflow(),
            leniency: Leniency::Strict,
            input: Input::default(),
            awaited: VecDeque::new(),
            state: State::Head,
            progress: Progress::default(),
            empty_lines: 0,
        }
    }

    /// The same decoder, but it accepts what browsers and curl accept: line ends without CR, folded
    /// fields and white space before a colon (RFC 9112 sections 2.2, 5.1 and 5.2), repeated lengths
    /// that agree, a length beside the chunked coding (section 6.3), and white space behind the
    /// size of a chunk. Lines that are no fields are ignored.
    ///
    /// Do not use it in a proxy: the next client could read the response differently.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, StatusCode};
    /// use kamea_components::http::{Limits, Reply, ResponseDecoder};
    ///
    /// let mut decoder = ResponseDecoder::new(Limits::default()).lenient();
    /// decoder.expect(&Method::GET);
    /// decoder.feed("HTTP/1.1 200\nX-A : one\n two\nContent-Length: 0\n\n".into());
    /// let Some(Reply::Head(head, _)) = decoder.next()? else { unreachable!() };
    /// assert_eq!(head.fields.get("x-a"), Some(&b"one two"[..]));
    /// # Ok::<(), kamea_components::http::MalformedResponse>(())
    /// ```
    #[must_use]
    pub fn lenient(self) -> Self {
        Self {
            leniency: Leniency::Lenient,
            ..self
        }
    }

    /// A decoder for a client that does not store what it receives. Without `strict`, it accepts
    /// what curl accepts; with it, only what follows RFC 9112 exactly, within the [usual
    /// limits](Limits::default).
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use kamea_components::http::ResponseDecoder;
    ///
    /// for (strict, is_accepted) in [(true, false), (false, true)] {
    ///     let mut decoder = ResponseDecoder::for_client(strict);
    ///     decoder.expect(&Method::GET);
    ///     decoder.feed("HTTP/1.1 200 OK\n\n".into());
    ///     assert_eq!(decoder.next().is_ok(), is_accepted);
    /// }
    /// ```
    #[must_use]
    pub fn for_client(strict: bool) -> Self {
        match strict {
            true => Self::new(Limits {
                body: u64::MAX,
                ..Limits::default()
            }),
            false => Self::new(Limits::generous()).lenient(),
        }
    }

    /// Records a request with this method, which is sent: its response follows those of all earlier
    /// requests.
    ///
    /// Call this before its response is decoded, at the latest when the first of its bytes are
    /// sent.
    pub fn expect(&mut self, method: &Method) {
        self.awaited.push_back(Awaited::by(method));
    }

    /// Returns how many requests have no complete response yet.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Adds bytes that have arrived. They are not copied if all earlier bytes were decoded.
    pub fn feed(&mut self, bytes: Bytes) {
        if !matches!(self.state, State::Failed(_)) {
            self.input.feed(bytes);
        }
    }

    /// Returns the next reply, or `None` if it needs more bytes.
    ///
    /// # Errors
    /// [`MalformedResponse`] if the input is not a valid response; the same error on every further
    /// call.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot say that more may come"
    )]
    pub fn next(&mut self) -> Result<Option<Reply>, MalformedResponse> {
        let reply = match &mut self.state {
            State::Head => match self.find_head() {
                Ok(Some(found)) => return Ok(Some(self.take_head(found))),
                Ok(None) => Ok(None),
                Err(malformed) => Err(malformed),
            },
            State::Body(body) => match body.next(&mut self.input, &self.limits) {
                Ok(Some(BodyPart::Data(data))) => Ok(Some(Reply::Chunk(data))),
                Ok(Some(BodyPart::End(trailers))) => Ok(Some(self.end(trailers))),
                Ok(None) => Ok(None),
                Err(malformed) => Err(malformed.into()),
            },
            State::End => Ok(Some(self.end(Fields::new()))),
            State::Failed(malformed) => Err(*malformed),
        };
        reply.inspect_err(|malformed| self.fail(*malformed))
    }

    /// Reports that the server has closed the connection: returns the end of a body that the close
    /// delimits. Call it when all replies have been taken.
    ///
    /// # Errors
    /// The missing part of the awaited response, or any other error in it, now or earlier; the same
    /// error on every further call.
    pub fn finish(&mut self) -> Result<Option<Reply>, MalformedResponse> {
        let last = self.find_end();
        last.inspect_err(|malformed| self.fail(*malformed))
    }

    /// Returns how many of the bytes that have arrived are not decoded yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.input.as_slice().len()
    }

    /// Looks for a complete head and checks it.
    fn find_head(&mut self) -> Result<Option<HeadParts>, MalformedResponse> {
        self.input
            .skip_empty_lines(&mut self.empty_lines, &self.limits, self.leniency)?;
        let bytes = match self.input.as_slice() {
            [] | b"\r" => return Ok(None),
            bytes => bytes,
        };
        let Some(&awaited) = self.awaited.front() else {
            return Err(MalformedResponse::Unawaited);
        };
        let leniency = self.leniency;
        let found = self.progress.read(bytes, &self.limits, |bytes, limits| {
            match read_head(bytes, awaited, limits, leniency) {
                // The rest of the section may come, and then the whole can be tidied.
                Err(_)
                    if leniency.is_lenient()
                        && is_begun(bytes)
                        && bytes.len() <= limits.head_bytes
                        && section_length(bytes, limits).is_none() =>
                {
                    Ok(None)
                }
                found => found,
            }
        });
        match found {
            Err(malformed) if leniency.is_lenient() => self.find_sloppy_head(awaited, malformed),
            found => found,
        }
    }

    /// Reads a head that a strict reader refuses for the reason in `malformed`.
    fn find_sloppy_head(
        &mut self,
        awaited: Awaited,
        malformed: MalformedResponse,
    ) -> Result<Option<HeadParts>, MalformedResponse> {
        let bytes = self.input.as_slice();
        let Some(length) = section_length(bytes, &self.limits) else {
            return Err(malformed);
        };
        let tidied = tidy_head(&bytes[..length]);
        self.input.replace(length, tidied);
        read_head(self.input.as_slice(), awaited, &self.limits, self.leniency)
    }

    fn take_head(&mut self, parts: HeadParts) -> Reply {
        let (status, body) = (parts.status, parts.body);
        let head = parts.take(&mut self.input);
        self.progress = Progress::default();
        self.empty_lines = 0;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            return Reply::Interim(head);
        }
        self.state = match body {
            ReplyBody::None => State::End,
            ReplyBody::Sized(length) => State::Body(BodyDecoder::Sized(length)),
            ReplyBody::Chunked => State::Body(BodyDecoder::chunked(self.leniency)),
            ReplyBody::UntilClose => State::Body(BodyDecoder::UntilClose(self.limits.body)),
            ReplyBody::Tunnel => State::Body(BodyDecoder::UntilClose(u64::MAX)),
        };
        Reply::Head(head, body)
    }

    fn find_end(&mut self) -> Result<Option<Reply>, MalformedResponse> {
        let unread = self.input.as_slice();
        match &self.state {
            State::Head if matches!(unread, [] | b"\r") && self.awaited.is_empty() => Ok(None),
            State::Head if unread.is_empty() => Err(MalformedResponse::Unanswered),
            State::Head => {
                // Reads ahead, because the verdict must not depend on how the input was cut.
                if unread != b"\r"
                    && let Some(&awaited) = self.awaited.front()
                {
                    let is_open = self.leniency.is_lenient() && is_begun(unread);
                    if !is_open {
                        read_head(unread, awaited, &self.limits, self.leniency)?;
                    }
                }
                Err(MalformedResponse::IncompleteHead)
            }
            State::Body(BodyDecoder::UntilClose(_)) => Ok(Some(self.end(Fields::new()))),
            State::Body(BodyDecoder::Sized(missing)) => {
                Err(MalformedResponse::IncompleteBody { missing: *missing })
            }
            State::Body(body) => {
                body.check_rest(unread, &self.limits)?;
                Err(MalformedResponse::IncompleteChunks)
            }
            State::End => self.next(),
            State::Failed(malformed) => Err(*malformed),
        }
    }

    fn fail(&mut self, malformed: MalformedResponse) {
        self.state = State::Failed(malformed);
        self.input = Input::default();
    }

    fn end(&mut self, trailers: Fields) -> Reply {
        self.awaited.pop_front();
        self.state = State::Head;
        Reply::End(trailers)
    }
}

/// Whether these may be the first bytes of a response.
fn is_begun(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .zip(b"HTTP/")
        .all(|(byte, known)| byte == known)
}
