//! A response with a streamed body: sent with its length if it is complete at once, else sent while
//! it arrives.

use std::cell::Cell;
use std::pin::pin;

use bytes::Bytes;
use futures_lite::future::poll_once;
use futures_lite::{Stream, StreamExt, stream};
use http::StatusCode;
use kamea::{Closed, Done, link};

use super::BoxError;
use crate::http::{Chunk, ResponseHead};
use crate::web::{Body, Exchange, Failure, HandlerPorts, Incomplete, Response};

/// How many bytes of available chunks are collected before the response begins.
const GATHERED: usize = 16 * 1024;

/// How many chunks may wait for the writer.
const CAPACITY: usize = 4;

/// The sender of the response to one request.
pub(super) struct Responder<'a> {
    io: &'a HandlerPorts,
    exchange: Exchange,
    has_begun: Cell<bool>,
}

/// Why a response is incomplete.
#[derive(Debug)]
pub(super) enum ResponseError<E> {
    /// Nobody wants it any more: the peer has disconnected, or has requested only the head.
    Unwanted,
    /// Its head is invalid.
    Head(&'static str),
    /// Its body failed.
    Content(E),
}

impl<'a> Responder<'a> {
    pub(super) fn new(io: &'a HandlerPorts, exchange: Exchange) -> Self {
        Self {
            io,
            exchange,
            has_begun: Cell::new(false),
        }
    }

    /// Sends a response. A body that is available at once, in one chunk or a few short ones, gets a
    /// known length.
    pub(super) async fn respond<E>(
        &self,
        head: ResponseHead,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), ResponseError<E>> {
        let declared = declared_length(&head).map_err(ResponseError::Head)?;
        let mut content = pin!(content);
        let gathered = gather(&mut content).await.map_err(ResponseError::Content)?;
        // A handler may omit the body for HEAD, whose length is unknown then. If it has made one, the
        // head is that of GET (RFC 9110 section 9.3.2).
        if gathered.is_all && (!self.exchange.is_head || gathered.has_content()) {
            let bytes = gathered.into_bytes();
            // "A server MAY send a Content-Length header field in a 304 (Not Modified) response"
            // (RFC 9110 section 8.6): that of 200.
            let is_bound = head.status != StatusCode::NOT_MODIFIED;
            if is_bound && declared.is_some_and(|length| length != bytes.len() as u64) {
                return Err(ResponseError::Head(
                    "its Content-Length is not that of its content",
                ));
            }
            return self.begin(head, Body::Bytes(bytes)).await;
        }
        let (sender, chunks) = link(CAPACITY);
        let length = declared;
        self.begin(head, Body::Stream { chunks, length }).await?;
        let mut content = stream::iter(gathered.chunks.into_iter().map(Ok)).chain(content);
        loop {
            let next = sender.while_open(content.next()).await;
            let Some(bytes) = next.map_err(|_| ResponseError::Unwanted)? else {
                break;
            };
            let bytes = bytes.map_err(ResponseError::Content)?;
            let sent = sender.send(Chunk::Data(bytes)).await;
            sent.map_err(|_| ResponseError::Unwanted)?;
        }
        sender
            .send(Chunk::END)
            .await
            .map_err(|_| ResponseError::Unwanted)
    }

    /// Answers with a failure. If the response has already begun, the connection is cut, because
    /// the end of the response is missing.
    pub(super) async fn fail(&self, failure: Failure) -> Done {
        if !self.has_begun.replace(true) {
            self.io.failures.send(failure).await?;
        }
        Ok(())
    }

    /// Waits until a program has served its request or nobody wants its response any more. Answers
    /// with a failure if it fails.
    pub(super) async fn conclude(
        &self,
        name: &str,
        served: impl Future<Output = Result<(), ResponseError<BoxError>>>,
    ) -> Done {
        let served = self.while_wanted(served).await;
        match served.unwrap_or(Err(ResponseError::Unwanted)) {
            Ok(()) | Err(ResponseError::Unwanted) => Ok(()),
            Err(ResponseError::Head(what)) => self.fault(format_args!("{name}: {what}")).await,
            Err(ResponseError::Content(error)) => match failure_of(self.exchange, error) {
                Ok(failure) => self.fail(failure).await,
                Err(error) => self.fault(format_args!("{name}: {error}")).await,
            },
        }
    }

    /// Answers with a failure of the server; only the log shows the cause.
    pub(super) async fn fault(&self, cause: impl std::fmt::Display) -> Done {
        log::error!("{} | {cause}", self.exchange.peer);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let explanation = "what serves this has failed";
        self.fail(Failure::new(self.exchange, status, explanation))
            .await
    }

    /// Waits for a future, as long as a response can be sent: until the connection has ended.
    pub(super) async fn while_wanted<F: Future>(&self, future: F) -> Result<F::Output, Closed<()>> {
        self.io.responses.while_open(future).await
    }

    /// Sends a response whose body is ready.
    pub(super) async fn begin<E>(
        &self,
        head: ResponseHead,
        body: Body,
    ) -> Result<(), ResponseError<E>> {
        self.has_begun.set(true);
        let response = Response::from(head).with_body(body).to(self.exchange);
        let sent = self.io.responses.send(response).await;
        sent.map_err(|_| ResponseError::Unwanted)
    }
}

/// The failure that the error of a program stands for, if it is not the program's own.
fn failure_of(exchange: Exchange, error: BoxError) -> Result<Failure, BoxError> {
    let error = match error.downcast::<Incomplete>() {
        Ok(cut) => return Ok(Failure::incomplete(exchange, *cut)),
        Err(error) => error,
    };
    error.downcast::<Failure>().map(|failure| *failure)
}

/// The part of the body that is available at once: a chunk, or a few bytes.
struct Gathered {
    chunks: Vec<Bytes>,
    is_all: bool,
}

async fn gather<E>(
    mut content: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Gathered, E> {
    let (mut chunks, mut length) = (Vec::new(), 0);
    let is_all = loop {
        match poll_once(content.next()).await {
            Some(Some(chunk)) => {
                let chunk = chunk?;
                length += chunk.len();
                chunks.push(chunk);
                if chunks.len() > 1 && length > GATHERED {
                    break false;
                }
            }
            Some(None) => break true,
            None => break false,
        }
    };
    Ok(Gathered { chunks, is_all })
}

impl Gathered {
    fn has_content(&self) -> bool {
        self.chunks.iter().any(|chunk| !chunk.is_empty())
    }

    fn into_bytes(mut self) -> Bytes {
        match &mut *self.chunks {
            [] => Bytes::new(),
            [whole] => std::mem::take(whole),
            chunks => chunks.concat().into(),
        }
    }
}

/// The length that a head declares, as programs behind a gateway may; the writer writes that field
/// itself.
fn declared_length(head: &ResponseHead) -> Result<Option<u64>, &'static str> {
    if head.status.is_informational() {
        return Err("its status is not that of a final response");
    }
    let mut values = head.fields.get_all("content-length");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let is_number = value.iter().all(u8::is_ascii_digit);
    let length = str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    match length.filter(|_| is_number && values.next().is_none()) {
        Some(length) => Ok(Some(length)),
        None => Err("its Content-Length is not a number of bytes"),
    }
}
