//! Requests, responses and failures, as the messages that the components of a server exchange.

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Extensions, Method, StatusCode, Version};
use kamea::Receiver;

use super::content::{Content, Incomplete};
use crate::file::FileSlice;
use crate::http::{Chunk, Fields, RequestHead, ResponseHead, preferred_type};

/// One request and its response: the properties that both share. It travels with the request and
/// returns with the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The index of the request in its connection, from 0. Responses leave in this order.
    pub number: u64,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The version that the peer speaks.
    pub version: Version,
    /// Whether the method was HEAD: the response then has no body (RFC 9110 section 9.3.2).
    pub is_head: bool,
    /// Whether the connection ends after this exchange (RFC 9112 section 9.3).
    pub closes: bool,
    /// The format in which the peer wants errors.
    pub error_form: ErrorForm,
}

/// The format in which a peer wants errors, by its `Accept`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorForm {
    /// As a page: `text/html`.
    #[default]
    Page,
    /// As an object: `application/json`.
    Json,
    /// As a line: `text/plain`.
    Text,
}

impl ErrorForm {
    /// The format that a request with these fields prefers.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::Fields;
    /// use kamea_components::web::ErrorForm;
    ///
    /// assert_eq!(ErrorForm::wanted_by(&Fields::new()), ErrorForm::Page);
    /// let fields = Fields::new().with("Accept", "application/json");
    /// assert_eq!(ErrorForm::wanted_by(&fields), ErrorForm::Json);
    /// ```
    #[must_use]
    pub fn wanted_by(fields: &Fields) -> Self {
        match fields.get("accept") {
            // Browsers name HTML. Programs such as curl, and fetch in a page, accept anything:
            // plain text is best for these.
            Some(b"*/*") => Self::Text,
            None => Self::Page,
            Some(accept) if accept.starts_with(b"text/html,") => Self::Page,
            Some(_) => match preferred_type(fields, &Self::MEDIA_TYPES) {
                "application/json" => Self::Json,
                "text/plain" => Self::Text,
                _ => Self::Page,
            },
        }
    }

    const MEDIA_TYPES: [&str; 3] = ["text/html", "application/json", "text/plain"];
}

/// A request: its head at once, its body while it arrives.
#[derive(Debug)]
pub struct Request {
    /// The properties that the response must match.
    pub exchange: Exchange,
    /// The request line and the header fields. Boxed, because a request moves between components.
    pub head: Box<RequestHead>,
    /// The body; `None` if the request has no body. If you drop it unread, the rest is discarded.
    pub content: Option<Box<Content>>,
    /// What filters have found out about the request, by type: its session, for example.
    pub extensions: Extensions,
}

impl Exchange {
    /// The number that stands for the exchange whose response is next, where a component does not
    /// know it.
    pub(crate) const DUE: u64 = u64::MAX;

    /// An exchange with a peer that speaks HTTP/1.1, over a persistent connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::web::{ErrorForm, Exchange};
    ///
    /// let exchange = Exchange::new(0, "192.0.2.1:1234".parse()?).closing();
    /// assert!(exchange.closes && exchange.error_form == ErrorForm::Page);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new(number: u64, peer: SocketAddr) -> Self {
        Self {
            number,
            peer,
            version: Version::HTTP_11,
            is_head: false,
            closes: false,
            error_form: ErrorForm::Page,
        }
    }

    /// The same exchange as the last of its connection.
    pub fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }
}

impl Request {
    /// A request without extensions.
    pub fn new(exchange: Exchange, head: Box<RequestHead>, content: Option<Box<Content>>) -> Self {
        Self {
            exchange,
            head,
            content,
            extensions: Extensions::new(),
        }
    }

    /// Reads the body to its end and discards it, for a handler that does not need it.
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete: the connection must end.
    pub async fn discard_content(&mut self) -> Result<(), Failure> {
        let Some(content) = self.content.take() else {
            return Ok(());
        };
        let exchange = self.exchange.closing();
        Box::pin(content.discard())
            .await
            .map_err(|cut| Failure::new(exchange, cut.status, cut.explanation))
    }

