//! The place of the encoders in a build without the feature `codings`.

use std::convert::Infallible;
use std::io::{self, ErrorKind};

use bytes::Bytes;

use super::Coding;

/// An encoder that cannot be created: the feature `codings` is off.
#[derive(Debug)]
pub struct Encoder(Infallible);

impl Encoder {
    /// Returns an error: without the feature `codings` there is no encoder.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`], always.
    pub fn new(coding: Coding) -> io::Result<Self> {
        let message = format!("{} needs the feature \"codings\"", coding.name());
        Err(io::Error::new(ErrorKind::Unsupported, message))
    }

    /// Encodes some bytes. Returns the output so far, which may be empty.
    ///
    /// # Errors
    ///
    /// None, as there is no such encoder.
    pub fn encode(&mut self, _bytes: &[u8]) -> io::Result<Bytes> {
        match self.0 {}
    }

    /// Returns the rest of the output.
    ///
    /// # Errors
    ///
    /// None, as there is no such encoder.
    pub fn finish(self) -> io::Result<Bytes> {
        match self.0 {}
    }

    /// Returns an error: without the feature `codings` there is no encoder.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`], always.
    pub fn encode_whole(coding: Coding, _content: &[u8]) -> io::Result<Bytes> {
        Self::new(coding)?.finish()
    }
}
