//! The second half of an attempt: receives the response, and passes it on.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, turn};
use kamea::{Outbox, link};
use kamea_components::http::{
    Chunk, Fields, MalformedResponse, ReceivedHead, Reply, ReplyBody, ResponseHead,
};
use kamea_components::net::Socket;
use kamea_components::web::{Body, Exchange, Response};

use super::AttemptError;
use super::attempt::{Ended, gone};
use super::body::ended;
use super::interim::Interim;
use crate::backends::{BackendDecoder, BackendState};
use crate::fields::Forwarding;

/// How many parts of a body wait between backend and client: the bound of memory for a client that
/// reads slowly.
const PARTS: usize = 2;

/// What follows on the connection to the backend.
pub(super) enum Afterwards {
    /// It can serve another request.
    Keep,
    Close,
    /// It continues with another protocol, after these bytes.
    Switch(ResponseHead, Bytes),
}

impl Afterwards {
    pub(super) fn but_close(self) -> Self {
        match self {
            Self::Keep => Self::Close,
            afterwards => afterwards,
        }
    }
}

/// Waits for a result until the response should have begun.
pub(super) async fn within<T>(
    result: impl Future<Output = Result<T, AttemptError>>,
    timer: &mut Timer,
    first_byte: Duration,
) -> Result<T, AttemptError> {
    timer.set(turn() + first_byte);
    let late = async {
        timer.expired().await;
        Err(AttemptError::FirstByte(first_byte))
    };
    or(result, late).await
}

/// Receives the head of the final response. `may_send` is set when the backend asks for the body;
/// other interim responses are passed on.
pub(super) async fn receive_head(
    socket: &Socket,
    decoder: &mut BackendDecoder,
    may_send: &Cell<bool>,
    interim: &Interim<'_>,
) -> Result<(ReceivedHead, ReplyBody), AttemptError> {
    loop {
        match decoder.next()? {
            Some(Reply::Interim(head)) => match head.status {
                StatusCode::CONTINUE => may_send.set(true),
                _ => interim.pass_on(&head),
            },
            Some(Reply::Head(head, body)) => return Ok((head, body)),
            Some(_) => return Err(MalformedResponse::Unawaited.into()),
            None => {
                let is_begun = decoder.unread() > 0;
                match socket.receive().await {
                    Ok(bytes) if !bytes.is_empty() => decoder.feed(bytes),
                    Ok(_) if is_begun => return Err(MalformedResponse::IncompleteHead.into()),
                    Ok(_) => return Err(AttemptError::Lost(ended())),
                    Err(_) if is_begun => return Err(MalformedResponse::IncompleteHead.into()),
                    Err(error) => return Err(AttemptError::Lost(error)),
                }
            }
        }
    }
}

/// Passes on a response.
pub(super) struct Passing<'a> {
    pub(super) exchange: Exchange,
    pub(super) upgrades: bool,
    pub(super) socket: &'a Socket,
    pub(super) decoder: &'a mut BackendDecoder,
    pub(super) timer: &'a mut Timer,
    /// How long the backend may send nothing.
    pub(super) silence: Duration,
    pub(super) responses: &'a Outbox<Response>,
    pub(super) has_begun: &'a Cell<bool>,
    pub(super) forwarding: Forwarding<'a>,
    pub(super) state: &'a BackendState,
}

