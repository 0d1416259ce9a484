//! The response of a handler.

use std::borrow::Cow;

use bytes::Bytes;
use futures_lite::Stream;
use http::StatusCode;

use super::{BoxError, Chunks};
use crate::http::{Fields, InvalidField};

/// The response of a [`Handler`](super::Handler): a status, fields, and a body; or a failure, which
/// the server's error component answers.
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
    /// An explanation; the error component makes the page.
    Failure(Cow<'static, str>),
}

impl Reply {
    /// A reply without a body.
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

    /// A page, in UTF-8. Escape all data from outside first.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", page.into())
    }

    /// A streamed body. An error ends it: before the first chunk it becomes a 500, later the
    /// connection is cut.
    pub fn stream<B, E>(chunks: impl Stream<Item = Result<B, E>> + 'static) -> Self
    where
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self::new(StatusCode::OK).content(Chunks::stream(chunks))
    }

    /// A failure, for the error component: the peer gets a page, JSON or text, as it prefers.
    pub fn failure(status: StatusCode, explanation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            content: ReplyContent::Failure(explanation.into()),
            ..Self::new(status)
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Sets the body.
    #[must_use]
    pub fn content(self, chunks: impl Into<Chunks>) -> Self {
        Self {
            content: ReplyContent::Chunks(chunks.into()),
            ..self
        }
    }

    /// Adds a field that is a constant of the program.
    ///
    /// # Panics
    ///
    /// If the field is invalid: use [`try_field`](Self::try_field) for any data from outside.
    #[must_use]
    #[track_caller]
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self {
            fields: self.fields.with(name, value),
            ..self
        }
    }

    /// Adds a field.
    ///
    /// # Errors
    ///
    /// [`InvalidField`], if the name is not a token or the value contains a line break.
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
