//! Frames: messages of known length in a stream of bytes. [`unframe`](super::unframe) is the other
//! half.

use bytes::{BufMut, Bytes, BytesMut};
use kamea::{Component, Pipe};

/// A fault of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is longer than allowed.
    #[error("a frame of {length} bytes is too long: {longest} bytes are allowed")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        longest: u32,
    },
    /// The stream ended inside the frame.
    #[error("the stream ended inside of a frame, after {received} bytes of it")]
    Truncated {
        /// Received bytes of it, with its length.
        received: usize,
    },
}

/// Puts each message into a frame: its length as 4 bytes, big-endian, and then the message.
///
/// # Faults
///
/// [`FrameError::TooLong`], if a message has more than `longest` bytes.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use kamea::pipeline;
/// use kamea::testing::collect;
/// use kamea_components::stream::{frame, unframe};
///
/// let messages = ["one", "", "three"].map(Bytes::from);
/// let there_and_back = pipeline!(frame(1024) => unframe(1024));
/// assert_eq!(collect(there_and_back, messages.clone()), messages);
/// ```
pub fn frame(longest: u32) -> impl Component<Pipe<Bytes, Bytes>> + Clone + Send + Sync {
    async move |io: &mut Pipe<Bytes, Bytes>| {
        while let Some(message) = io.inbox.next().await {
            let length = message.len();
            let Some(prefix) = u32::try_from(length).ok().filter(|it| *it <= longest) else {
                return Err(FrameError::TooLong { length, longest }.into());
            };
            let mut framed = BytesMut::with_capacity(4 + length);
            framed.put_u32(prefix);
            framed.extend_from_slice(&message);
            io.outbox.send(framed.freeze()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn the_length_stands_before_the_message() {
        let rows: [(&[u8], &[u8]); 3] = [
            (b"", b"\0\0\0\0"),
            (b"abc", b"\0\0\0\x03abc"),
            (&[7; 258], &[&b"\0\0\x01\x02"[..], &[7; 258]].concat()),
        ];
        for (message, expected) in rows {
            let (framed, outcome) = run(frame(258), [Bytes::copy_from_slice(message)]);
            outcome.unwrap();
            assert_eq!(framed, [expected]);
        }
        let (framed, outcome) = run(frame(2), [Bytes::from_static(b"abc")]);
        assert!(framed.is_empty());
        let fault = outcome.unwrap_err().to_string();
        assert!(
            fault.ends_with("a frame of 3 bytes is too long: 2 bytes are allowed"),
            "{fault}"
        );
    }
}
