//! One attempt: sends a request to a backend, and passes its response on while it arrives.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, sleep, turn};
use kamea::{Closed, End, Outbox, Sender, link};
use kamea_components::http::{
    BodyKind, Chunk, MalformedResponse, ReceivedHead, Reply, ReplyBody, ResponseDecoder,
    ResponseHead, encode_request,
};
use kamea_components::net::Socket;
use kamea_components::web::{Body, Exchange, Response};

use super::body::{OutgoingBody, ended};
use super::fields::{request_head, response_fields};
use super::tunnel::tunnel;
use super::{AttemptError, Routed};
use crate::backends::{
    BackendConnection, BackendState, ConnectError, Connector, InFlight, connect, keep, take,
};
use crate::plan::Route;

/// How many parts of a body wait between backend and client: the bound of memory for a client that
/// reads slowly.
const PARTS: usize = 2;

/// How long a backend may take to ask for a body with 100 (Continue), before it gets it anyway (RFC
/// 9110 section 10.1.1).
const CONTINUE: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The response was passed on, or its client has gone.
    Answered,
    /// The response began, but did not end: its connection is cut.
    Cut(String),
    /// No response began.
    Failed(AttemptError),
}

/// What a connection uses for all its attempts.
#[derive(Debug, Default)]
pub(super) struct Tools {
    buffer: Vec<u8>,
    send_timer: Timer,
    timer: Timer,
}

/// Why a conversation with a backend ended early.
enum Stop {
    Failed(AttemptError),
    /// After the response began.
    Cut(String),
    /// The client's connection has ended.
    End(End),
}

impl From<AttemptError> for Stop {
    fn from(error: AttemptError) -> Self {
        Self::Failed(error)
    }
}

impl From<ConnectError> for Stop {
    fn from(error: ConnectError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<MalformedResponse> for Stop {
    fn from(error: MalformedResponse) -> Self {
        Self::Failed(error.into())
    }
}

/// Sends a request to a backend, and passes on its response.
pub(super) async fn attempt(
    tools: &mut Tools,
    request: &mut Routed,
    in_flight: InFlight,
    connector: &Connector,
    responses: &Outbox<Response>,
) -> Result<Outcome, End> {
    let whole = in_flight.group().route().timeouts.whole;
    let has_begun = Cell::new(false);
    let running = run(tools, request, in_flight, connector, responses, &has_begun);
    let ended = match whole {
        None => running.await,
        Some(whole) => {
            let late = async {
                sleep(whole).await;
                let error = AttemptError::Whole(whole);
                Err(match has_begun.get() {
                    true => Stop::Cut(error.to_string()),
                    false => Stop::Failed(error),
                })
            };
            or(running, late).await
        }
    };
    match ended {
        Ok(()) => Ok(Outcome::Answered),
        Err(Stop::Failed(error)) => Ok(Outcome::Failed(error)),
        Err(Stop::Cut(why)) => Ok(Outcome::Cut(why)),
        Err(Stop::End(end)) => Err(end),
    }
}

async fn run(
    tools: &mut Tools,
    request: &mut Routed,
    in_flight: InFlight,
    connector: &Connector,
    responses: &Outbox<Response>,
    has_begun: &Cell<bool>,
) -> Result<(), Stop> {
    let group = in_flight.group().clone();
    let state = in_flight.backend().clone();
    let mut talk = Talk {
        tools,
        request,
        route: group.route(),
        responses,
        has_begun,
        in_flight: Some(in_flight),
    };
    // The backend may close an idle connection at any time, also just when a request is sent over
    // it. Then it is unknown whether the backend acted on the request, so only those go over an
    // idle connection that may be repeated.
    if talk.request.head.method.is_idempotent()
        && let Some(connection) = take(&state)
    {
        match talk.converse(connection, &state).await {
            Err(Stop::Failed(AttemptError::Lost(_))) if talk.request.body.is_replayable() => {
                talk.request.body.rewind();
            }
            ended => return ended,
        }
    }
    let within = talk.route.timeouts.connect;
    // Boxed, because most requests find an idle connection.
    let connection = Box::pin(connect(&state, connector, within)).await?;
    talk.converse(connection, &state).await
}

/// One attempt, and what it needs.
struct Talk<'a> {
    tools: &'a mut Tools,
    request: &'a mut Routed,
    route: &'a Route,
    responses: &'a Outbox<Response>,
    /// Whether the client has got the head of the response.
    has_begun: &'a Cell<bool>,
    /// Taken if the connection switches protocols.
    in_flight: Option<InFlight>,
}

/// What follows on the connection to the backend.
enum Then {
    /// It can serve another request.
    Keep,
    Close,
    /// It continues with another protocol, after these bytes.
    Switch(ResponseHead, Bytes),
}

impl Talk<'_> {
    /// Sends the request over a connection, and passes on the response.
    async fn converse(
        &mut self,
        connection: BackendConnection,
        state: &Arc<BackendState>,
    ) -> Result<(), Stop> {
        let BackendConnection {
            socket,
            mut decoder,
        } = connection;
        let (began, timeouts) = (turn(), &self.route.timeouts);
        let Tools {
            buffer,
            send_timer,
            timer,
        } = &mut *self.tools;
        let upgrades = self.request.upgrades();
        let head = request_head(&self.request.head, upgrades);
        let kind = self.request.body.kind(&head.fields);
        buffer.clear();
        encode_request(buffer, &head, kind);
        decoder.expect(&head.method);
        let may_send = Cell::new(!self.request.expects_continue());
        let is_sent = Cell::new(false);
        let then = {
            let sending = Sending {
                socket: &socket,
                stall: timeouts.send,
                may_send: &may_send,
                timer: send_timer,
            };
            let mut sending = pin!(async {
                let sent = sending.send(buffer, &mut self.request.body, kind).await;
                is_sent.set(matches!(sent, Ok(true)));
                sent
            });
            let mut is_sending = true;
            let early = or(async { sending.as_mut().await.map(|_| None) }, async {
                Ok(Some(receive_head(&socket, &mut decoder, &may_send).await?))
            });
            let (head, framing) = match early.await? {
                Some(found) => found,
                None => {
                    is_sending = false;
                    let found = receive_head(&socket, &mut decoder, &may_send);
                    within(found, timer, timeouts.first_byte).await?
                }
            };
            state.answered(head.status, turn() - began);
            let mut passing = Passing {
                exchange: self.request.exchange,
                upgrades,
                socket: &socket,
                decoder: &mut decoder,
                timer,
                silence: timeouts.first_byte,
                responses: self.responses,
                has_begun: self.has_begun,
                state,
            };
            let passing = passing.pass_on(head, framing);
            match is_sending && may_send.get() {
                false => passing.await?,
                true => {
                    let rest = async {
                        // Without the body, the response may be all that there is.
                        let _ = sending.await;
                        pending().await
                    };
                    or(passing, rest).await?
                }
            }
        };
        match then {
            Then::Keep if is_sent.get() && decoder.unread() == 0 => {
                keep(state, BackendConnection { socket, decoder }, self.route);
            }
            Then::Keep | Then::Close => {}
            Then::Switch(head, first) => self.switch(head, socket, first).await?,
        }
        Ok(())
    }

