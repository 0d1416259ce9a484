//! The body of a response from a program: complete, or as a stream.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_lite::{Stream, StreamExt};

/// The error of a program, of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a response, in chunks. The server requests a chunk when the peer has received the
/// previous ones, and drops the body when the peer disconnects.
///
/// # Examples
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use kamea_components::gateway::Chunks;
///
/// let whole = Chunks::from("hello\n");
/// let lines = Chunks::from_iter(["one\n", "two\n"]);
/// let counting = Chunks::stream(stream::iter(1..=3).map(|n| Ok::<_, std::io::Error>(format!("{n}\n"))));
/// # let _ = (whole, lines, counting);
/// ```
pub struct Chunks(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>>>>),
}

impl Chunks {
    /// No chunks.
    #[must_use]
    pub const fn none() -> Self {
        Self(Kind::Whole(None))
    }

    /// A stream of chunks. An error ends it: before the head has been sent it becomes a 500, after
    /// that the connection is cut.
    pub fn stream<B, E>(chunks: impl Stream<Item = Result<B, E>> + 'static) -> Self
    where
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let chunks = chunks.map(|chunk| chunk.map(Into::into).map_err(Into::into));
        Self(Kind::Stream(Box::pin(chunks)))
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Kind::Stream(chunks) => chunks.as_mut().poll_next(cx),
        }
    }
}

impl<B: Into<Bytes>> From<B> for Chunks {
    fn from(bytes: B) -> Self {
        Self(Kind::Whole(Some(bytes.into())))
    }
}

impl<B: Into<Bytes>> FromIterator<B> for Chunks {
    fn from_iter<I: IntoIterator<Item = B>>(chunks: I) -> Self {
        let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
        Self(Kind::Stream(Box::pin(futures_lite::stream::iter(chunks))))
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Whole(bytes) => f.debug_tuple("Chunks").field(bytes).finish(),
            Kind::Stream(_) => f.write_str("Chunks(..)"),
        }
    }
}
