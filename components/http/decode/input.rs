//! Bytes that have arrived and are not decoded yet.

use bytes::{Buf, Bytes, BytesMut};

use super::Leniency;
use crate::http::{Limits, Malformed};

/// Bytes that have arrived and are not decoded yet.
///
/// Bytes that arrive in an empty input are not copied; the input returns slices of them. Only bytes
/// that arrive behind unread bytes are copied: the pieces of one head, never a body.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// The unread bytes, unless they are in `pieces`.
    whole: Bytes,
    /// The unread bytes, if they arrived in pieces; `whole` is empty then.
    pieces: BytesMut,
}

impl Input {
    /// Adds bytes at the end.
    pub(super) fn feed(&mut self, bytes: Bytes) {
        if self.is_empty() {
            self.whole = bytes;
            return;
        }
        if self.pieces.is_empty() {
            let first = std::mem::take(&mut self.whole);
            self.pieces.reserve((first.len() + bytes.len()).max(256));
            self.pieces.extend_from_slice(&first);
        }
        self.pieces.extend_from_slice(&bytes);
    }

    /// All unread bytes.
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.pieces.is_empty() {
            &self.whole
        } else {
            &self.pieces
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.pieces.is_empty()
    }

    /// Takes this many bytes (there must be as many) from the front; an emptied input holds no
    /// memory.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        self.join();
        if count == self.whole.len() {
            std::mem::take(&mut self.whole)
        } else {
            self.whole.split_to(count)
        }
    }

    /// Drops this many bytes (there must be as many) from the front.
    pub(super) fn skip(&mut self, count: usize) {
        self.join();
        if count == self.whole.len() {
            self.whole = Bytes::new();
        } else {
            self.whole.advance(count);
        }
    }

    /// Puts other bytes in the place of this many bytes (there must be as many) at the front.
    pub(super) fn replace(&mut self, count: usize, by: Vec<u8>) {
        self.join();
        let rest = self.whole.split_off(count);
        self.whole = Bytes::new();
        self.pieces = BytesMut::from(Bytes::from(by));
        self.pieces.extend_from_slice(&rest);
    }

    /// Skips the empty lines at the front; `skipped` counts them.
    ///
    /// "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
    /// empty line (CRLF) received prior to the request-line" (RFC 9112 section 2.2); a client may
    /// discard those between two responses (section 9.2).
    pub(super) fn skip_empty_lines(
        &mut self,
        skipped: &mut usize,
        limits: &Limits,
        leniency: Leniency,
    ) -> Result<(), Malformed> {
        loop {
            match self.as_slice() {
                [b'\r', b'\n', ..] if *skipped == limits.empty_lines => {
                    return Err(Malformed::EmptyLines);
                }
                [b'\r', b'\n', ..] => {
                    *skipped += 1;
                    self.skip(2);
                }
                [b'\n', ..] if leniency.is_lenient() && *skipped < limits.empty_lines => {
                    *skipped += 1;
                    self.skip(1);
                }
                [b'\n', ..] | [b'\r', _, ..] => return Err(Malformed::LineEnd),
                _ => return Ok(()),
            }
        }
    }

    fn join(&mut self) {
        if !self.pieces.is_empty() {
            self.whole = std::mem::take(&mut self.pieces).freeze();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_whole_is_not_copied() {
        let bytes = Bytes::from(b"one two".to_vec());
        let mut input = Input::default();
        input.feed(bytes.clone());
        assert_eq!(input.take(4).as_ptr(), bytes.as_ptr());
        assert_eq!(input.take(3).as_ptr(), bytes[4..].as_ptr());
        assert!(input.is_empty());
    }

    #[test]
    fn pieces_are_joined() {
        let mut input = Input::default();
        for piece in ["a", "", "bc", "def"] {
            input.feed(piece.into());
        }
        input.skip(1);
        assert_eq!(input.as_slice(), b"bcdef");
        assert_eq!(input.take(2), "bc");
        input.feed("g".into());
        assert_eq!(input.take(4), "defg");
        assert!(input.is_empty());
    }

    #[test]
    fn an_emptied_input_holds_no_memory() {
        let bytes = Bytes::from(vec![0; 9]);
        let mut input = Input::default();
        input.feed(bytes.clone());
        input.skip(9);
        assert!(bytes.is_unique());
    }
}
