//! The chunked transfer coding (RFC 9112 section 7.1), without its trailer section.

use bytes::{Bytes, BytesMut};

use super::Leniency;
use super::input::Input;
use crate::http::grammar::is_text;
use crate::http::{Limits, Malformed};

/// More digits than any size below 2^64 needs.
const MAX_DIGITS: u8 = 16;

/// Data shorter than this, in bytes, is copied: a slice of the input would keep the whole read in
/// memory.
const SHORT: usize = 4 * 1024;

/// The limit for short pieces that are copied together, in bytes; one more piece may exceed it.
const GATHERED: usize = 16 * 1024;

/// Decodes the chunks of one body.
///
/// The framing is read byte by byte, so it never waits in a buffer. Long data is not copied. Short
/// pieces are copied together, so that the waiting bytes are as large as the data, not as the
/// framing around it.
#[derive(Debug)]
pub(super) struct Chunked {
    leniency: Leniency,
    state: State,
    /// The size that is being read, or the number of data bytes still to come.
    size: u64,
    digits: u8,
    /// Bytes of the extensions of this chunk.
    extension: usize,
    /// Bytes of the extensions of all chunks so far.
    extensions: usize,
    /// Bytes of data in all chunks so far.
    total: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the digits of the size.
    Size,
    /// In white space before the semicolon of an extension.
    Space,
    /// After that semicolon.
    Extension,
    /// After the CR of the size line.
    SizeEnd,
    /// In the data.
    Data,
    /// After the data.
    DataEnd,
    /// After the CR that follows the data.
    DataLf,
}

/// The result of [`Chunked::next`].
pub(super) enum Part {
    /// Data.
    Data(Bytes),
    /// The last chunk: the trailer section follows.
    Last,
    /// Nothing: more input is needed.
    More,
}

impl Chunked {
    pub(super) const fn new(leniency: Leniency) -> Self {
        Self {
            leniency,
            state: State::Size,
            size: 0,
            digits: 0,
            extension: 0,
            extensions: 0,
            total: 0,
        }
    }

    pub(super) const fn leniency(&self) -> Leniency {
        self.leniency
    }

    /// Returns the size of the extensions in bytes.
    pub(super) const fn extensions(&self) -> usize {
        self.extensions
    }

    /// Decodes up to the next part: the data of one long chunk, or of several short ones.
    pub(super) fn next(&mut self, input: &mut Input, limits: &Limits) -> Result<Part, Malformed> {
        let mut gathered = BytesMut::new();
        loop {
            match self.piece(input, limits) {
                Ok(Part::Data(data)) if gathered.is_empty() && data.len() >= SHORT => {
                    return Ok(Part::Data(data));
                }
                Ok(Part::Data(data)) => {
                    gathered.extend_from_slice(&data);
                    if gathered.len() >= GATHERED {
                        return Ok(Part::Data(gathered.freeze()));
                    }
                }
                // The next call finds the same again.
                _ if !gathered.is_empty() => return Ok(Part::Data(gathered.freeze())),
                other => return other,
            }
        }
    }

    /// Decodes up to the next piece of data, the last chunk, or an error. It stops before an error.
    fn piece(&mut self, input: &mut Input, limits: &Limits) -> Result<Part, Malformed> {
        let mut read = 0;
        while !matches!(self.state, State::Data) {
            let Some(&byte) = input.as_slice().get(read) else {
                input.skip(read);
                return Ok(Part::More);
            };
            match self.after(byte, limits) {
                Ok(state) => self.state = state,
                Err(malformed) => {
                    input.skip(read);
                    return Err(malformed);
                }
            }
            read += 1;
        }
        input.skip(read);
        if self.size == 0 {
            return Ok(Part::Last);
        }
        let available = input.as_slice().len();
        // The available bytes fit into usize, so the smaller of the two does.
        let count = usize::try_from(self.size).map_or(available, |size| size.min(available));
        if count == 0 {
            return Ok(Part::More);
        }
        self.size -= count as u64;
        if self.size == 0 {
            self.state = State::DataEnd;
        }
        Ok(Part::Data(input.take(count)))
    }

    /// Returns the state after a byte of framing.
    fn after(&mut self, byte: u8, limits: &Limits) -> Result<State, Malformed> {
        let has_digits = self.digits > 0;
        if self.leniency.is_lenient()
            && let Some(state) = self.after_sloppy(byte)
        {
            return match state {
                State::Data => self.begin_data(limits),
                State::Extension => self.extend(limits, State::Extension),
                state => Ok(state),
            };
        }
        match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (State::Size, _) if !has_digits => Err(Malformed::ChunkSize),
            (State::Size | State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::SizeEnd, b'\n') => self.begin_data(limits),
            (State::SizeEnd, _) | (State::Size | State::Extension, b'\n') => {
                Err(Malformed::LineEnd)
            }
            (State::Size | State::Space, b';') => self.extend(limits, State::Extension),
            // "A recipient MUST parse for such bad whitespace" before a semicolon (RFC 9110 section
            // 5.6.3).
            (State::Size | State::Space, b' ' | b'\t') => self.extend(limits, State::Space),
            (State::Size | State::Space, _) => Err(Malformed::ChunkSize),
            (State::Extension, _) if is_text(byte) => self.extend(limits, State::Extension),
            (State::Extension, _) => Err(Malformed::ChunkExtension),
            (State::DataEnd, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                (self.size, self.digits, self.extension) = (0, 0, 0);
                Ok(State::Size)
            }
            (State::DataEnd | State::DataLf | State::Data, _) => Err(Malformed::ChunkEnd),
        }
    }

    /// Returns the state after a byte that is wrong, but whose meaning is clear: a line end without
    /// CR, white space behind the size, anything in an extension.
    fn after_sloppy(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size | State::Space | State::Extension, b'\n') if self.digits > 0 => {
                Some(State::Data)
            }
            (State::Space, b'\r') => Some(State::SizeEnd),
            (State::Extension, byte) if !is_text(byte) && byte != b'\r' => Some(State::Extension),
            (State::DataEnd, b'\n') => {
                (self.size, self.digits, self.extension) = (0, 0, 0);
                Some(State::Size)
            }
            _ => None,
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Malformed> {
        if self.digits == MAX_DIGITS {
            return Err(Malformed::ChunkSize);
        }
        let digit = char::from(byte).to_digit(16).ok_or(Malformed::ChunkSize)?;
        self.digits += 1;
        self.size = self.size << 4 | u64::from(digit);
        Ok(State::Size)
    }

    /// Skips a byte of an extension: "A recipient MUST ignore unrecognized chunk extensions"
    /// (section 7.1.1).
    fn extend(&mut self, limits: &Limits, state: State) -> Result<State, Malformed> {
        self.extension += 1;
        self.extensions += 1;
        if self.extension > limits.chunk_extensions || self.extensions > limits.chunk_framing {
            return Err(Malformed::ChunkExtension);
        }
        Ok(state)
    }

    fn begin_data(&mut self, limits: &Limits) -> Result<State, Malformed> {
        let total = self.total.checked_add(self.size);
        let total = total.filter(|&total| total <= limits.body);
        self.total = total.ok_or(Malformed::BodyTooLarge)?;
        Ok(State::Data)
    }
}
