//! The response of a handler.

use std::borrow::Cow;

use bytes::Bytes;
use futures_lite::Stream;
use http::StatusCode;

use super::{BoxError, Chunks};
use crate::http::{Fields, InvalidField};

/// The response of a [`Handler`](super::Handler): a status, fields, and content; or a failure, which the error component of the server answers.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_components::gateway::Reply;
///
/// let page = Reply::html("<h1>made</h1>").status(StatusCode::CREATED).field("Location", "/made");
/// let text = Reply::from("hello\n");
/// let status = Reply::from((StatusCode::ACCEPTED, "later\n"));
/// let failure = Reply::failure(StatusCode::NOT_FOUND, "nobody of that name is here");
/// # let _ = (page, text, status, failure);
/// ```
#[derive(Debug)]
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) fields: Fields,
    pub(super) content: ReplyContent,
}

#[derive(Debug)]
pub(super) enum ReplyContent {
    Chunks(Chunks),
    /// An explanation: the page is the error component's.
    Failure(Cow<'static, str>),
}

impl Reply {
    /// A reply without content.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            fields: Fields::new(),
            content: ReplyContent::Chunks(Chunks::none()),
        }
    }

    /// Plain text, in UTF-8.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::typed("text/plain; charset=utf-8", text.into())
    }

    /// A page, in UTF-8. What comes from outside must have been escaped.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", page.into())
    }

    /// Content as it comes. An error ends it: before the first chunk it becomes a 500, later the connection is cut.
    pub fn stream<B, E>(chunks: impl Stream<Item = Result<B, E>> + 'static) -> Self
    where
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self::new(StatusCode::OK).content(Chunks::stream(chunks))
    }

    /// A failure, for the error component: the peer gets a page, JSON or text, as it wants it.
    pub fn failure(status: StatusCode, explanation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            content: ReplyContent::Failure(explanation.into()),
            ..Self::new(status)
        }
    }

    /// With this status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With this content.
    #[must_use]
    pub fn content(self, chunks: impl Into<Chunks>) -> Self {
        Self {
            content: ReplyContent::Chunks(chunks.into()),
            ..self
        }
    }

    /// With a field more, one that is written in the program itself.
    ///
    /// # Panics
    ///
    /// If the field is none: use [`try_field`](Self::try_field) for anything that comes from outside.
    #[must_use]
    #[track_caller]
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self {
            fields: self.fields.with(name, value),
            ..self
        }
    }

    /// With a field more.
    ///
    /// # Errors
    ///
    /// [`InvalidField`], if the name is no token or the value would break its line.
    pub fn try_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, InvalidField> {
        self.fields.push(name, value)?;
        Ok(self)
    }

    fn typed(media_type: &str, content: Bytes) -> Self {
        Self::new(StatusCode::OK)
            .field("Content-Type", media_type)
            .content(content)
    }
}

impl From<StatusCode> for Reply {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl From<&'static str> for Reply {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::typed("application/octet-stream", bytes)
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl<R: Into<Reply>> From<(StatusCode, R)> for Reply {
    fn from((status, reply): (StatusCode, R)) -> Self {
        reply.into().status(status)
    }
}
