//! Requests.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Extensions, Method, StatusCode};

use super::{Exchange, Failure, Response};
use crate::http::RequestHead;
use crate::web::Content;

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

    /// The response to this request: any [`Response`] without a request, or a value that makes one
    /// (text, bytes, a status, or a status with one of these).
    ///
    /// # Examples
    ///
    /// ```
    /// use http::StatusCode;
    /// use kamea_components::web::{Request, Response};
    ///
    /// fn greet(request: &Request) -> Response {
    ///     match request.head.target.path() {
    ///         "/page" => request.respond(Response::html("<h1>hello</h1>").with("X-Mood", "good")),
    ///         "/tea" => request.respond((StatusCode::IM_A_TEAPOT, "short and stout\n")),
    ///         _ => request.respond("hello\n"),
    ///     }
    /// }
    /// # let _ = greet;
    /// ```
    pub fn respond(&self, response: impl Into<Response<()>>) -> Response {
        response.into().to(self.exchange)
    }

    /// The failure of this request; the peer may read the explanation.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::StatusCode;
    /// use kamea_components::web::{Failure, Request};
    ///
    /// fn unknown(request: &Request) -> Failure {
    ///     let challenge = "Bearer realm=\"songs\"";
    ///     let failure = request.refuse(StatusCode::UNAUTHORIZED, "this requires a token");
    ///     failure.with("WWW-Authenticate", challenge)
    /// }
    /// # let _ = unknown;
    /// ```
    pub fn refuse(&self, status: StatusCode, why: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(self.exchange, status, why)
    }

    /// Reads the body to its end and discards it, for a handler that does not need it.
    ///
    /// Often [`HandlerPorts::next_without_content`](super::HandlerPorts::next_without_content) or
    /// [`FilterPorts::refuse`](crate::web::FilterPorts::refuse) is shorter.
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete: the connection must end.
    pub async fn discard_content(&mut self) -> Result<(), Failure> {
        let Some(content) = self.content.take() else {
            return Ok(());
        };
        let exchange = self.exchange;
        Box::pin(content.discard())
            .await
            .map_err(|cut| Failure::incomplete(exchange, cut))
    }

    /// Discards the body, and then returns the failure: that of the body if it is invalid, else the
    /// given one.
    pub(crate) async fn discard_and_fail(&mut self, failure: Failure) -> Failure {
        self.discard_content().await.err().unwrap_or(failure)
    }

    /// Waits until the whole body has arrived: see [`buffer_bodies`](crate::web::buffer_bodies). A
    /// chunked body then has a `Content-Length` (RFC 9112 section 7.1.3).
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete: the connection must end.
    pub async fn buffer_content(&mut self) -> Result<(), Failure> {
        let Some(content) = &mut self.content else {
            return Ok(());
        };
        let exchange = self.exchange;
        let buffered = content.buffer().await;
        buffered.map_err(|cut| Failure::incomplete(exchange, cut))?;
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

    /// Waits for the next bytes of the body; `None` at its end, or if there is no body.
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete: the connection must end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(content) = &mut self.content else {
            return Ok(None);
        };
        let exchange = self.exchange;
        let next = content.next().await;
        next.map_err(|cut| Failure::incomplete(exchange, cut))
    }

    /// Reads the whole body, up to `limit` bytes. Empty if there is no body.
    ///
    /// # Errors
    ///
    /// The failure to report, if the body is invalid or incomplete, or with 413 (Content Too Large)
    /// if it is longer: the connection must end.
    pub async fn read_content(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let Some(content) = &mut self.content else {
            return Ok(Bytes::new());
        };
        let exchange = self.exchange;
        let read = content.read_to_end(limit).await;
        read.map_err(|cut| Failure::incomplete(exchange, cut))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }
}
