//! The reply of a handler.

use std::borrow::Cow;

use bytes::Bytes;
use futures_lite::Stream;
use http::StatusCode;

use super::{BoxError, Chunks};
use crate::http::{FieldError, ResponseHead};
use crate::web::{Body, Response};

/// The reply of a [`Handler`](super::Handler): a [`Response`], or one of the two replies that only
/// a handler can give: a stream that the server reads, and a failure without its request.
///
/// Handlers seldom name this type: they return a [`Response`] or what makes one.
///
/// # Examples
///
/// ```
/// use futures_lite::stream;
/// use http::StatusCode;
/// use kamea_components::gateway::{BoxError, Reply};
///
/// let lines = stream::iter([Ok::<_, BoxError>("one\n"), Ok("two\n")]);
/// let stream = Reply::stream(lines).with("Content-Type", "text/plain");
/// let failure = Reply::failure(StatusCode::NOT_FOUND, "nobody of that name is here");
/// # let _ = (stream, failure);
/// ```
#[derive(Debug)]
pub struct Reply {
    pub(super) head: ResponseHead,
    pub(super) content: ReplyContent,
}

#[derive(Debug)]
pub(super) enum ReplyContent {
    Body(Body),
    Chunks(Chunks),
    /// An explanation; the error component makes the page.
    Failure(Cow<'static, str>),
}

impl Reply {
    /// A streamed body. An error ends it: before the first chunk it becomes a 500, later the
    /// connection is cut.
    pub fn stream<B, E>(chunks: impl Stream<Item = Result<B, E>> + 'static) -> Self
    where
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self {
            head: ResponseHead::new(StatusCode::OK),
            content: ReplyContent::Chunks(Chunks::stream(chunks)),
        }
    }

    /// A failure, for the error component: the peer gets a page, JSON or text, as it prefers.
    pub fn failure(status: StatusCode, explanation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            head: ResponseHead::new(status),
            content: ReplyContent::Failure(explanation.into()),
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.head.status = status;
        self
    }

    /// Adds a field that is a constant of the program.
    ///
    /// # Panics
    ///
    /// If the field is invalid: use [`try_with`](Self::try_with) for any data from outside.
    #[must_use]
    #[track_caller]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.fields = self.head.fields.with(name, value);
        self
    }

    /// Adds a field.
    ///
    /// # Errors
    ///
    /// [`FieldError`], if the name is not a token or the value contains a line break.
    pub fn try_with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.head.fields.push(name, value)?;
        Ok(self)
    }
}

impl<R: Into<Response<()>>> From<R> for Reply {
    fn from(response: R) -> Self {
        let Response { head, body, .. } = response.into();
        Self {
            head,
            content: ReplyContent::Body(body),
        }
    }
}
