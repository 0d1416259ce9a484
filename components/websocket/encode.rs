//! Encodes messages and control frames.

use bytes::{Bytes, BytesMut};

use super::deflate::Deflater;
use super::mask::apply_mask;
use super::message::frame;
use super::{Close, Deflate, DeflateOptions, FrameHead, Message, Opcode, Role};

/// Turns messages, or pieces of them, into the bytes of frames, one frame each.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use kamea_components::websocket::{Encoder, Message, Role};
///
/// let mut encoder = Encoder::new(Role::Server, None);
/// let mut bytes = BytesMut::new();
/// assert_eq!(encoder.message(&Message::text("Hello"), &mut bytes), None);
/// assert_eq!(bytes, b"\x81\x05Hello"[..]);
/// ```
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    deflater: Option<Deflater>,
    /// Whether the last message was not finished.
    continues: bool,
}

/// From this size on, a payload is sent where it lies instead of being copied behind its head.
const COPIED: usize = 4096;

impl Encoder {
    /// An encoder at the start of a connection, for the frames that `role` sends.
    #[must_use]
    pub fn new(role: Role, deflate: Option<(Deflate, DeflateOptions)>) -> Self {
        let deflater = deflate.map(|(agreed, options)| Deflater::new(&agreed, options, role));
        Self {
            role,
            deflater,
            continues: false,
        }
    }

    /// Encodes a message: appends to `to`, and returns bytes that follow it, if there are many, so
    /// that they are not copied.
    pub fn message(&mut self, message: &Message, to: &mut BytesMut) -> Option<Bytes> {
        let continues = std::mem::replace(&mut self.continues, !message.is_last());
        let is_whole = message.is_last() && !continues;
        if self.role == Role::Server
            && is_whole
            && let Some(frames) = message.frames()
        {
            return Some(self.shared_frame(message, frames));
        }
        let (kind, payload) = (message.kind(), message.payload());
        let compressed = self
            .deflater
            .as_mut()
            .filter(|_| is_whole)
            .and_then(|deflater| deflater.compress(payload));
        let head = FrameHead {
            is_last: message.is_last(),
            is_compressed: compressed.is_some(),
            opcode: match continues {
                true => Opcode::Continuation,
                false => kind.opcode(),
            },
            mask: None,
            length: 0,
        };
        self.frame(head, compressed.as_ref().unwrap_or(payload), to)
    }

    /// Encodes a ping with at most 125 bytes; more are cut.
    pub fn ping(&mut self, payload: &Bytes, to: &mut BytesMut) {
        self.control(Opcode::Ping, payload, to);
    }

    /// Encodes a pong with at most 125 bytes; more are cut.
    pub fn pong(&mut self, payload: &Bytes, to: &mut BytesMut) {
        self.control(Opcode::Pong, payload, to);
    }

    /// Encodes a close frame. It is the last frame.
    pub fn close(&mut self, close: &Close, to: &mut BytesMut) {
        self.control(Opcode::Close, &close.payload().freeze(), to);
    }

    /// Whether it holds a compressor that an idle connection does not need.
    #[must_use]
    pub fn keeps_context(&self) -> bool {
        self.deflater.as_ref().is_some_and(Deflater::is_active)
    }

    /// Frees what an idle connection does not need. A sender may begin a new compression at any
    /// time without telling its peer: the new stream refers to nothing before it.
    pub fn rest(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.rest();
        }
    }

    /// The frame that this and other encoders send for a shared message.
    fn shared_frame(&mut self, message: &Message, frames: &super::message::Frames) -> Bytes {
        let plain = || frames.plain.get_or_init(|| message.plain_frame()).clone();
        let Some(deflater) = self.deflater.as_mut().filter(|it| it.may_share()) else {
            return plain();
        };
        // The peer's window moves on with it: the context of this connection ends here.
        deflater.rest();
        let compress = || {
            let compressed = deflater.compress_alone(message.payload());
            compressed.map_or_else(plain, |bytes| frame(message.kind(), true, &bytes))
        };
        frames.compressed.get_or_init(compress).clone()
    }

    fn control(&mut self, opcode: Opcode, payload: &Bytes, to: &mut BytesMut) {
        let head = FrameHead {
            is_last: true,
            is_compressed: false,
            opcode,
            mask: None,
            length: 0,
        };
        let payload = payload.slice(..payload.len().min(125));
        self.frame(head, &payload, to);
    }

    fn frame(&self, head: FrameHead, payload: &Bytes, to: &mut BytesMut) -> Option<Bytes> {
        let mask = (self.role == Role::Client).then(mask_key);
        let length = payload.len() as u64;
        FrameHead {
            mask,
            length,
            ..head
        }
        .encode(to);
        if mask.is_none() && payload.len() >= COPIED {
            return Some(payload.clone());
        }
        let start = to.len();
        to.extend_from_slice(payload);
        if let Some(key) = mask {
            apply_mask(&mut to[start..], key, 0);
        }
        None
    }
}

/// A key that the peer's intermediaries cannot predict (RFC 6455 section 10.3).
fn mask_key() -> [u8; 4] {
    (kamea::random::token() as u32).to_ne_bytes()
}
