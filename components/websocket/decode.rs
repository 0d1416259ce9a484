//! Decodes frames: bytes in, pieces of messages and control frames out (RFC 6455 section 5).

use bytes::{Bytes, BytesMut};

use super::deflate::Inflater;
use super::mask::apply_mask;
use super::utf8::Utf8Check;
use super::{Close, Deflate, FrameHead, Kind, Limits, Opcode, Role, Violation};

/// What a [`Decoder`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A piece of a message, unmasked and decompressed. Text is valid UTF-8 as a whole; a piece may
    /// end inside a character.
    Data {
        /// Whether the message is text or binary.
        kind: Kind,
        /// The piece. It may be empty if it is the last one.
        bytes: Bytes,
        /// Whether the message ends with it.
        is_last: bool,
    },
    /// A ping: answer with a pong of the same payload.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The peer closes. Nothing follows.
    Close(Close),
}

/// Turns the bytes that a peer sends into [`Event`]s.
///
/// Take events until there are none, then feed the next bytes. A message is never gathered here:
/// memory is bounded by what is fed. [`Assembler`](super::Assembler) makes whole messages.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::{Decoder, Event, Kind, Limits, Role};
///
/// let mut decoder = Decoder::new(Role::Client, Limits::default(), None);
/// decoder.feed(vec![0x81, 0x05, b'H', b'e', b'l'].into());
/// let piece = |bytes: &'static str, is_last| Event::Data { kind: Kind::Text, bytes: bytes.into(), is_last };
/// assert_eq!(decoder.next()?, Some(piece("Hel", false)));
/// assert_eq!(decoder.next()?, None);
/// decoder.feed("lo".into());
/// assert_eq!(decoder.next()?, Some(piece("lo", true)));
/// assert_eq!(decoder.finish(), Ok(()));
/// # Ok::<(), kamea_components::websocket::Violation>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    input: BytesMut,
    state: State,
    message: Option<Incoming>,
    inflater: Option<Inflater>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// In the payload of a data frame, so many bytes of which have been read.
    Payload {
        head: FrameHead,
        read: u64,
    },
    Closed,
    Failed(Violation),
}

/// The message whose frames are coming.
#[derive(Debug)]
struct Incoming {
    kind: Kind,
    is_compressed: bool,
    /// How many bytes were passed on, after decompression.
    length: u64,
    fragments: u32,
    utf8: Utf8Check,
}

impl Decoder {
    /// A decoder at the start of a connection, for the frames that come to `role`.
    #[must_use]
    pub fn new(role: Role, limits: Limits, deflate: Option<Deflate>) -> Self {
        Self {
            role,
            limits,
            input: BytesMut::new(),
            state: State::Head,
            message: None,
            inflater: deflate.map(|agreed| Inflater::new(&agreed, role)),
        }
    }

    /// Adds bytes that have come. They are not copied if all earlier ones were decoded.
    pub fn feed(&mut self, bytes: Bytes) {
        if matches!(self.state, State::Closed | State::Failed(_)) {
            return;
        }
        if self.input.is_empty() {
            self.input = bytes.into();
        } else {
            self.input.extend_from_slice(&bytes);
        }
    }

