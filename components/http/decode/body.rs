//! The body of a message, decoded as it arrives (RFC 9112 sections 6 and 7). Requests and responses
//! share it.

use bytes::Bytes;

use super::Leniency;
use super::chunked::{Chunked, Part};
use super::input::Input;
use super::section::{Progress, read_trailers};
use super::tidy::{section_length, tidy_trailers};
use crate::http::{Fields, Limits, Malformed};

/// Decodes the body of one message.
#[derive(Debug)]
pub(super) enum BodyDecoder {
    /// This many bytes are still to come.
    Sized(u64),
    /// Inside the chunks.
    Chunked(Chunked),
    /// After the last chunk; the limit for the trailer section, in bytes.
    Trailers(Progress, usize, Leniency),
    /// The body ends with the connection; the limit in bytes.
    UntilClose(u64),
}

/// The result of [`BodyDecoder::next`].
pub(super) enum BodyPart {
    /// Some bytes of the body, never empty.
    Data(Bytes),
    /// The end of the body, and the trailer section.
    End(Fields),
}

impl BodyDecoder {
    pub(super) const fn chunked(leniency: Leniency) -> Self {
        Self::Chunked(Chunked::new(leniency))
    }

    /// Decodes up to the next part; `None` if more input is needed.
    pub(super) fn next(
        &mut self,
        input: &mut Input,
        limits: &Limits,
    ) -> Result<Option<BodyPart>, Malformed> {
        loop {
            return match self {
                Self::Sized(0) => Ok(Some(BodyPart::End(Fields::new()))),
                Self::Sized(left) => Ok(take_up_to(left, input)),
                Self::Chunked(chunked) => match chunked.next(input, limits)? {
                    Part::Data(data) => Ok(Some(BodyPart::Data(data))),
                    Part::More => Ok(None),
                    Part::Last => {
                        let left = limits.chunk_framing.saturating_sub(chunked.extensions());
                        // There is always room for the empty line that ends the section.
                        let room = left.max(2);
                        *self = Self::Trailers(Progress::default(), room, chunked.leniency());
                        continue;
                    }
                },
                Self::Trailers(progress, room, leniency) => {
                    let limits = trailer_limits(*room, limits);
                    match next_trailers(progress, input, &limits) {
                        Err(malformed) if leniency.is_lenient() => {
                            *progress = Progress::default();
                            next_sloppy_trailers(input, &limits, malformed)
                        }
                        outcome => outcome,
                    }
                }
                Self::UntilClose(0) if !input.is_empty() => Err(Malformed::BodyTooLarge),
                Self::UntilClose(left) => Ok(take_up_to(left, input)),
            };
        }
    }

    /// Reads ahead, because the verdict must not depend on how the input was cut.
    pub(super) fn check_rest(&self, unread: &[u8], limits: &Limits) -> Result<(), Malformed> {
        if let Self::Trailers(_, room, Leniency::Strict) = self {
            read_trailers(unread, &trailer_limits(*room, limits))?;
        }
        Ok(())
    }
}

fn take_up_to(left: &mut u64, input: &mut Input) -> Option<BodyPart> {
    let available = input.as_slice().len();
    if available == 0 {
        return None;
    }
    // The available bytes fit into usize, so the smaller of the two does.
    let count = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= count as u64;
    Some(BodyPart::Data(input.take(count)))
}

/// The limits of a trailer section, less the part that the chunk extensions have used.
fn trailer_limits(room: usize, limits: &Limits) -> Limits {
    Limits {
        head_bytes: limits.head_bytes.min(room),
        ..*limits
    }
}

fn next_trailers(
    progress: &mut Progress,
    input: &mut Input,
    limits: &Limits,
) -> Result<Option<BodyPart>, Malformed> {
    let bytes = input.as_slice();
    if bytes.is_empty() {
        return Ok(None);
    }
    let found = progress.read(bytes, limits, read_trailers)?;
    Ok(found.map(|(length, names)| {
        let mut trailers = input.take(length);
        trailers.truncate(length - 2);
        BodyPart::End(Fields::from_checked(trailers, names))
    }))
}

/// Reads a trailer section that a strict reader refuses for the reason in `malformed`.
fn next_sloppy_trailers(
    input: &mut Input,
    limits: &Limits,
    malformed: Malformed,
) -> Result<Option<BodyPart>, Malformed> {
    let bytes = input.as_slice();
    let Some(length) = section_length(bytes, limits) else {
        let is_too_large = bytes.len() > limits.head_bytes;
        return if is_too_large {
            Err(malformed)
        } else {
            Ok(None)
        };
    };
    let tidied = tidy_trailers(&bytes[..length]);
    input.replace(length, tidied);
    next_trailers(&mut Progress::default(), input, limits)
}
