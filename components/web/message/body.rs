//! The body of a response.

use bytes::Bytes;
use kamea::Receiver;

use crate::file::FileSlice;
use crate::http::Chunk;
use crate::net::NextProtocol;

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, which are sent without a copy through memory.
    File(FileSlice),
    /// Several of these, one after another.
    Pieces(Vec<Piece>),
    /// A stream, of known or unknown length.
    Stream {
        /// The body. If the sender is dropped before it has sent [`Chunk::End`], the connection is
        /// cut, so that the peer does not take a part for the whole.
        chunks: Receiver<Chunk>,
        /// Its length in bytes, if it is known.
        length: Option<u64>,
    },
    /// No body: with the status 101, the connection continues with this protocol (RFC 9110 section
    /// 7.8). The request must have asked for it.
    Upgrade(NextProtocol),
    /// A whole response with its head, which is sent unchanged; the connection ends with it. The
    /// separate head only gives its status to the log.
    Verbatim(Receiver<Chunk>),
}

/// One of several pieces of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file.
    File(FileSlice),
}

impl Piece {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(slice) => slice.length,
        }
    }
}

impl From<Piece> for Body {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Bytes(bytes) => Self::Bytes(bytes),
            Piece::File(slice) => Self::File(slice),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<FileSlice> for Body {
    fn from(slice: FileSlice) -> Self {
        Self::File(slice)
    }
}
