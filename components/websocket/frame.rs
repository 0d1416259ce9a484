//! The head of a frame (RFC 6455 section 5.2).

use bytes::{BufMut, BytesMut};

use super::Violation;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further part of a message.
    Continuation,
    /// The first part of a text.
    Text,
    /// The first part of a binary message.
    Binary,
    /// The end of the connection.
    Close,
    /// A request for a [`Opcode::Pong`].
    Ping,
    /// The answer to a [`Opcode::Ping`], or a sign of life.
    Pong,
}

impl Opcode {
    const ALL: [Self; 6] = [
        Self::Continuation,
        Self::Text,
        Self::Binary,
        Self::Close,
        Self::Ping,
        Self::Pong,
    ];

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Whether it is a control frame (RFC 6455 section 5.5).
    #[must_use]
    pub fn is_control(self) -> bool {
        self.number() >= 8
    }

    fn from_number(opcode: u8) -> Result<Self, Violation> {
        let mut all = Self::ALL.into_iter();
        all.find(|known| known.number() == opcode)
            .ok_or(Violation::ReservedOpcode { opcode })
    }
}

/// The head of a frame.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use kamea_components::websocket::{FrameHead, Opcode};
///
/// let head = FrameHead { is_last: true, is_compressed: false, opcode: Opcode::Text, mask: None, length: 5 };
/// let mut bytes = BytesMut::new();
/// head.encode(&mut bytes);
/// assert_eq!(&bytes[..], [0x81, 0x05]);
/// assert_eq!(FrameHead::parse(&bytes)?, Some((head, 2)));
/// # Ok::<(), kamea_components::websocket::Violation>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the message ends with this frame (FIN).
    pub is_last: bool,
    /// Whether the message is compressed (RSV1, RFC 7692 section 6).
    pub is_compressed: bool,
    /// What it is.
    pub opcode: Opcode,
    /// The key that the payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// The length of the payload, in bytes.
    pub length: u64,
}

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const MASKED: u8 = 0x80;

impl FrameHead {
    /// Reads a head at the start of `bytes`. Returns it and its length, or `None` if more bytes are
    /// needed.
    ///
    /// # Errors
    ///
    /// A [`Violation`] that the head alone shows.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & RSV2_AND_3 != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::from_number(first & 0x0f)?;
        let is_last = first & FIN != 0;
        let short = second & !MASKED;
        if opcode.is_control() {
            if !is_last {
                return Err(Violation::FragmentedControl);
            }
            if short > 125 {
                return Err(Violation::ControlTooLong);
            }
        }
        let Some((length, rest)) = parse_length(short, rest)? else {
            return Ok(None);
        };
        let (mask, rest) = match (second & MASKED != 0, rest.split_first_chunk::<4>()) {
            (false, _) => (None, rest),
            (true, Some((key, rest))) => (Some(*key), rest),
            (true, None) => return Ok(None),
        };
        let is_compressed = first & RSV1 != 0;
        let head = Self {
            is_last,
            is_compressed,
            opcode,
            mask,
            length,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    /// Writes the head.
    pub fn encode(&self, to: &mut BytesMut) {
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let first = flag(self.is_last, FIN) | flag(self.is_compressed, RSV1);
        to.put_u8(first | self.opcode.number());
        let masked = flag(self.mask.is_some(), MASKED);
        match self.length {
            0..=125 => to.put_u8(masked | self.length as u8),
            126..=0xffff => {
                to.put_u8(masked | 126);
                to.put_u16(self.length as u16);
            }
            _ => {
                to.put_u8(masked | 127);
                to.put_u64(self.length);
            }
        }
        if let Some(key) = self.mask {
            to.put_slice(&key);
        }
    }
}

/// The length that follows the two first bytes, and the bytes behind it.
fn parse_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, least, rest) = match short {
        126 => match bytes.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), 126, rest),
            None => return Ok(None),
        },
        127 => match bytes.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), 0x1_0000, rest),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, bytes),
    };
    if length < least || length > i64::MAX as u64 {
        return Err(Violation::InvalidLength);
    }
    Ok(Some((length, rest)))
}
