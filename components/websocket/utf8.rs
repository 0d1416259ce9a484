//! UTF-8 that comes in pieces, refused as soon as it can no longer become valid.

use simdutf8::compat::from_utf8;

use super::Violation;

/// Checks text that comes in pieces (RFC 6455 section 8.1).
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    /// The start of a character whose other bytes have not come: at most three bytes.
    begun: [u8; 4],
    length: usize,
}

impl Utf8Check {
    /// Checks the next piece.
    pub(super) fn check(&mut self, mut piece: &[u8]) -> Result<(), Violation> {
        while self.length > 0 && !piece.is_empty() {
            self.begun[self.length] = piece[0];
            self.length += 1;
            piece = &piece[1..];
            match from_utf8(&self.begun[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(Violation::InvalidUtf8),
                Err(_) => {}
            }
        }
        match from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(Violation::InvalidUtf8),
            Err(error) => {
                let begun = &piece[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.length = begun.len();
                Ok(())
            }
        }
    }

    /// Checks that the text has not ended inside a character.
    pub(super) fn finish(&mut self) -> Result<(), Violation> {
        match std::mem::take(&mut self.length) {
            0 => Ok(()),
            _ => Err(Violation::InvalidUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], size: usize) -> (usize, Result<(), Violation>) {
        let mut check = Utf8Check::default();
        for (number, piece) in text.chunks(size).enumerate() {
            if let Err(violation) = check.check(piece) {
                return (number, Err(violation));
            }
        }
        (text.len().div_ceil(size), check.finish())
    }

    #[test]
    fn any_cut_gives_the_verdict_of_the_whole() {
        let rows: [&[u8]; 14] = [
            b"",
            b"plain",
            "κόσμε € \u{10ffff}".as_bytes(),
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xc0\xaf",
            b"\xe2\x82",
            b"\xf0\x9f\x92",
            b"a\x80",
            b"\xff",
            b"\xf8\x88\x80\x80\x80",
            b"\xe0\x80\x80",
            b"\xc3",
            b"\xc3(",
        ];
        for row in rows {
            for size in 1..=row.len().max(1) {
                let verdict = check(row, size).1.is_ok();
                assert_eq!(
                    verdict,
                    std::str::from_utf8(row).is_ok(),
                    "{row:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_byte_is_refused_when_it_comes() {
        // U+110000 would begin like this; the second byte shows that it is none.
        assert_eq!(check(b"abc\xf4\x90", 1), (4, Err(Violation::InvalidUtf8)));
        assert_eq!(check(b"abc\xed\xa0", 1), (4, Err(Violation::InvalidUtf8)));
    }
}
