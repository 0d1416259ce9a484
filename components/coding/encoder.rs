//! The encoders: bytes in, bytes out.

use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Coding;

/// The effort of each coding: encoding should take a few milliseconds for data that takes a few
/// milliseconds to send.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 20;
const BROTLI_BUFFER: usize = 16 * 1024;

/// Encodes bytes. It computes and never waits.
///
/// # Examples
///
/// ```
/// use kamea_components::coding::{Coding, Encoder};
///
/// let mut encoder = Encoder::new(Coding::Gzip)?;
/// let mut encoded = encoder.encode(&b"to and fro, ".repeat(1000))?.to_vec();
/// encoded.extend(encoder.finish()?);
/// assert!(encoded.starts_with(&[0x1f, 0x8b]) && encoded.len() < 200);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Encoder(Kind);

enum Kind {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let coding = match self.0 {
            Kind::Zstd(_) => Coding::Zstd,
            Kind::Brotli(_) => Coding::Brotli,
            Kind::Gzip(_) => Coding::Gzip,
        };
        f.debug_tuple("Encoder").field(&coding).finish()
    }
}

impl Encoder {
    /// Creates an encoder.
    ///
    /// # Errors
    ///
    /// If there is not enough memory.
    pub fn new(coding: Coding) -> io::Result<Self> {
        let out = Vec::new();
        Ok(Self(match coding {
            Coding::Zstd => Kind::Zstd(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?),
            Coding::Brotli => Kind::Brotli(Box::new(CompressorWriter::new(
                out,
                BROTLI_BUFFER,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Coding::Gzip => Kind::Gzip(GzEncoder::new(out, Compression::new(GZIP_LEVEL))),
        }))
    }

    /// Encodes some bytes. Returns the output so far, which may be empty.
    ///
    /// # Errors
    ///
    /// If there is not enough memory.
    pub fn encode(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        Ok(match &mut self.0 {
            Kind::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                std::mem::take(encoder.get_mut())
            }
            Kind::Brotli(encoder) => {
                encoder.write_all(bytes)?;
                std::mem::take(encoder.get_mut())
            }
            Kind::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                std::mem::take(encoder.get_mut())
            }
        }
        .into())
    }

    /// Returns the rest of the output.
    ///
    /// # Errors
    ///
    /// If there is not enough memory.
    pub fn finish(self) -> io::Result<Bytes> {
        Ok(match self.0 {
            Kind::Zstd(encoder) => encoder.finish()?,
            Kind::Brotli(encoder) => encoder.into_inner(),
            Kind::Gzip(encoder) => encoder.finish()?,
        }
        .into())
    }

    /// Encodes a whole body.
    ///
    /// # Errors
    ///
    /// If there is not enough memory.
    pub fn encode_whole(coding: Coding, content: &[u8]) -> io::Result<Bytes> {
        let mut encoder = Self::new(coding)?;
        let mut encoded = Vec::from(encoder.encode(content)?);
        encoded.extend_from_slice(&encoder.finish()?);
        Ok(encoded.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::*;

    pub(in crate::coding) fn decode(coding: Coding, encoded: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        match coding {
            Coding::Zstd => content = zstd::decode_all(encoded).unwrap(),
            Coding::Brotli => {
                brotli::Decompressor::new(encoded, 4096)
                    .read_to_end(&mut content)
                    .unwrap();
            }
            Coding::Gzip => {
                flate2::read::GzDecoder::new(encoded)
                    .read_to_end(&mut content)
                    .unwrap();
            }
        }
        content
    }

    #[test]
    fn what_is_encoded_can_be_decoded_and_is_the_same_each_time() {
        let content: Vec<u8> = (0..200_000_u64)
            .map(|i| (i * i / 1000 % 251) as u8)
            .collect();
        for coding in Coding::ALL {
            for length in [0, 1, 1000, content.len()] {
                let mut encoder = Encoder::new(coding).unwrap();
                let mut encoded = Vec::new();
                for piece in content[..length].chunks(7777) {
                    encoded.extend_from_slice(&encoder.encode(piece).unwrap());
                }
                encoded.extend_from_slice(&encoder.finish().unwrap());
                assert_eq!(decode(coding, &encoded), content[..length], "{coding:?}");
                // A strong entity tag promises that.
                let [one, other] =
                    [(); 2].map(|()| Encoder::encode_whole(coding, &content).unwrap());
                assert_eq!(one, other);
            }
        }
    }
}
