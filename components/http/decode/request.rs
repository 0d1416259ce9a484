//! Decodes requests (RFC 9112): bytes in, events out, no I/O.
//!
//! ```text
//!            feed                                next
//! bytes ------------> [ input | head | body ] ----------> Head, Chunk ..., End
//! ```
//!
//! If RFC 9112 leaves a choice between lenient and strict, this decoder is strict: if one recipient
//! is more lenient than another, a request can be smuggled past the first of them.

mod check;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes};

#[doc(hidden)]
pub use check::check_split_invariance;

use super::Leniency;
use super::body::{BodyDecoder, BodyPart};
use super::framing::BodyKind;
use super::input::Input;
use super::section::{HeadParts, Progress, read_head};
use crate::http::{Fields, Limits, Malformed, RequestHead, Target};

/// The result of a [`RequestDecoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The head of a request. With [`BodyKind::None`] the request is complete.
    Head(RequestHead, BodyKind),
    /// Some bytes of the body, never empty.
    Chunk(Bytes),
    /// The end of the body, and the trailer section that followed it.
    End(Fields),
}

/// The position of a [`RequestDecoder`] in its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of the next request has arrived, not even an empty line before it.
    BetweenRequests,
    /// The head of a request has begun, or the empty lines before it have.
    InHead,
    /// The body of a request has begun: an `End` will follow.
    InBody,
}

/// Turns the bytes of a client into [`Event`]s.
///
/// Take events until `next` returns `None`, then feed the next bytes. Requests that arrive together
/// are returned one after the other; a body is never collected. The verdict on a request does not
/// depend on how its bytes were cut.
///
/// # Examples
/// ```
/// use kamea_components::http::{BodyKind, Event, Limits, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel".into());
/// let Some(Event::Head(head, body)) = decoder.next()? else { unreachable!() };
/// assert_eq!((head.target.path(), body), ("/form", BodyKind::Sized(5)));
/// assert_eq!(decoder.next()?, Some(Event::Chunk("hel".into())));
/// assert_eq!(decoder.next()?, None);
///
/// decoder.feed("lo".into());
/// assert_eq!(decoder.next()?, Some(Event::Chunk("lo".into())));
/// assert!(matches!(decoder.next()?, Some(Event::End(trailers)) if trailers.is_empty()));
/// assert_eq!(decoder.finish(), Ok(()));
/// # Ok::<(), kamea_components::http::Malformed>(())
/// ```
#[derive(Debug)]
pub struct RequestDecoder {
    limits: Limits,
    input: Input,
    state: State,
    /// The progress of the current head.
    progress: Progress,
    /// Empty lines skipped before the next request line.
    empty_lines: usize,
}

#[derive(Debug)]
enum State {
    Head,
    Body(BodyDecoder),
    Failed(Malformed),
}

impl RequestDecoder {
    /// Creates a decoder at the start of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.without_overflow(),
            input: Input::default(),
            state: State::Head,
            progress: Progress::default(),
            empty_lines: 0,
        }
    }

    /// Adds bytes that have arrived. They are not copied if all earlier bytes were decoded.
    pub fn feed(&mut self, bytes: Bytes) {
        if !matches!(self.state, State::Failed(_)) {
            self.input.feed(bytes);
        }
    }

    /// Returns the next event, or `None` if it needs more bytes.
    ///
    /// # Errors
    /// [`Malformed`] if the input is not a valid request; the same error on every further call.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot say that more may come"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, Malformed> {
        let event = match &mut self.state {
            // Separate from the other events, because a head is large: its event is built where it
            // is needed.
            State::Head => match self.find_head() {
                Ok(Some(found)) => return Ok(Some(self.take_head(found))),
                Ok(None) => Ok(None),
                Err(malformed) => Err(malformed),
            },
            State::Body(body) => match body.next(&mut self.input, &self.limits) {
                Ok(Some(BodyPart::Data(data))) => Ok(Some(Event::Chunk(data))),
                Ok(Some(BodyPart::End(trailers))) => {
                    self.state = State::Head;
                    Ok(Some(Event::End(trailers)))
                }
                Ok(None) => Ok(None),
                Err(malformed) => Err(malformed),
            },
            State::Failed(malformed) => Err(*malformed),
        };
        event.inspect_err(|malformed| {
            self.state = State::Failed(*malformed);
            self.input = Input::default();
        })
    }

    /// Returns the limits for requests.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the position of the decoder in its input; always between requests once it has
    /// failed.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.input.is_empty() && self.empty_lines == 0 => Phase::BetweenRequests,
            State::Head => Phase::InHead,
            State::Failed(_) => Phase::BetweenRequests,
            _ => Phase::InBody,
        }
    }

    /// Checks whether the input may end here. Call it when all events have been taken.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] within a request, or any other error in it, now or earlier.
    pub fn finish(&self) -> Result<(), Malformed> {
        let unread = self.input.as_slice();
        match &self.state {
            State::Head if unread.is_empty() => return Ok(()),
            // Reads ahead, because the verdict must not depend on how the input was cut.
            State::Head if unread != b"\r" => drop(read_head(unread, &self.limits)?),
            State::Body(body) => body.check_rest(unread, &self.limits)?,
            State::Failed(malformed) => return Err(*malformed),
            State::Head => {}
        }
        Err(Malformed::Truncated)
    }

    /// Whether there are no unread bytes. An empty decoder holds no memory beyond itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Takes the unread bytes out, for the protocol that follows an upgrade.
    #[must_use]
    pub fn rest(&mut self) -> Bytes {
        let length = self.input.as_slice().len();
        self.progress = Progress::default();
        self.input.take(length)
    }

    /// Looks for a complete head and checks it.
    fn find_head(&mut self) -> Result<Option<HeadParts>, Malformed> {
        self.input
            .skip_empty_lines(&mut self.empty_lines, &self.limits, Leniency::Strict)?;
        match self.input.as_slice() {
            [] | b"\r" => Ok(None),
            bytes => self.progress.read(bytes, &self.limits, read_head),
        }
    }

    fn take_head(&mut self, parts: HeadParts) -> Event {
        self.state = match parts.body {
            BodyKind::None => State::Head,
            BodyKind::Sized(length) => State::Body(BodyDecoder::Sized(length)),
            BodyKind::Chunked => State::Body(BodyDecoder::chunked(Leniency::Strict)),
        };
        self.progress = Progress::default();
        self.empty_lines = 0;
        let mut lines = self.input.take(parts.length);
        let target = Target::from_checked(lines.slice(parts.target), parts.path);
        lines.truncate(parts.fields.end);
        lines.advance(parts.fields.start);
        let head = RequestHead {
            method: parts.method,
            target,
            version: parts.version,
            fields: Fields::from_checked(lines, parts.names),
        };
        Event::Head(head, parts.body)
    }
}
