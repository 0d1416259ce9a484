//! Content codings (RFC 9110 section 8.4.1): which one a request accepts, and the component that
//! encodes.

mod accepted;
mod encode;
#[cfg(feature = "codings")]
mod encoder;
#[cfg(not(feature = "codings"))]
mod no_encoder;

pub use accepted::AcceptedCodings;
pub use encode::encode;
#[cfg(feature = "codings")]
pub use encoder::Encoder;
#[cfg(not(feature = "codings"))]
pub use no_encoder::Encoder;

/// A content coding that we can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `zstd` (RFC 8878).
    Zstd,
    /// `br` (RFC 7932).
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Coding {
    /// All of them in the order of our preference, the fastest first.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Returns how much memory an encoder needs at most, in bytes.
    pub(crate) const fn encoder_memory(self) -> usize {
        match self {
            Self::Zstd => 4 << 20,
            Self::Brotli => 8 << 20,
            Self::Gzip => 1 << 20,
        }
    }

    /// Returns its name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the coding with this name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        let is_it = |coding: &Self| name.eq_ignore_ascii_case(coding.name().as_bytes());
        Self::ALL.into_iter().find(is_it)
    }

    /// Returns the suffix of files that are stored in this coding, with the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}
