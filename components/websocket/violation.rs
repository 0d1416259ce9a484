//! What a peer did wrong.

use super::CloseCode;

/// How a peer broke the protocol or a limit. The connection fails (RFC 6455 section 7.1.7) with the
/// close code that [`Violation::close_code`] gives.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::{CloseCode, Violation};
///
/// let violation = Violation::MessageTooBig { limit: 1024 };
/// assert_eq!(violation.close_code(), CloseCode::TOO_BIG);
/// assert_eq!(violation.to_string(), "a message is larger than 1024 bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// RFC 6455 section 5.2: reserved bits are 0 unless an extension uses them.
    #[error("a reserved bit is set that no extension has negotiated")]
    ReservedBit,
    /// RFC 6455 section 5.2: opcodes 3 to 7 and 11 to 15 are reserved.
    #[error("opcode {opcode} is reserved")]
    ReservedOpcode {
        /// The opcode.
        opcode: u8,
    },
    /// RFC 6455 section 5.1: a client masks every frame.
    #[error("a frame of a client is not masked")]
    NotMasked,
    /// RFC 6455 section 5.1: a server masks no frame.
    #[error("a frame of a server is masked")]
    Masked,
    /// RFC 6455 section 5.2: a length takes as few bytes as possible and 63 bits at most.
    #[error("a frame length is not encoded in the shortest form, or exceeds 63 bits")]
    InvalidLength,
    /// RFC 6455 section 5.5: control frames are not fragmented.
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// RFC 6455 section 5.5: control frames have at most 125 bytes.
    #[error("a control frame has more than 125 bytes")]
    ControlTooLong,
    /// RFC 6455 section 5.4: a continuation continues a message.
    #[error("a continuation frame comes without a message to continue")]
    UnexpectedContinuation,
    /// RFC 6455 section 5.4: fragments of messages are not interleaved.
    #[error("a new message begins before the last one has ended")]
    ExpectedContinuation,
    /// RFC 6455 section 5.5.1: a close frame is empty or begins with a code of two bytes.
    #[error("a close frame has one byte, where a code takes two")]
    CloseTooShort,
    /// RFC 6455 section 7.4: only some codes may be sent.
    #[error("{code} is not a close code that may be sent")]
    InvalidCloseCode {
        /// The code.
        code: u16,
    },
    /// RFC 6455 section 8.1: text is UTF-8.
    #[error("a text is not UTF-8")]
    InvalidUtf8,
    /// RFC 7692 section 7.2.2: the payload is a DEFLATE stream.
    #[error("a compressed message is not valid DEFLATE")]
    InvalidDeflate,
    /// The frame exceeds [`Limits::frame`](super::Limits::frame).
    #[error("a frame is larger than {limit} bytes")]
    FrameTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The message exceeds [`Limits::message`](super::Limits::message), compressed or not.
    #[error("a message is larger than {limit} bytes")]
    MessageTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The message exceeds [`Limits::fragments`](super::Limits::fragments).
    #[error("a message has more than {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
    /// More control frames came in a second than [`Limits::control_frames`](super::Limits).
    #[error("more than {limit} control frames came within a second")]
    TooManyControlFrames {
        /// The limit, per second.
        limit: u32,
    },
    /// The connection ended in the middle of a frame or a message.
    #[error("the connection ended before a message was complete")]
    Truncated,
}

impl Violation {
    /// The status code that the connection fails with.
    #[must_use]
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_DATA,
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::TOO_BIG,
            Self::TooManyFragments { .. } | Self::TooManyControlFrames { .. } => CloseCode::POLICY,
            Self::Truncated => CloseCode::ABNORMAL,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