    /// Goes on with another protocol in both directions.
    async fn switch(
        &mut self,
        head: ResponseHead,
        socket: Socket,
        first: Bytes,
    ) -> Result<(), Stop> {
        let transport = socket.into_transport();
        let (Some(transport), Some(in_flight)) = (transport, self.in_flight.take()) else {
            return Err(AttemptError::Lost(ended()).into());
        };
        let response = Response {
            exchange: self.request.exchange,
            head,
            body: Body::Upgrade(tunnel(in_flight, transport, first)),
        };
        self.has_begun.set(true);
        self.responses.send(response).await.map_err(gone)
    }
}

fn gone<T>(_: Closed<T>) -> Stop {
    Stop::End(End::Closed)
}

/// The first half of an attempt: the request.
struct Sending<'a> {
    socket: &'a Socket,
    /// How long the backend may take nothing.
    stall: Duration,
    /// Whether the backend has asked for the body, if it has to.
    may_send: &'a Cell<bool>,
    timer: &'a mut Timer,
}

impl Sending<'_> {
    /// Sends the whole request. Returns false if the backend takes no more: it may have said why.
    async fn send(
        mut self,
        buffer: &mut Vec<u8>,
        body: &mut OutgoingBody,
        kind: BodyKind,
    ) -> Result<bool, AttemptError> {
        if body.is_empty() {
            return self.write(buffer).await;
        }
        if !self.may_send.get() {
            if !self.write(buffer).await? {
                return Ok(false);
            }
            buffer.clear();
            self.wait_for_continue().await;
        }
        loop {
            let part = body.next().await?;
            body.encode(buffer, kind, part.as_ref());
            if !self.write(buffer).await? {
                return Ok(false);
            }
            buffer.clear();
            if part.is_none() {
                return Ok(true);
            }
        }
    }

    async fn wait_for_continue(&self) {
        let asked = poll_fn(|_| match self.may_send.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        or(asked, sleep(CONTINUE)).await;
        self.may_send.set(true);
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<bool, AttemptError> {
        while !bytes.is_empty() {
            self.timer.set(turn() + self.stall);
            let late = async {
                self.timer.expired().await;
                Err(AttemptError::Send(self.stall))
            };
            let written = async { Ok(self.socket.write(bytes, false).await) };
            match or(written, late).await? {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    log::debug!("a backend reads no more of a request: {error}");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

async fn within<T>(
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

/// Receives the head of the final response. `may_send` is set when the backend asks for the body.
async fn receive_head(
    socket: &Socket,
    decoder: &mut ResponseDecoder,
    may_send: &Cell<bool>,
) -> Result<(ReceivedHead, ReplyBody), AttemptError> {
    loop {
        match decoder.next()? {
            Some(Reply::Interim(head)) => {
                if head.status == StatusCode::CONTINUE {
                    may_send.set(true);
                }
            }
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

/// The second half of an attempt: the response.
struct Passing<'a> {
    exchange: Exchange,
    upgrades: bool,
    socket: &'a Socket,
    decoder: &'a mut ResponseDecoder,
    timer: &'a mut Timer,
    /// How long the backend may send nothing.
    silence: Duration,
    responses: &'a Outbox<Response>,
    has_begun: &'a Cell<bool>,
    state: &'a BackendState,
}

impl Passing<'_> {
    /// Passes on a response: its head, and then its body while it arrives.
    async fn pass_on(&mut self, head: ReceivedHead, framing: ReplyBody) -> Result<Then, Stop> {
        let is_persistent = head.is_persistent();
        let switches = framing == ReplyBody::Tunnel;
        let mut codings = head.fields.get_all("transfer-encoding");
        if !switches && codings.any(|coding| !coding.eq_ignore_ascii_case(b"chunked")) {
            return Err(AttemptError::Coding.into());
        }
        let own = ResponseHead {
            status: head.status,
            fields: response_fields(&head.fields, switches),
            is_forwarded: true,
        };
        let length = match framing {
            ReplyBody::Tunnel if !self.upgrades => return Err(AttemptError::Switched.into()),
            ReplyBody::Tunnel => {
                let first = match self.decoder.next()? {
                    Some(Reply::Chunk(first)) => first,
                    _ => Bytes::new(),
                };
                return Ok(Then::Switch(own, first));
            }
            ReplyBody::None => {
                let body = self.no_body(&head);
                self.respond(own, body).await?;
                let ended = self.decoder.next()?;
                return Ok(match ended {
                    Some(Reply::End(_)) if is_persistent => Then::Keep,
                    _ => Then::Close,
                });
            }
            ReplyBody::Sized(length) => Some(length),
            ReplyBody::Chunked | ReplyBody::UntilClose => None,
        };
        let mut first = None;
        if let Some(length) = length {
            match self.decoder.next()? {
                Some(Reply::Chunk(bytes)) if bytes.len() as u64 == length => {
                    self.state.count_received(bytes.len());
                    self.respond(own, Body::Bytes(bytes)).await?;
                    self.decoder.next()?;
                    return Ok(if is_persistent {
                        Then::Keep
                    } else {
                        Then::Close
                    });
                }
                Some(Reply::Chunk(bytes)) => first = Some(bytes),
                _ => {}
            }
        }
        let (sender, chunks) = link(PARTS);
        self.respond(own, Body::Stream { chunks, length }).await?;
        // Boxed, because most responses are short.
        let is_whole = Box::pin(self.stream(first, &sender)).await?;
        Ok(
            match is_whole && is_persistent && framing != ReplyBody::UntilClose {
                true => Then::Keep,
                false => Then::Close,
            },
        )
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

    async fn respond(&self, head: ResponseHead, body: Body) -> Result<(), Stop> {
        self.has_begun.set(true);
        let response = Response {
            exchange: self.exchange,
            head,
            body,
        };
        self.responses.send(response).await.map_err(gone)
    }

    /// Passes on a body while it arrives. Returns whether all of it was taken.
    async fn stream(&mut self, first: Option<Bytes>, parts: &Sender<Chunk>) -> Result<bool, Stop> {
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

    async fn receive(&mut self) -> Result<Bytes, Stop> {
        self.timer.set(turn() + self.silence);
        let late = async {
            self.timer.expired().await;
            Err(io::ErrorKind::TimedOut.into())
        };
        or(self.socket.receive(), late).await.map_err(cut)
    }
}

/// The response cannot be completed.
fn cut(why: impl std::fmt::Display) -> Stop {
    Stop::Cut(why.to_string())
}
