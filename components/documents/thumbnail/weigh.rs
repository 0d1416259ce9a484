//! How much memory the decoder of an image needs, found from the headers of the file.
//!
//! The decoders allocate what a header claims: a file of 28 bytes can claim a gibibyte. Each format
//! has its own buffers beside the decoded picture. The factors here are upper bounds for the
//! decoders of the `image` crate; a test measures them.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::error::{ImageFormatHint, LimitError, LimitErrorKind};
use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use memchr::memchr;

/// The largest width and height of an image, in pixels.
const LARGEST_SIDE: u32 = 20_000;

/// What each decoder may need beside the picture: rows, tables, a color profile. In bytes.
const OVERHEAD: u64 = 8 << 20;

/// The most scans of a JPEG, each of which may go through the whole picture.
const MOST_SCANS: usize = 100;

/// The most chunks of a WebP file.
const MOST_CHUNKS: usize = 10_000;

/// The memory for the Huffman codes of losslessly coded WebP data, at most: for each byte, and in
/// total. The smallest code takes 11 bytes of a file and 4 KiB of memory.
const CODES_PER_BYTE: u64 = 400;
const MOST_CODES: u64 = 1500 << 20;

/// What decoding an image costs, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    /// The most memory for the decoder and the decoded picture, in bytes.
    pub(super) bytes: u64,
    /// The most memory that the decoder may allocate itself, as far as it keeps to a limit.
    beside: u64,
    size: (u32, u32),
    pub(super) format: ImageFormat,
}

impl Weight {
    /// The decoder for the image: it fails if the image is larger than this weight says.
    pub(super) fn decoder(
        self,
        file: impl BufRead + Seek + 'static,
    ) -> ImageResult<impl ImageDecoder> {
        let mut reader = ImageReader::with_format(file, self.format);
        reader.limits(limits(self.beside));
        let decoder = reader.into_decoder()?;
        if decoder.dimensions() != self.size || decoder.total_bytes() > self.bytes {
            return Err(too_large());
        }
        Ok(decoder)
    }
}

fn limits(beside: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(beside);
    limits
}

/// The error for an image that needs too much.
pub(super) fn too_large() -> ImageError {
    let limit = LimitErrorKind::InsufficientMemory;
    ImageError::Limits(LimitError::from_kind(limit))
}

/// Finds what the image in a file of `length` bytes costs, and rewinds the file.
///
/// # Errors
///
/// If it is not an image, or an image whose decoder could need any amount of time.
pub(super) fn weigh(mut file: impl BufRead + Seek, length: u64) -> ImageResult<Weight> {
    let mut start = Vec::new();
    file.by_ref().take(16).read_to_end(&mut start)?;
    file.rewind()?;
    let format = image::guess_format(&start)?;
    let (bytes, beside, size) = match format {
        ImageFormat::Jpeg => {
            let jpeg = Jpeg::read(&mut file)?;
            (jpeg.bytes() + length, 0, jpeg.size)
        }
        ImageFormat::WebP => {
            let webp = WebP::read(&mut file)?;
            (webp.bytes(), 0, webp.size)
        }
        ImageFormat::Png | ImageFormat::Gif => {
            let mut reader = ImageReader::with_format(&mut file, format);
            reader.limits(limits(OVERHEAD));
            let decoder = reader.into_decoder()?;
            let picture = decoder.total_bytes();
            match format {
                // The first frame may have a buffer of its own.
                ImageFormat::Gif => (2 * picture, picture, decoder.dimensions()),
                _ => (picture, OVERHEAD, decoder.dimensions()),
            }
        }
        other => {
            let hint = ImageFormatHint::Exact(other);
            return Err(ImageError::Unsupported(hint.into()));
        }
    };
    file.rewind()?;
    Ok(Weight {
        bytes: bytes.saturating_add(OVERHEAD),
        beside,
        size,
        format,
    })
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// The header of a JPEG file (ITU-T T.81 annex B).
#[derive(Debug, Default)]
struct Jpeg {
    size: (u32, u32),
    components: u64,
    /// Whether all coefficients must be kept until the last scan.
    keeps_coefficients: bool,
}

impl Jpeg {
    fn read(file: &mut (impl BufRead + Seek)) -> ImageResult<Self> {
        let mut jpeg = Self::default();
        file.seek(SeekFrom::Start(2))?;
        loop {
            let marker = next_marker(file)?;
            // Markers without a segment.
            if matches!(marker, 0x01 | 0xd0..=0xd8) {
                continue;
            }
            let length = u16::from_be_bytes(read_array(file)?).saturating_sub(2);
            match marker {
                // SOF: the other numbers are those of tables.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    let [_, h1, h0, w1, w0, components] = read_array(file)?;
                    jpeg.size = (
                        u16::from_be_bytes([w1, w0]).into(),
                        u16::from_be_bytes([h1, h0]).into(),
                    );
                    jpeg.components = components.into();
                    jpeg.keeps_coefficients |= marker == 0xc2;
                    let rest = length.checked_sub(6).ok_or_else(invalid)?;
                    file.seek_relative(rest.into())?;
                }
                // SOS
                0xda => {
                    let [components] = read_array(file)?;
                    jpeg.keeps_coefficients |= u64::from(components) < jpeg.components;
                    break;
                }
                0xd9 => return Err(invalid().into()),
                _ => file.seek_relative(length.into())?,
            }
        }
        if jpeg.keeps_coefficients && count_scans(file)? > MOST_SCANS {
            return Err(too_large());
        }
        Ok(jpeg)
    }

    fn bytes(&self) -> u64 {
        let coefficients = match self.keeps_coefficients {
            true => 2 * self.components,
            false => 0,
        };
        // Blocks at the edges are whole: up to 32 pixels more in each direction.
        let (width, height) = self.size;
        pixels(self.size) * 3 + pixels((width + 32, height + 32)) * coefficients
    }
}