    /// The next event, or `None` if it needs more bytes.
    ///
    /// # Errors
    ///
    /// A [`Violation`] of the peer; the same again on every further call.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot say that more may come"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, Violation> {
        let found = loop {
            let found = match self.state {
                State::Head => self.read_head(),
                State::Payload { head, read } => self.read_payload(head, read),
                State::Closed => return Ok(None),
                State::Failed(violation) => return Err(violation),
            };
            match found {
                Ok(Step::Found(event)) => break Ok(Some(event)),
                Ok(Step::NeedsMore) => break Ok(None),
                Ok(Step::Again) => {}
                Err(violation) => {
                    self.state = State::Failed(violation);
                    break Err(violation);
                }
            }
        };
        if self.input.is_empty() || found.is_err() {
            // An idle connection keeps no buffer.
            self.input = BytesMut::new();
        }
        found
    }

    /// Whether the peer has sent a close frame.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Checks that the input may end here.
    ///
    /// # Errors
    ///
    /// [`Violation::Truncated`] inside a frame or a message.
    pub fn finish(&self) -> Result<(), Violation> {
        match self.state {
            State::Failed(violation) => Err(violation),
            State::Head if !self.input.is_empty() || self.message.is_some() => {
                Err(Violation::Truncated)
            }
            State::Payload { .. } => Err(Violation::Truncated),
            State::Head | State::Closed => Ok(()),
        }
    }

    fn read_head(&mut self) -> Result<Step, Violation> {
        let Some((head, length)) = FrameHead::parse(&self.input)? else {
            return Ok(Step::NeedsMore);
        };
        match (self.role, head.mask) {
            (Role::Server, None) => return Err(Violation::NotMasked),
            (Role::Client, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        if head.opcode.is_control() {
            return self.read_control(head, length);
        }
        self.begin_frame(head)?;
        let _ = self.input.split_to(length);
        self.state = State::Payload { head, read: 0 };
        Ok(Step::Again)
    }

    /// Reads a control frame, which is short enough to be waited for.
    fn read_control(&mut self, head: FrameHead, length: usize) -> Result<Step, Violation> {
        if head.is_compressed {
            return Err(Violation::ReservedBit);
        }
        // At most 125 bytes.
        let end = length + head.length as usize;
        if self.input.len() < end {
            return Ok(Step::NeedsMore);
        }
        let mut payload = self.input.split_to(end).split_off(length);
        if let Some(key) = head.mask {
            apply_mask(&mut payload, key, 0);
        }
        let payload = payload.freeze();
        Ok(Step::Found(match head.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let close = Close::parse(&payload)?;
                self.state = State::Closed;
                self.input.clear();
                Event::Close(close)
            }
        }))
    }

    /// Checks a data frame against the message that it belongs to.
    fn begin_frame(&mut self, head: FrameHead) -> Result<(), Violation> {
        let kind = match head.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        let message = match (&mut self.message, kind) {
            (Some(_), Some(_)) => return Err(Violation::ExpectedContinuation),
            (None, None) => return Err(Violation::UnexpectedContinuation),
            // RFC 7692 section 6.1: RSV1 is set on the first frame only.
            (Some(_), None) if head.is_compressed => return Err(Violation::ReservedBit),
            (Some(message), None) => message,
            (none, Some(kind)) => {
                if head.is_compressed && self.inflater.is_none() {
                    return Err(Violation::ReservedBit);
                }
                none.insert(Incoming {
                    kind,
                    is_compressed: head.is_compressed,
                    length: 0,
                    fragments: 0,
                    utf8: Utf8Check::default(),
                })
            }
        };
        let Limits {
            frame,
            message: limit,
            fragments,
            ..
        } = self.limits;
        if head.length > frame {
            return Err(Violation::FrameTooBig { limit: frame });
        }
        if !message.is_compressed && message.length.saturating_add(head.length) > limit {
            return Err(Violation::MessageTooBig { limit });
        }
        message.fragments += 1;
        if message.fragments > fragments {
            return Err(Violation::TooManyFragments { limit: fragments });
        }
        Ok(())
    }

    fn read_payload(&mut self, head: FrameHead, read: u64) -> Result<Step, Violation> {
        let Some(message) = &mut self.message else {
            return Err(Violation::UnexpectedContinuation);
        };
        let compressed = self.inflater.as_mut().filter(|_| message.is_compressed);
        if let Some(inflater) = compressed {
            if let Some(bytes) = inflater.next()? {
                message.pass_on(&bytes, self.limits.message)?;
                return Ok(Step::data(message.kind, bytes, false));
            }
            if read == head.length {
                return self.end_compressed_frame(head);
            }
        }
        let left = head.length - read;
        let count =
            usize::try_from(left).map_or(self.input.len(), |left| left.min(self.input.len()));
        if count == 0 && left > 0 {
            return Ok(Step::NeedsMore);
        }
        let mut piece = self.input.split_to(count);
        if let Some(key) = head.mask {
            apply_mask(&mut piece, key, read);
        }
        let (piece, read) = (piece.freeze(), read + count as u64);
        self.state = State::Payload { head, read };
        if message.is_compressed {
            if let Some(inflater) = &mut self.inflater {
                inflater.feed(piece);
            }
            return Ok(Step::Again);
        }
        message.pass_on(&piece, self.limits.message)?;
        let kind = message.kind;
        let is_last = head.is_last && read == head.length;
        if read == head.length {
            self.state = State::Head;
        }
        if is_last {
            self.end_message()?;
        }
        match piece.is_empty() && !is_last {
            true => Ok(Step::Again),
            false => Ok(Step::data(kind, piece, is_last)),
        }
    }

    /// Goes on after a compressed frame whose bytes have all been passed on.
    fn end_compressed_frame(&mut self, head: FrameHead) -> Result<Step, Violation> {
        if !head.is_last {
            self.state = State::Head;
            return Ok(Step::Again);
        }
        if let Some(inflater) = &mut self.inflater
            && inflater.end_message()
        {
            return Ok(Step::Again);
        }
        self.state = State::Head;
        let kind = self
            .message
            .as_ref()
            .map_or(Kind::Binary, |message| message.kind);
        self.end_message()?;
        Ok(Step::data(kind, Bytes::new(), true))
    }

    fn end_message(&mut self) -> Result<(), Violation> {
        match self.message.take() {
            Some(mut message) => message.utf8.finish(),
            None => Ok(()),
        }
    }
}

impl Incoming {
    /// Counts and checks a piece.
    fn pass_on(&mut self, bytes: &Bytes, limit: u64) -> Result<(), Violation> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > limit {
            return Err(Violation::MessageTooBig { limit });
        }
        match self.kind {
            Kind::Text => self.utf8.check(bytes),
            Kind::Binary => Ok(()),
        }
    }
}

enum Step {
    Found(Event),
    NeedsMore,
    Again,
}

impl Step {
    fn data(kind: Kind, bytes: Bytes, is_last: bool) -> Self {
        Self::Found(Event::Data {
            kind,
            bytes,
            is_last,
        })
    }
}

#[cfg(test)]
mod tests;
