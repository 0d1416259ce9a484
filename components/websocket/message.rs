//! Messages: what an application sends and receives.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{FrameHead, Opcode, Violation};

/// Whether a message is text or binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    pub(super) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// A message. A clone shares the bytes.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::Message;
///
/// let message = Message::text("hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(Message::binary(vec![1, 2]).payload()[..], [1, 2]);
/// assert_eq!(format!("{message:?}"), "Text(\"hello\")");
/// ```
#[derive(Clone)]
pub struct Message {
    content: Content,
    frames: Option<Arc<Frames>>,
    is_last: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(ByteString),
    Binary(Bytes),
}

/// The frames of a message for many receivers, each made once.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) plain: OnceLock<Bytes>,
    pub(super) compressed: OnceLock<Bytes>,
}

/// `Text("...")` or `Binary(b"...")`; `Text("...", ..)` if more follows.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, content): (_, &dyn fmt::Debug) = match &self.content {
            Content::Text(text) => ("Text", &&**text),
            Content::Binary(bytes) => ("Binary", bytes),
        };
        let mut tuple = f.debug_tuple(name);
        match tuple.field(content) {
            tuple if self.is_last => tuple.finish(),
            tuple => tuple.finish_non_exhaustive(),
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content && self.is_last == other.is_last
    }
}

impl Eq for Message {}

impl Message {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self {
            content: Content::Text(text.into()),
            frames: None,
            is_last: true,
        }
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Binary(bytes.into()),
            frames: None,
            is_last: true,
        }
    }

    /// A message from its payload.
    pub(super) fn from_payload(kind: Kind, payload: Bytes) -> Result<Self, Violation> {
        Ok(match kind {
            Kind::Binary => Self::binary(payload),
            Kind::Text => {
                let text = ByteString::try_from(payload).map_err(|_| Violation::InvalidUtf8)?;
                Self::text(text)
            }
        })
    }

    /// The same message for many receivers: servers encode and compress it once for all of them.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.frames.get_or_insert_default();
        self
    }

    /// A piece of a message: the next one that is sent continues it, whatever its kind is. Pieces
    /// are sent as they come, without compression, so that a message of any length takes little
    /// memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use kamea_components::websocket::{Encoder, Message, Role};
    ///
    /// let (mut encoder, mut bytes) = (Encoder::new(Role::Server, None), BytesMut::new());
    /// encoder.message(&Message::text("Hel").unfinished(), &mut bytes);
    /// encoder.message(&Message::text("lo"), &mut bytes);
    /// assert_eq!(bytes, b"\x01\x03Hel\x80\x02lo"[..]);
    /// ```
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self {
            is_last: false,
            ..self
        }
    }

    /// Whether it is whole, or the last piece of a message. Only
    /// [`Delivery::Pieces`](super::Delivery::Pieces) makes others.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whether it is text or binary.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Text(_) => Kind::Text,
            Content::Binary(_) => Kind::Binary,
        }
    }

    /// Its text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Binary(bytes) => bytes,
        }
    }

    pub(super) fn frames(&self) -> Option<&Frames> {
        self.frames.as_deref()
    }

    /// The whole message as one frame of a server that is not compressed.
    pub(super) fn plain_frame(&self) -> Bytes {
        frame(self.kind(), false, self.payload())
    }
}

/// One frame of a server.
pub(super) fn frame(kind: Kind, is_compressed: bool, payload: &[u8]) -> Bytes {
    let head = FrameHead {
        is_last: true,
        is_compressed,
        opcode: kind.opcode(),
        mask: None,
        length: payload.len() as u64,
    };
    let mut frame = BytesMut::with_capacity(10 + payload.len());
    head.encode(&mut frame);
    frame.extend_from_slice(payload);
    frame.freeze()
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::binary(bytes)
    }
}
