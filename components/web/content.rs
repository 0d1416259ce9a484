//! The body of a request, while it arrives.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use futures_lite::{Stream, stream};
use http::StatusCode;
use kamea::{Closed, Receiver, Sender};

use super::buffer::{Buffered, gather};
use crate::http::Fields;

/// The body of a request: still arriving, or buffered.
///
/// The queue of a body that is still arriving is bounded: a component that does not read slows the
/// peer (backpressure).
#[derive(Debug)]
pub struct Content {
    source: Source,
    trailers: Fields,
    is_complete: bool,
    /// Asks for the body, if the peer waits for 100 (Continue) (RFC 9110 section 10.1.1).
    asks: Option<Sender<()>>,
}

#[derive(Debug)]
enum Source {
    Link(Receiver<Part>),
    Buffered(Buffered),
}

/// The source of a body; made by [`Content::link`]. If it is dropped before [`end`](Self::end), the
/// body is incomplete.
#[derive(Debug)]
pub struct ContentSender(Sender<Part>);

impl ContentSender {
    /// Sends some bytes. Waits while the queue is full.
    ///
    /// # Errors
    ///
    /// If the receiver has been dropped.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Closed<()>> {
        self.part(Part::Chunk(bytes.into())).await
    }

    /// Ends the body, with its trailer fields.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn end(self, trailers: Fields) -> Result<(), Closed<()>> {
        self.part(Part::End(trailers)).await
    }

    /// Marks the body as incomplete, with the reason.
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

/// What the parser sends of a request's body.
#[derive(Debug)]
pub(crate) enum Part {
    Chunk(Bytes),
    End(Fields),
    Cut(Incomplete),
}

/// The body is incomplete: the peer disconnected, sent invalid data, or exceeded a limit. Only an
/// error response can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the content of the request is incomplete: {explanation}")]
pub struct Incomplete {
    /// The status for the peer, if it still reads.
    pub status: StatusCode,
    /// What was wrong.
    pub explanation: Cow<'static, str>,
}

impl Incomplete {
    pub(super) const GONE: Self = Self {
        status: StatusCode::BAD_REQUEST,
        explanation: Cow::Borrowed("it was cut off"),
    };
}

impl Content {
    pub(crate) fn new(parts: Receiver<Part>) -> Self {
        Self {
            source: Source::Link(parts),
            trailers: Fields::new(),
            is_complete: false,
            asks: None,
        }
    }

    /// The same body, of a peer that waits for 100 (Continue): the first read sends a message to
    /// `asks`.
    pub(crate) fn on_request(self, asks: Sender<()>) -> Self {
        Self {
            asks: Some(asks),
            ..self
        }
    }

    /// Creates a body whose bytes a component makes or passes on, and its source. At most
    /// `capacity` chunks are queued.
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
    /// [`Incomplete`], if the body ended too early.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Incomplete> {
        if self.is_complete {
            return Ok(None);
        }
        if let Some(asks) = self.asks.take() {
            // The channel has room for the only message that is ever sent.
            let _ = asks.try_send(());
        }
        let parts = match &mut self.source {
            Source::Link(parts) => parts,
            Source::Buffered(buffered) => {
                let next = buffered.next().await;
                self.is_complete = next == Ok(None);
                return next;
            }
        };
        match parts.next().await {
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

    /// Waits for the rest of the body, and keeps it in memory or in a file without a name: see
    /// [`buffer_bodies`](super::buffer_bodies). Bytes that were already read are not read again.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the body ended too early, or cannot be stored.
    pub async fn buffer(&mut self) -> Result<(), Incomplete> {
        if let Source::Link(_) = self.source {
            self.source = Source::Buffered(gather(self).await?);
            self.is_complete = false;
        }
        Ok(())
    }

    /// The length in bytes, once the body is buffered.
    pub fn length(&self) -> Option<u64> {
        self.buffered().map(Buffered::length)
    }

    /// The location of the body, once it is buffered.
    pub(crate) fn buffered(&self) -> Option<&Buffered> {
        match &self.source {
            Source::Link(_) => None,
            Source::Buffered(buffered) => Some(buffered),
        }
    }

    /// Reads to the end and discards everything, for a handler that does not need the body. Does
    /// not ask for a body for which the peer waits: the connection then ends with the response.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the body ended too early.
    pub async fn discard(mut self) -> Result<(), Incomplete> {
        if self.asks.is_some() || self.buffered().is_some() {
            return Ok(());
        }
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Reads the rest of the body, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], if the body ended too early, or with 413 (Content Too Large) if it is
    /// longer.
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

    /// The body as a stream, which ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Incomplete>> + Send {
        stream::unfold(Some(self), async |content| {
            let mut content = content?;
            match content.next().await {
                Ok(bytes) => Some((Ok(bytes?), Some(content))),
                Err(incomplete) => Some((Err(incomplete), None)),
            }
        })
    }

    /// The trailer fields of a chunked request (RFC 9110 section 6.5), once the end has arrived.
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }
}