impl Passing<'_> {
    /// Passes on a response: its head, and then its body while it arrives.
    pub(super) async fn pass_on(
        &mut self,
        head: ReceivedHead,
        framing: ReplyBody,
    ) -> Result<Afterwards, Ended> {
        let switches = framing == ReplyBody::Tunnel;
        let mut codings = head.fields.get_all("transfer-encoding");
        if !switches && codings.any(|coding| !coding.eq_ignore_ascii_case(b"chunked")) {
            return Err(AttemptError::Coding.into());
        }
        let own = ResponseHead {
            fields: self.fields(&head, switches),
            is_forwarded: true,
            ..ResponseHead::new(head.status)
        };
        let is_whole = match framing {
            ReplyBody::Tunnel => return self.switch(own),
            ReplyBody::None => {
                self.respond(own, self.no_body(&head)).await?;
                matches!(self.decoder.next()?, Some(Reply::End(_)))
            }
            ReplyBody::Sized(length) => self.pass_sized(own, length).await?,
            ReplyBody::Chunked | ReplyBody::UntilClose => {
                // Boxed, because most responses are short.
                Box::pin(self.stream(own, None, None)).await?
            }
        };
        let is_kept = is_whole && head.is_persistent() && framing != ReplyBody::UntilClose;
        Ok(if is_kept {
            Afterwards::Keep
        } else {
            Afterwards::Close
        })
    }

    fn fields(&self, head: &ReceivedHead, switches: bool) -> Fields {
        let mut fields = self
            .forwarding
            .response(&head.fields, head.version, switches);
        if let Some(cookie) = self.forwarding.sticky_cookie(self.state.key()) {
            // Its name was checked with the configuration.
            let _ = fields.push("Set-Cookie", cookie);
        }
        fields
    }

    fn switch(&mut self, head: ResponseHead) -> Result<Afterwards, Ended> {
        if !self.upgrades {
            return Err(AttemptError::Switched.into());
        }
        let first = match self.decoder.next()? {
            Some(Reply::Chunk(first)) => first,
            _ => Bytes::new(),
        };
        Ok(Afterwards::Switch(head, first))
    }

    /// A body of known length: in one piece, if all of it has arrived.
    async fn pass_sized(&mut self, head: ResponseHead, length: u64) -> Result<bool, Ended> {
        let first = match self.decoder.next()? {
            Some(Reply::Chunk(bytes)) => Some(bytes),
            _ => None,
        };
        match first {
            Some(bytes) if bytes.len() as u64 == length => {
                self.state.count_received(bytes.len());
                self.respond(head, Body::Bytes(bytes)).await?;
                Ok(matches!(self.decoder.next()?, Some(Reply::End(_))))
            }
            first => Box::pin(self.stream(head, Some(length), first)).await,
        }
    }

    /// The body of a response that has none: to HEAD, the length that GET would have.
    fn no_body(&self, head: &ReceivedHead) -> Body {
        if !self.exchange.is_head {
            return Body::Empty;
        }
        let length = head.fields.get("content-length");
        let length = length.and_then(|value| str::from_utf8(value).ok()?.parse().ok());
        let (_, chunks) = link(1);
        Body::Stream { chunks, length }
    }

    async fn respond(&self, head: ResponseHead, body: Body) -> Result<(), Ended> {
        let response = Response {
            exchange: self.exchange,
            head,
            body,
        };
        let sent = self.responses.send(response).await;
        // Only now: until then there may be another response.
        self.has_begun.set(true);
        sent.map_err(gone)
    }

    /// Passes on a body while it arrives. Returns whether all of it was taken.
    async fn stream(
        &mut self,
        head: ResponseHead,
        length: Option<u64>,
        first: Option<Bytes>,
    ) -> Result<bool, Ended> {
        let (parts, chunks) = link(PARTS);
        self.respond(head, Body::Stream { chunks, length }).await?;
        let mut next = first.map(Reply::Chunk);
        loop {
            let reply = match next.take() {
                Some(reply) => Some(reply),
                None => self.decoder.next().map_err(cut)?,
            };
            match reply {
                Some(Reply::Chunk(bytes)) => {
                    self.state.count_received(bytes.len());
                    if parts.send(bytes.into()).await.is_err() {
                        return Ok(false);
                    }
                }
                Some(Reply::End(trailers)) => {
                    return Ok(parts.send(Chunk::End(trailers)).await.is_ok());
                }
                Some(_) => return Err(cut(MalformedResponse::Unawaited)),
                None => {
                    let bytes = self.receive().await?;
                    match bytes.is_empty() {
                        true => {
                            next = Some(
                                self.decoder
                                    .finish()
                                    .map_err(cut)?
                                    .ok_or_else(|| cut(ended()))?,
                            )
                        }
                        false => self.decoder.feed(bytes),
                    }
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<Bytes, Ended> {
        self.timer.set(turn() + self.silence);
        let late = async {
            self.timer.expired().await;
            Err(io::ErrorKind::TimedOut.into())
        };
        or(self.socket.receive(), late).await.map_err(cut)
    }
}

/// The response cannot be completed.
fn cut(why: impl std::fmt::Display) -> Ended {
    Ended::Cut(why.to_string(), true)
}
