//! Whole messages from their pieces.

use bytes::{Bytes, BytesMut};

use super::{Kind, Message, Violation};

/// Gathers the pieces of messages. The decoder's limit bounds how much it holds.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::{Assembler, Kind, Message};
///
/// let mut assembler = Assembler::default();
/// assert_eq!(assembler.add(Kind::Text, "Hel".into(), false)?, None);
/// assert_eq!(assembler.add(Kind::Text, "lo".into(), true)?, Some(Message::text("Hello")));
/// # Ok::<(), kamea_components::websocket::Violation>(())
/// ```
#[derive(Debug, Default)]
pub struct Assembler {
    /// The first piece, which is the whole of most messages.
    first: Bytes,
    /// All pieces, once there are several.
    gathered: BytesMut,
}

impl Assembler {
    /// Adds a piece. Returns the message if it is complete.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`] for a text that is not UTF-8. A
    /// [`Decoder`](super::Decoder) refuses such text before.
    pub fn add(
        &mut self,
        kind: Kind,
        piece: Bytes,
        is_last: bool,
    ) -> Result<Option<Message>, Violation> {
        if self.gathered.is_empty() && self.first.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            if self.gathered.is_empty() {
                self.gathered = std::mem::take(&mut self.first).into();
            }
            self.gathered.extend_from_slice(&piece);
        }
        if !is_last {
            return Ok(None);
        }
        let payload = match self.gathered.is_empty() {
            true => std::mem::take(&mut self.first),
            false => std::mem::take(&mut self.gathered).freeze(),
        };
        Message::from_payload(kind, payload).map(Some)
    }
}