    /// Waits until the whole body has arrived: see [`buffer_bodies`](super::buffer_bodies). A
    /// chunked body then has a `Content-Length` (RFC 9112 section 7.1.3).
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete: the connection must end.
    pub async fn buffer_content(&mut self) -> Result<(), Failure> {
        let Some(content) = &mut self.content else {
            return Ok(());
        };
        let exchange = self.exchange.closing();
        let failed = |cut: Incomplete| Failure::new(exchange, cut.status, cut.explanation);
        content.buffer().await.map_err(failed)?;
        let fields = &mut self.head.fields;
        if let Some(length) = content.length()
            && !fields.contains("content-length")
        {
            fields.remove("transfer-encoding");
            // A number is always a valid value.
            let _ = fields.push("Content-Length", length.to_string());
        }
        Ok(())
    }

    /// Reads the whole body, up to `limit` bytes. Empty if there is no body.
    ///
    /// # Errors
    ///
    /// As [`Content::read_to_end`]. The connection must end.
    pub async fn read_content(&mut self, limit: usize) -> Result<Bytes, Incomplete> {
        match &mut self.content {
            Some(content) => content.read_to_end(limit).await,
            None => Ok(Bytes::new()),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The request that it answers.
    pub exchange: Exchange,
    /// The status and the header fields. The encoder adds `Date`, framing and `Connection`.
    pub head: ResponseHead,
    /// The body. If the request was HEAD, the encoder sends only its length.
    pub body: Body,
}

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, which are sent without a copy through memory.
    File(FileSlice),
    /// Several of these, one after another.
    Pieces(Vec<Piece>),
    /// A stream, of known or unknown length.
    Stream {
        /// The body. If the sender is dropped before it has sent [`Chunk::End`], the connection is
        /// cut, so that the peer does not take a part for the whole.
        chunks: Receiver<Chunk>,
        /// Its length in bytes, if it is known.
        length: Option<u64>,
    },
    /// A whole response with its head, which is sent unchanged; the connection ends with it. The
    /// separate head only gives its status to the log.
    Verbatim(Receiver<Chunk>),
}

/// One of several pieces of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file.
    File(FileSlice),
}

impl Piece {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(slice) => slice.length,
        }
    }
}

impl From<Piece> for Body {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Bytes(bytes) => Self::Bytes(bytes),
            Piece::File(slice) => Self::File(slice),
        }
    }
}

/// A failed request, on its way to the error component, which makes the response.
#[derive(Debug)]
pub struct Failure {
    /// The request that failed.
    pub exchange: Exchange,
    /// The status for the peer.
    pub status: StatusCode,
    /// What was wrong, in words that the peer may read.
    pub explanation: Cow<'static, str>,
    /// Header fields that the response must have, such as `Allow`.
    pub fields: Fields,
}

impl Failure {
    /// The failure of a request.
    pub fn new(
        exchange: Exchange,
        status: StatusCode,
        explanation: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            exchange,
            status,
            explanation: explanation.into(),
            fields: Fields::new(),
        }
    }
}

/// The ports of a component that serves requests: the file handler, a method component, or a user's
/// own.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::Done;
/// use kamea_components::http::ResponseHead;
/// use kamea_components::web::{Body, Failure, HandlerPorts, Response};
///
/// /// Greets the clients that request `/hello`.
/// async fn greet(io: &mut HandlerPorts) -> Done {
///     while let Some(mut request) = io.requests.next().await {
///         if let Err(failure) = request.discard_content().await {
///             io.failures.send(failure).await?;
///         } else if request.head.target.path() == "/hello" {
///             let head = ResponseHead::new(StatusCode::OK);
///             let body = Body::Bytes("hello\n".into());
///             io.responses.send(Response { exchange: request.exchange, head, body }).await?;
///         } else {
///             let failure = Failure::new(request.exchange, StatusCode::NOT_FOUND, "nobody is here");
///             io.failures.send(failure).await?;
///         }
///     }
///     Ok(())
/// }
/// # fn is_a_handler(_: impl kamea::Component<HandlerPorts>) {}
/// # is_a_handler(greet);
/// ```
#[derive(Debug, kamea::Ports)]
pub struct HandlerPorts {
    /// The requests to serve.
    pub requests: kamea::Inbox<Request>,
    /// The answers, in any order.
    pub responses: kamea::Outbox<Response>,
    /// The requests that could not be served.
    pub failures: kamea::Outbox<Failure>,
}
