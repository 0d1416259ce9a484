//! The response of a handler, before it belongs to a request.

use std::fmt;

use bytes::Bytes;
use futures_lite::Stream;
use http::StatusCode;
use kamea_components::gateway::{BoxError, Chunks};
use kamea_components::http::{FieldError, Fields};
use kamea_components::web::{Body, Response};

use crate::answer::Source;
use crate::{Answer, Problem};

/// The response of a handler: a status, header fields, and a body; or a [`Problem`].
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_app::Reply;
///
/// let made = Reply::html("<h1>made</h1>").status(StatusCode::CREATED).field("Location", "/made");
/// let text = Reply::text("hello\n");
/// # let _ = (made, text);
/// ```
#[derive(Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) fields: Fields,
    pub(crate) content: ReplyContent,
    /// The route that has made it: its place in the table.
    pub(crate) route: Option<usize>,
}

/// What a reply contains.
pub(crate) enum ReplyContent {
    Bytes(Bytes),
    Stream(Chunks),
    /// A file that is not open yet.
    File(Source),
    /// A body as the server sends it.
    Body(Body),
    Problem(Box<Problem>),
}

impl fmt::Debug for ReplyContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::File(source) => source.fmt(f),
            Self::Body(body) => body.fmt(f),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl Reply {
    /// A reply without a body.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            fields: Fields::new(),
            content: ReplyContent::Bytes(Bytes::new()),
            route: None,
        }
    }

    /// Plain text, in UTF-8.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::typed("text/plain; charset=utf-8", text)
    }

    /// A page, in UTF-8. Escape all data from outside first.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", page)
    }

    /// A body of this media type.
    ///
    /// # Panics
    ///
    /// If the media type contains a line break.
    #[track_caller]
    pub fn typed(media_type: &str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK)
            .field("Content-Type", media_type)
            .body(body)
    }

    /// A streamed body. An error cuts the connection, so that the peer does not take a part for the
    /// whole.
    pub fn stream<B, E>(chunks: impl Stream<Item = Result<B, E>> + 'static) -> Self
    where
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self {
            content: ReplyContent::Stream(Chunks::stream(chunks)),
            ..Self::new(StatusCode::OK)
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self {
            content: ReplyContent::Bytes(body.into()),
            ..self
        }
    }

    /// Adds a field that is a constant of the program.
    ///
    /// # Panics
    ///
    /// If the field is invalid: use [`try_field`](Self::try_field) for data from outside.
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
    /// [`FieldError`], if the name is not a token or the value contains a line break.
    pub fn try_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.push(name, value)?;
        Ok(self)
    }

    /// The status with which it will be answered.
    #[must_use]
    pub fn code(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The header fields, to change them.
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// The problem, if it is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match &self.content {
            ReplyContent::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

impl From<Problem> for Reply {
    fn from(mut problem: Problem) -> Self {
        Self {
            status: problem.status(),
            fields: std::mem::take(&mut problem.fields),
            content: ReplyContent::Problem(Box::new(problem)),
            route: None,
        }
    }
}

/// A response of the server's own kind.
impl From<Response<()>> for Reply {
    fn from(response: Response<()>) -> Self {
        let content = match response.body {
            Body::Bytes(bytes) => ReplyContent::Bytes(bytes),
            body => ReplyContent::Body(body),
        };
        Self {
            fields: response.head.fields,
            content,
            ..Self::new(response.head.status)
        }
    }
}

impl Answer for Response<()> {
    fn into_reply(self) -> Reply {
        self.into()
    }
}

impl Answer for Reply {
    fn into_reply(self) -> Reply {
        self
    }
}
