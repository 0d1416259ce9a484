//! permessage-deflate (RFC 7692).

mod deflater;
mod inflater;
mod offer;

pub(super) use deflater::Deflater;
pub(super) use inflater::Inflater;
pub(super) use offer::accept_deflate;
pub use offer::{Deflate, negotiate_deflate};

/// How to compress, and what to agree to.
///
/// # Examples
///
/// ```
/// use kamea_components::websocket::DeflateOptions;
///
/// let options = DeflateOptions { window_bits: 12, ..DeflateOptions::default() };
/// assert!(options.keeps_context);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateOptions {
    /// From 1, fast, to 9, small. Default: 1.
    pub level: u32,
    /// Whether messages that we send may refer to earlier ones. It saves bytes and costs up to 200
    /// KiB while a connection is busy. Default: yes.
    pub keeps_context: bool,
    /// Whether messages of the peer may refer to earlier ones. It costs 40 KiB for each connection,
    /// idle or not. Default: no.
    pub peer_keeps_context: bool,
    /// The window of what we send, from 9 to 15: matches reach back 2 to this power bytes.
    /// Default: 15.
    pub window_bits: u8,
    /// Shorter messages are sent as they are, in bytes. Default: 128.
    pub threshold: usize,
}

impl Default for DeflateOptions {
    fn default() -> Self {
        Self {
            level: 1,
            keeps_context: true,
            peer_keeps_context: false,
            window_bits: 15,
            threshold: 128,
        }
    }
}

/// What ends each flush of a compressor. It is left out on the wire (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
