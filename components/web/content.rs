//! The content of a request, while it comes in.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use futures_lite::{Stream, stream};
use http::StatusCode;
use kamea::{Closed, Receiver, Sender};

use crate::http::Fields;

/// The content of a request while it comes in; bounded, so that who does not read holds the peer up.
#[derive(Debug)]
pub struct Content {
    parts: Receiver<Part>,
    trailers: Fields,
    is_complete: bool,
}

/// Where content comes from; made by [`Content::link`]. Dropped before [`end`](Self::end), it leaves the content incomplete.
#[derive(Debug)]
pub struct ContentSender(Sender<Part>);

impl ContentSender {
    /// Sends some bytes; waits while too many are waiting.
    ///
    /// # Errors
    ///
    /// If nobody wants the content any more.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Closed<()>> {
        self.part(Part::Chunk(bytes.into())).await
    }

    /// Ends the content, with its trailer fields.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn end(self, trailers: Fields) -> Result<(), Closed<()>> {
        self.part(Part::End(trailers)).await
    }

    /// Says that the content is incomplete, and why.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn cut(self, why: Incomplete) -> Result<(), Closed<()>> {
        self.part(Part::Cut(why)).await
    }

    async fn part(&self, part: Part) -> Result<(), Closed<()>> {
        let sent = self.0.send(part).await;
        sent.map_err(|_| Closed(()))
    }
}

/// What the parser sends of a request's content.
#[derive(Debug)]
pub(crate) enum Part {
    Chunk(Bytes),
    End(Fields),
    Cut(Incomplete),
}

/// The peer went away, or sent nonsense, or more than is taken, before the content was complete. No response but an error can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the content of the request is incomplete: {explanation}")]
pub struct Incomplete {
    /// The status that tells the peer, if it still listens.
    pub status: StatusCode,
    /// What was wrong.
    pub explanation: Cow<'static, str>,
}

impl Incomplete {
    const GONE: Self = Self {
        status: StatusCode::BAD_REQUEST,
        explanation: Cow::Borrowed("it was cut off"),
    };
}

impl Content {
    pub(crate) fn new(parts: Receiver<Part>) -> Self {
        Self {
            parts,
            trailers: Fields::new(),
            is_complete: false,
        }
    }

    /// Content that a component makes, or passes on: what is sent, comes in here. At most `capacity` chunks wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::Fields;
    /// use kamea_components::web::Content;
    ///
    /// # kamea::testing::block_on(async {
    /// let (sender, mut content) = Content::link(4);
    /// sender.send("hello").await.unwrap();
    /// sender.end(Fields::new()).await.unwrap();
    /// assert_eq!(content.next().await.unwrap().unwrap(), "hello");
    /// assert!(content.next().await.unwrap().is_none());
    /// # });
    /// ```
    pub fn link(capacity: usize) -> (ContentSender, Self) {
        let (sender, parts) = kamea::link(capacity);
        (ContentSender(sender), Self::new(parts))
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the content ended before its time.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Incomplete> {
        if self.is_complete {
            return Ok(None);
        }
        match self.parts.next().await {
            Some(Part::Chunk(bytes)) => Ok(Some(bytes)),
            Some(Part::End(trailers)) => {
                self.trailers = trailers;
                self.is_complete = true;
                Ok(None)
            }
            Some(Part::Cut(incomplete)) => Err(incomplete),
            None => Err(Incomplete::GONE),
        }
    }

    /// Reads to the end and keeps nothing, for a handler that has no use for content.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the content ended before its time.
    pub async fn discard(mut self) -> Result<(), Incomplete> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// All that is still to come, if that is not more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the content ended before its time, or with 413 (Content Too Large) if there is more.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Bytes, Incomplete> {
        let Some(first) = self.next().await? else {
            return Ok(Bytes::new());
        };
        let mut all = BytesMut::from(first);
        while all.len() <= limit {
            match self.next().await? {
                Some(bytes) => all.extend_from_slice(&bytes),
                None => return Ok(all.freeze()),
            }
        }
        Err(Incomplete {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            explanation: format!("more than {limit} bytes of content are not taken here").into(),
        })
    }

    /// The content as a stream, which ends behind the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Incomplete>> + Send {
        stream::unfold(Some(self), async |content| {
            let mut content = content?;
            match content.next().await {
                Ok(bytes) => Some((Ok(bytes?), Some(content))),
                Err(incomplete) => Some((Err(incomplete), None)),
            }
        })
    }

    /// The trailer fields of a chunked request (RFC 9110 section 6.5), once the end has come.
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }
}
