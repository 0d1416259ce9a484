//! Why a connection closes: status codes and reasons (RFC 6455 section 7.4).

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::Violation;

/// A status code of a close frame.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::CloseCode;
///
/// assert!(CloseCode::NORMAL.is_sendable());
/// assert!(!CloseCode(1006).is_sendable(), "only for an end without a close frame");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server stops, or the page was left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the kind of message is not supported.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: the close frame has no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: a message is invalid, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message breaks a rule of the application or a limit.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too large.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server lacks an extension that the client needs.
    pub const EXTENSION: Self = Self(1010);
    /// 1011: the server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Whether the code may stand in a close frame (RFC 6455 section 7.4.2, and the codes that IANA
    /// has registered since).
    #[must_use]
    pub fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// The content of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why the connection closes; [`CloseCode::NO_STATUS`] if the frame is empty.
    pub code: CloseCode,
    /// The reason in words, at most 123 bytes.
    pub reason: ByteString,
}

/// The longest reason: a control frame has at most 125 bytes, and the code takes two.
const LONGEST_REASON: usize = 123;

impl Close {
    /// A close frame with a code and a reason. A long reason is cut at a character.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::websocket::{Close, CloseCode};
    ///
    /// let close = Close::new(CloseCode::GOING_AWAY, "é".repeat(100));
    /// assert_eq!(close.reason.len(), 122);
    /// ```
    #[must_use]
    pub fn new(code: CloseCode, reason: impl Into<ByteString>) -> Self {
        let reason = reason.into();
        let end = reason.floor_char_boundary(LONGEST_REASON);
        let reason = reason.slice_ref(&reason[..end]);
        Self { code, reason }
    }

    /// Reads the payload of a close frame (RFC 6455 section 5.5.1).
    pub(super) fn parse(payload: &Bytes) -> Result<Self, Violation> {
        let (code, reason) = match &payload[..] {
            [] => return Ok(Self::new(CloseCode::NO_STATUS, "")),
            [_] => return Err(Violation::CloseTooShort),
            [high, low, ..] => (u16::from_be_bytes([*high, *low]), payload.slice(2..)),
        };
        if !CloseCode(code).is_sendable() {
            return Err(Violation::InvalidCloseCode { code });
        }
        let reason = ByteString::try_from(reason).map_err(|_| Violation::InvalidUtf8)?;
        let code = CloseCode(code);
        Ok(Self { code, reason })
    }

    /// The payload of the frame.
    pub(super) fn payload(&self) -> BytesMut {
        let mut payload = BytesMut::with_capacity(2 + self.reason.len());
        if self.code.is_sendable() {
            payload.put_u16(self.code.0);
            payload.extend_from_slice(self.reason.as_bytes());
        }
        payload
    }
}
