//! Why a head is refused: the same rule for requests and responses. The first error in the order of
//! the bytes counts, so that the verdict does not depend on how the input was cut.

use httparse::Error;

use super::section::{line_ends_within, window};
use crate::http::{Limits, Malformed};

/// What differs between the heads of requests and those of responses.
pub(super) trait StartLine {
    /// What can be wrong with such a message.
    type Wrong: From<Malformed>;
    /// The line is longer than its limit.
    const TOO_LONG: Self::Wrong;
    /// The line is invalid.
    const INVALID: Self::Wrong;
    /// Its version is not spoken here.
    const VERSION: Self::Wrong;

    /// Returns the first error within a line that has no end yet.
    fn error_in(line: &[u8]) -> Option<Error>;

    /// Whether the line has a version in its place; `None` if more bytes are needed.
    fn has_version(head: &[u8]) -> Option<bool>;
}

/// Returns the error for a head that is invalid or not complete.
#[cold]
pub(super) fn refuse_head<L: StartLine, Parts>(
    error: Option<Error>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<Parts>, L::Wrong> {
    let window = window(bytes, limits);
    if !line_ends_within(window, limits) {
        let line = &window[..limits.request_line + 2];
        let earlier = L::error_in(line).and_then(|error| malformed::<L>(error, line));
        return Err(earlier.unwrap_or(L::TOO_LONG));
    }
    match error.and_then(|error| malformed::<L>(error, window)) {
        Some(malformed) => Err(malformed),
        None if bytes.len() > limits.head_bytes => Err(Malformed::HeadTooLarge.into()),
        None => Ok(None),
    }
}

/// Translates an error of httparse; `None` if more bytes are needed to decide.
pub(super) fn malformed<L: StartLine>(error: Error, bytes: &[u8]) -> Option<L::Wrong> {
    Some(match error {
        Error::HeaderName => Malformed::FieldName.into(),
        Error::HeaderValue => Malformed::FieldValue.into(),
        Error::NewLine => Malformed::LineEnd.into(),
        Error::TooManyHeaders => Malformed::TooManyFields.into(),
        Error::Version => match L::has_version(bytes)? {
            true => L::VERSION,
            false => L::INVALID,
        },
        _ => L::INVALID,
    })
}
