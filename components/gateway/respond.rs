//! A response whose content comes as a stream: made whole if it is there at once, else sent as it comes.

use std::cell::Cell;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_lite::future::{or, poll_once};
use futures_lite::{Stream, StreamExt};
use http::StatusCode;
use kamea::{Done, link};

use crate::http::{Body, Chunk, Exchange, Failure, HandlerPorts, Response, ResponseHead};

/// How many bytes of content gather, as long as they are there at once, before the response begins.
const GATHERED: usize = 16 * 1024;

/// How many chunks wait for the writer.
const CAPACITY: usize = 4;

/// The way to answer one request.
pub(super) struct Responder<'a> {
    io: &'a HandlerPorts,
    exchange: Exchange,
    has_begun: Cell<bool>,
}

/// Why a response has not been completed.
#[derive(Debug)]
pub(super) enum Broken<E> {
    /// Nobody wants it any more: the peer is gone, or has asked for the head only.
    Unwanted,
    /// Its head is wrong.
    Head(&'static str),
    /// Its content failed.
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

    /// Sends a response. Content that is there at once, and not much, becomes a body of known length.
    pub(super) async fn respond<E>(
        &self,
        head: ResponseHead,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), Broken<E>> {
        let declared = declared_length(&head).map_err(Broken::Head)?;
        let mut content = pin!(content);
        let mut gathered = BytesMut::new();
        let is_complete = loop {
            if gathered.len() > GATHERED {
                break false;
            }
            match poll_once(content.next()).await {
                Some(Some(Ok(bytes))) => gathered.extend_from_slice(&bytes),
                Some(Some(Err(error))) => return Err(Broken::Content(error)),
                Some(None) => break true,
                None => break false,
            }
        };
        let gathered = gathered.freeze();
        // The length of what HEAD leaves out is not known.
        if is_complete && !self.exchange.is_head {
            if declared.is_some_and(|length| length != gathered.len() as u64) {
                return Err(Broken::Head(
                    "its Content-Length is not that of its content",
                ));
            }
            return self.begin(head, Body::Bytes(gathered)).await;
        }
        let (sender, chunks) = link(CAPACITY);
        let length = declared;
        self.begin(head, Body::Stream { chunks, length }).await?;
        let mut next = (!gathered.is_empty()).then_some(gathered);
        loop {
            if let Some(bytes) = next {
                let sent = sender.send(Chunk::Data(bytes)).await;
                sent.map_err(|_| Broken::Unwanted)?;
            }
            let unwanted = async {
                sender.closed().await;
                Some(Err(Broken::Unwanted))
            };
            let following = async {
                content
                    .next()
                    .await
                    .map(|next| next.map_err(Broken::Content))
            };
            match or(following, unwanted).await {
                Some(bytes) => next = Some(bytes?),
                None => break,
            }
        }
        sender.send(Chunk::END).await.map_err(|_| Broken::Unwanted)
    }

    /// Answers with a failure, unless the response has begun: then the connection is cut, because its end does not come.
    pub(super) async fn fail(&self, failure: Failure) -> Done {
        if !self.has_begun.replace(true) {
            self.io.failures.send(failure).await?;
        }
        Ok(())
    }

    /// Answers with a failure of the server, whose cause only the log tells.
    pub(super) async fn fault(&self, cause: impl std::fmt::Display) -> Done {
        log::error!("{} | {cause}", self.exchange.peer);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let explanation = "what serves this has failed";
        self.fail(Failure::new(self.exchange, status, explanation))
            .await
    }

    /// Waits until no response can be sent any more, because the connection is at its end.
    pub(super) async fn closed(&self) {
        self.io.responses.closed().await;
    }

    async fn begin<E>(&self, head: ResponseHead, body: Body) -> Result<(), Broken<E>> {
        self.has_begun.set(true);
        let exchange = self.exchange;
        let response = Response {
            exchange,
            head,
            body,
        };
        let sent = self.io.responses.send(response).await;
        sent.map_err(|_| Broken::Unwanted)
    }
}

/// The length that a head declares, as a gateway's programs do; the writer writes that field itself.
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
