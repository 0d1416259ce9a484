//! Takes messages out of the frames of a byte stream. [`frame`](super::frame) is the other half.

use bytes::{Buf, Bytes, BytesMut};
use kamea::{Component, Pipe};

use crate::stream::FrameError;

/// The length field of a frame, in bytes.
const PREFIX: usize = 4;

/// Takes messages out of their frames, however the bytes are cut. It keeps one frame at most, and
/// the bytes that came with its end.
///
/// # Faults
///
/// [`FrameError`]: a frame announces more than `longest` bytes, or the stream ends inside one.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::testing::collect;
/// use kamea_components::stream::unframe;
///
/// let received = [&b"\0\0\0\x05he"[..], b"llo\0\0", b"\0\x01!"].map(Bytes::from);
/// assert_eq!(collect(unframe(1024), received), ["hello", "!"]);
/// ```
pub fn unframe(longest: u32) -> impl Component<Pipe<Bytes, Bytes>> + Clone + Send + Sync {
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let mut received = BytesMut::new();
        while let Some(bytes) = io.inbox.next().await {
            received.extend_from_slice(&bytes);
            while let Some(message) = take_message(&mut received, longest)? {
                io.outbox.send(message).await?;
            }
        }
        match received.len() {
            0 => Ok(()),
            received => Err(FrameError::Truncated { received }.into()),
        }
    }
}

/// The message of the first frame, if it is complete.
fn take_message(received: &mut BytesMut, longest: u32) -> Result<Option<Bytes>, FrameError> {
    let Some(prefix) = received.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*prefix);
    // A length that does not fit is too long in any case.
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if length > longest {
        return Err(FrameError::TooLong {
            length: size,
            longest,
        });
    }
    if received.len() - PREFIX < size {
        return Ok(None);
    }
    received.advance(PREFIX);
    Ok(Some(received.split_to(size).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::{pieces, run, stuck};

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let bytes = b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three";
        for size in 1..=bytes.len() {
            let (messages, outcome) = run(unframe(5), pieces(bytes, size));
            outcome.unwrap();
            assert_eq!(messages, ["one", "", "three"], "in pieces of {size}");
        }
    }

    #[test]
    fn bad_frames_are_faults_that_say_what_is_wrong() {
        let rows: [(&[u8], &str); 4] = [
            (
                b"\0\0\0\x06",
                "a frame of 6 bytes is too long: 5 bytes are allowed",
            ),
            (
                b"\xff\xff\xff\xff",
                "a frame of 4294967295 bytes is too long: 5 bytes are allowed",
            ),
            (
                b"\0\0\0\x01a\0\0",
                "the stream ended inside of a frame, after 2 bytes of it",
            ),
            (
                b"\0\0\0\x02a",
                "the stream ended inside of a frame, after 5 bytes of it",
            ),
        ];
        for (bytes, expected) in rows {
            let (_, outcome) = run(unframe(5), pieces(bytes, 3));
            let fault = outcome.unwrap_err().to_string();
            assert!(fault.ends_with(expected), "{fault}");
        }
    }

    #[test]
    fn what_cannot_be_sent_on_is_not_taken_and_not_lost() {
        let (accepted, messages) = stuck(unframe(5), |_| Bytes::from_static(b"\0\0\0\x01a"));
        assert_eq!(messages.len(), accepted as usize);
    }
}
