//! Responses.

use bytes::Bytes;
use http::StatusCode;
use kamea::Receiver;

use super::{Body, Exchange};
use crate::file::FileSlice;
use crate::http::{Chunk, FieldError, Fields, ResponseHead};

/// A response.
///
/// `Response<()>` is a response that does not belong to a request yet: build it with a constructor,
/// and give it to [`Request::respond`](super::Request::respond), which makes the message that
/// travels.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_components::web::Response;
///
/// let page = Response::html("<h1>made</h1>")
///     .with_status(StatusCode::CREATED)
///     .with("Location", "/made");
/// let text = Response::text("hello\n");
/// let nothing = Response::new(StatusCode::NO_CONTENT);
/// let short: Response<()> = (StatusCode::ACCEPTED, "later\n").into();
/// # let _ = (page, text, nothing, short);
/// ```
#[derive(Debug)]
pub struct Response<E = Exchange> {
    /// The request that it answers.
    pub exchange: E,
    /// The status and the header fields. The encoder adds `Date`, framing and `Connection`.
    pub head: ResponseHead,
    /// The body. If the request was HEAD, the encoder sends only its length.
    pub body: Body,
}

impl Response<()> {
    /// A response without a body and without fields.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            exchange: (),
            head: ResponseHead::new(status),
            body: Body::Empty,
        }
    }

    /// 204 (No Content): the request was successful, and there is nothing to send.
    #[must_use]
    pub const fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT)
    }

    /// Plain text, in UTF-8.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::typed("text/plain; charset=utf-8", text)
    }

    /// A page, in UTF-8. Escape all data from outside first.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", page)
    }

    /// A value as JSON, with a line break at its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::web::{Body, Response};
    ///
    /// let response = Response::json(&[1, 2])?;
    /// assert!(matches!(response.body, Body::Bytes(text) if text == "[1,2]\n"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If JSON cannot represent the value, for example a map whose keys are not strings.
    pub fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        Ok(Self::typed("application/json", text))
    }

    /// Bytes of an unknown type.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::typed("application/octet-stream", bytes)
    }

    /// The bytes of a file, which are sent without a copy through memory. Add `Content-Type`.
    #[must_use]
    pub fn file(slice: FileSlice) -> Self {
        Self::new(StatusCode::OK).with_body(slice)
    }

    /// A body of unknown length, which arrives over a link. Add `Content-Type`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::link;
    /// use kamea_components::http::Chunk;
    /// use kamea_components::web::Response;
    ///
    /// # kamea::testing::block_on(async {
    /// let (sender, chunks) = link(4);
    /// let response = Response::stream(chunks).with("Content-Type", "text/plain");
    /// // After the response has been sent:
    /// sender.send("one\n".into()).await?;
    /// sender.send(Chunk::END).await?;
    /// # drop(response);
    /// # Ok::<(), kamea::Closed<Chunk>>(())
    /// # })?;
    /// # Ok::<(), kamea::Closed<kamea_components::http::Chunk>>(())
    /// ```
    #[must_use]
    pub fn stream(chunks: Receiver<Chunk>) -> Self {
        Self::new(StatusCode::OK).with_body(Body::Stream {
            chunks,
            length: None,
        })
    }

    /// The same response, as the answer to the request of an exchange.
    #[must_use]
    pub fn to(self, exchange: Exchange) -> Response {
        Response {
            exchange,
            head: self.head,
            body: self.body,
        }
    }

    /// Bytes of a media type that is a constant of the program.
    ///
    /// # Panics
    ///
    /// If the media type contains a control character.
    #[track_caller]
    pub fn typed(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK)
            .with("Content-Type", media_type)
            .with_body(bytes.into())
    }
}

impl<E> Response<E> {
    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.head.status = status;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(self, body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
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

    /// Adds fields after those that it has.
    #[must_use]
    pub fn with_fields(mut self, fields: Fields) -> Self {
        if self.head.fields.is_empty() {
            self.head.fields = fields;
        } else {
            self.head.fields.extend(&fields);
        }
        self
    }
}

impl From<ResponseHead> for Response<()> {
    fn from(head: ResponseHead) -> Self {
        Self {
            exchange: (),
            head,
            body: Body::Empty,
        }
    }
}

impl From<StatusCode> for Response<()> {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl From<&'static str> for Response<()> {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Response<()> {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Response<()> {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<u8>> for Response<()> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl<R: Into<Self>> From<(StatusCode, R)> for Response<()> {
    fn from((status, response): (StatusCode, R)) -> Self {
        response.into().with_status(status)
    }
}
