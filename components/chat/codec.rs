//! Bytes of numbers, texts and keys: what messages and frames are made of. Numbers are big-endian.

use crate::MessageId;

/// The bytes are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Reads values from bytes, and fails at their end.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Malformed("it ends too early"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Bytes with their length in two bytes before them.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// Text in UTF-8, of up to `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        if bytes.len() > most {
            return Err(Malformed("a text is too long"));
        }
        std::str::from_utf8(bytes).map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// Up to `most` identifiers, with their number in one byte before them.
    pub(crate) fn ids(&mut self, most: usize) -> Result<Vec<MessageId>, Malformed> {
        let count = usize::from(self.u8()?);
        if count > most {
            return Err(Malformed("too many identifiers"));
        }
        (0..count).map(|_| Ok(MessageId(self.array()?))).collect()
    }

    /// Fails if bytes are left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Malformed("bytes follow its end")),
        }
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes[..length.into()]);
}

pub(crate) fn put_ids(out: &mut Vec<u8>, ids: &[MessageId]) {
    let count = u8::try_from(ids.len()).unwrap_or(u8::MAX);
    out.push(count);
    for id in &ids[..count.into()] {
        out.extend_from_slice(&id.0);
    }
}

/// Writes bytes as hexadecimal digits, in small letters.
///
/// # Examples
///
/// ```
/// assert_eq!(kamea_chat::to_hex(&[0, 171]), "00ab");
/// ```
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Reads exactly `N` bytes from hexadecimal digits.
///
/// # Examples
///
/// ```
/// assert_eq!(kamea_chat::from_hex("00aB"), Some([0, 171]));
/// assert_eq!(kamea_chat::from_hex::<2>("00abc"), None);
/// ```
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16)?.try_into().ok();
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
        let (high, low): (u8, u8) = (digit(pair[0])?, digit(pair[1])?);
        *byte = high << 4 | low;
    }
    Some(bytes)
}
