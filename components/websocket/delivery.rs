//! How messages are passed on: whole, or in pieces as they come.

use bytes::{Bytes, BytesMut};

use super::{Assembler, Kind, Message, Violation};

/// How messages of the peer are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Whole. [`Limits::message`](super::Limits::message) bounds the memory that they take.
    #[default]
    Whole,
    /// In pieces as they come, which take little memory however long the message is: see
    /// [`Message::is_last`]. A piece has some 64 KiB at most, and a piece of a text has only whole
    /// characters. If the messages end behind a piece that is not the last one, its message is
    /// incomplete. [`Limits::message`](super::Limits::message) still holds, and may be as large as
    /// you like.
    Pieces,
}

/// Makes messages of what a [`Decoder`](super::Decoder) finds.
#[derive(Debug)]
pub(super) enum Gatherer {
    Whole(Assembler),
    Pieces(Cutter),
}

impl Gatherer {
    pub(super) fn new(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Whole => Self::Whole(Assembler::default()),
            Delivery::Pieces => Self::Pieces(Cutter::default()),
        }
    }

    /// Adds a piece. Returns a message if there is one to pass on.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        piece: Bytes,
        is_last: bool,
    ) -> Result<Option<Message>, Violation> {
        match self {
            Self::Whole(assembler) => assembler.add(kind, piece, is_last),
            Self::Pieces(cutter) => cutter.add(kind, piece, is_last),
        }
    }
}

/// Passes pieces on, and cuts text between characters.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// The start of a character whose other bytes have not come: at most three bytes.
    begun: Bytes,
}

impl Cutter {
    fn add(
        &mut self,
        kind: Kind,
        piece: Bytes,
        is_last: bool,
    ) -> Result<Option<Message>, Violation> {
        let piece = match kind {
            Kind::Binary => piece,
            Kind::Text => self.cut(piece),
        };
        if !is_last && piece.is_empty() {
            return Ok(None);
        }
        let message = Message::from_payload(kind, piece)?;
        Ok(Some(match is_last {
            true => message,
            false => message.unfinished(),
        }))
    }

    /// Returns the whole characters, and keeps the start of another one.
    fn cut(&mut self, piece: Bytes) -> Bytes {
        let mut piece = match self.begun.is_empty() {
            true => piece,
            false => {
                let mut joined = BytesMut::from(std::mem::take(&mut self.begun));
                joined.extend_from_slice(&piece);
                joined.freeze()
            }
        };
        self.begun = piece.split_off(piece.len() - begun(&piece));
        piece
    }
}

/// How many bytes at the end of a valid text are the start of a character.
fn begun(text: &[u8]) -> usize {
    for back in 1..=text.len().min(3) {
        let length = match text[text.len() - back] {
            0x80..0xc0 => continue,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
            _ => 1,
        };
        return if back < length { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests;