/// The next marker, after any bytes that belong to none.
fn next_marker(file: &mut impl BufRead) -> io::Result<u8> {
    loop {
        file.skip_until(0xff)?;
        let mut byte = 0xff;
        while byte == 0xff {
            [byte] = read_array(file)?;
        }
        if byte != 0 {
            return Ok(byte);
        }
    }
}

/// How many more scans begin in the rest of a file, at most.
fn count_scans(file: &mut impl BufRead) -> io::Result<usize> {
    let (mut scans, mut is_marker) = (0, false);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(scans);
        }
        if is_marker {
            scans += usize::from(bytes[0] == 0xda);
        }
        let mut rest = bytes;
        while let Some(at) = memchr(0xff, rest) {
            rest = &rest[at + 1..];
            scans += usize::from(rest.first() == Some(&0xda));
        }
        is_marker = bytes.last() == Some(&0xff);
        let length = bytes.len();
        file.consume(length);
        if scans > MOST_SCANS {
            return Ok(scans);
        }
    }
}

fn read_array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    file.read_exact(&mut array)?;
    Ok(array)
}

/// The chunks of a WebP file (RFC 9649).
#[derive(Debug, Default)]
struct WebP {
    size: (u32, u32),
    /// The pixels of the largest picture in it: a chunk may claim more than the file.
    largest: u64,
    /// The length of losslessly coded data, in bytes.
    lossless: u64,
    has_lossless: bool,
    has_alpha: bool,
    is_animated: bool,
}

/// A chunk: its name, its length, and the first bytes of its content.
type WebPChunk = ([u8; 4], u64, [u8; 16]);

impl WebP {
    fn read(file: &mut (impl Read + Seek)) -> ImageResult<Self> {
        let (mut webp, mut position) = (Self::default(), 12);
        for _ in 0..MOST_CHUNKS {
            let Some(chunk) = chunk_at(file, position)? else {
                return Ok(webp);
            };
            let (name, length, _) = chunk;
            webp.note(chunk);
            // The decoder reads the first frame of an animation, in one chunk or two.
            if name == *b"ANMF" && !std::mem::replace(&mut webp.is_animated, true) {
                let mut inner = position + 8 + 16;
                for _ in 0..2 {
                    let Some(chunk) = chunk_at(file, inner)? else {
                        break;
                    };
                    webp.note(chunk);
                    inner += 8 + chunk.1 + chunk.1 % 2;
                }
            }
            position += 8 + length + length % 2;
        }
        Err(too_large())
    }

    fn note(&mut self, (name, length, content): WebPChunk) {
        let little = |at: usize, bytes: usize| {
            let bytes = content[at..at + bytes].iter().rev();
            bytes.fold(0, |number, byte| (number << 8) | u32::from(*byte))
        };
        let size = match &name {
            b"VP8X" => (little(4, 3) + 1, little(7, 3) + 1),
            b"ANMF" => (little(6, 3) + 1, little(9, 3) + 1),
            b"VP8 " => (little(6, 2) & 0x3fff, little(8, 2) & 0x3fff),
            b"VP8L" => {
                let bits = little(1, 4);
                ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
            }
            _ => (0, 0),
        };
        if self.size == (0, 0) {
            self.size = size;
        }
        self.largest = self.largest.max(pixels(size));
        self.has_lossless |= name == *b"VP8L";
        self.has_alpha |= name == *b"ALPH";
        if matches!(&name, b"VP8L" | b"ALPH") {
            self.lossless += length;
        }
    }

    fn bytes(&self) -> u64 {
        // In bytes: the picture (3 or 4), the planes of a lossy picture (1.5), the buffer of a
        // lossless one or of an alpha channel (4 or 5), the canvas of an animation (4).
        let per_pixel = match self {
            Self {
                is_animated: true, ..
            } => 19,
            Self {
                has_alpha: true, ..
            } => 11,
            Self {
                has_lossless: true, ..
            } => 8,
            _ => 5,
        };
        let codes = (self.lossless * CODES_PER_BYTE).min(MOST_CODES);
        self.largest * per_pixel + codes
    }
}

/// The chunk at a position; `None` at the end of the file.
fn chunk_at(file: &mut (impl Read + Seek), position: u64) -> io::Result<Option<WebPChunk>> {
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.take(8 + 16).read_to_end(&mut bytes)?;
    if bytes.len() < 8 {
        return Ok(None);
    }
    bytes.resize(8 + 16, 0);
    let (mut name, mut length, mut content) = ([0; 4], [0; 4], [0; 16]);
    name.copy_from_slice(&bytes[..4]);
    length.copy_from_slice(&bytes[4..8]);
    content.copy_from_slice(&bytes[8..]);
    Ok(Some((name, u32::from_le_bytes(length).into(), content)))
}

#[cfg(test)]
mod tests;
