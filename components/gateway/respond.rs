//! A response whose content comes as a stream: made whole if it is there at once, else sent as it comes.

use std::cell::Cell;
use std::pin::pin;

use bytes::Bytes;
use futures_lite::future::{or, poll_once};
use futures_lite::{Stream, StreamExt, stream};
use http::StatusCode;
use kamea::{Done, link};

use super::BoxError;
use crate::http::{Chunk, ResponseHead};
use crate::web::{Body, Exchange, Failure, HandlerPorts, Incomplete, Response};

/// How many bytes of content gather, from several chunks that are there at once, before the response begins.
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

    /// Sends a response. Content that is there at once, in one chunk or not much, becomes a body of known length.
    pub(super) async fn respond<E>(
        &self,
        head: ResponseHead,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), Broken<E>> {
        let declared = declared_length(&head).map_err(Broken::Head)?;
        let mut content = pin!(content);
        let gathered = gather(&mut content).await.map_err(Broken::Content)?;
        // The length of what HEAD leaves out is not known.
        if gathered.is_all && !self.exchange.is_head {
            let bytes = gathered.into_bytes();
            // "A server MAY send a Content-Length header field in a 304 (Not Modified) response" (RFC 9110 section 8.6): that of 200.
            let is_bound = head.status != StatusCode::NOT_MODIFIED;
            if is_bound && declared.is_some_and(|length| length != bytes.len() as u64) {
                return Err(Broken::Head(
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
            let unwanted = async {
                sender.closed().await;
                Some(Err(Broken::Unwanted))
            };
            let next = async {
                content
                    .next()
                    .await
                    .map(|next| next.map_err(Broken::Content))
            };
            let Some(bytes) = or(next, unwanted).await else {
                break;
            };
            let sent = sender.send(Chunk::Data(bytes?)).await;
            sent.map_err(|_| Broken::Unwanted)?;
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

    /// Waits until a program has served its request or nobody wants its response any more, and answers for it if it fails.
    pub(super) async fn conclude(
        &self,
        name: &str,
        served: impl Future<Output = Result<(), Broken<BoxError>>>,
    ) -> Done {
        let gone = async {
            self.closed().await;
            Err(Broken::Unwanted)
        };
        match or(served, gone).await {
            Ok(()) | Err(Broken::Unwanted) => Ok(()),
            Err(Broken::Head(what)) => self.fault(format_args!("{name}: {what}")).await,
            Err(Broken::Content(error)) => match error.downcast::<Incomplete>() {
                Ok(cut) => {
                    let exchange = self.exchange.closing();
                    let failure = Failure::new(exchange, cut.status, cut.explanation);
                    self.fail(failure).await
                }
                Err(error) => self.fault(format_args!("{name}: {error}")).await,
            },
        }
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

/// The content that is there at once: a chunk, or not many bytes.
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
    fn into_bytes(mut self) -> Bytes {
        match &mut *self.chunks {
            [] => Bytes::new(),
            [whole] => std::mem::take(whole),
            chunks => chunks.concat().into(),
        }
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
