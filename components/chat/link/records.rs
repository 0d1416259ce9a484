//! Records: the pieces of the byte stream, each with its length in two bytes before it.

use bytes::{Buf, Bytes, BytesMut};

use super::LinkError;

/// Cuts a byte stream into records.
///
/// # Examples
///
/// ```
/// use kamea_chat::Records;
///
/// let mut records = Records::default();
/// records.feed(b"\0\x02hi\0\x01");
/// assert_eq!(records.next(100).unwrap().unwrap(), "hi");
/// assert_eq!(records.next(100), Ok(None));
/// records.feed(b"!");
/// assert_eq!(records.next(100).unwrap().unwrap(), "!");
/// records.feed(b"\xff\xff");
/// assert!(records.next(100).is_err());
/// ```
#[derive(Debug, Default)]
pub struct Records(BytesMut);

impl Records {
    /// Adds bytes that have arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Returns the next record, if all of it has arrived.
    ///
    /// # Errors
    ///
    /// [`LinkError::Oversized`], as soon as its length is known to be above `most`.
    pub fn next(&mut self, most: usize) -> Result<Option<Bytes>, LinkError> {
        let Some(length) = self.0.first_chunk() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > most {
            return Err(LinkError::Oversized);
        }
        if self.0.len() < 2 + length {
            return Ok(None);
        }
        self.0.advance(2);
        Ok(Some(self.0.split_to(length).freeze()))
    }

    /// Writes a record.
    #[must_use]
    pub fn write(record: &[u8]) -> Bytes {
        let length = u16::try_from(record.len()).unwrap_or(u16::MAX);
        let mut out = Vec::with_capacity(2 + record.len());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&record[..length.into()]);
        out.into()
    }
}
