//! A part of a body, on its way between components.

use bytes::Bytes;

use super::Fields;

/// Some bytes of a body, or its end.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Some bytes.
    Data(Bytes),
    /// The end of the body, with the trailer fields (RFC 9110 section 6.5), which are sent if the
    /// body is chunked.
    End(Fields),
}

impl Chunk {
    /// The end, without trailer fields.
    pub const END: Self = Self::End(Fields::new());
}

impl<B: Into<Bytes>> From<B> for Chunk {
    fn from(bytes: B) -> Self {
        Self::Data(bytes.into())
    }
}
