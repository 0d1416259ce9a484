//! One attempt: sends a request to a backend, and passes its response on while it arrives.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, sleep, turn};
use kamea::{Closed, End};
use kamea_components::http::{ResponseHead, encode_request};
use kamea_components::net::Socket;
use kamea_components::web::{Body, Response};

use super::body::{Framing, OutgoingBody, ended};
use super::exchange_requests::ExchangePorts;
use super::interim::Interim;
use super::receive::{Afterwards, Passing, receive_head, within};
use super::report::Report;
use super::script::{LONGEST, encode_script};
use super::send::Sending;
use super::tunnel::tunnel;
use super::{AttemptError, Routed};
use crate::backends::{
    BackendConnection, BackendState, ConnectError, Connector, InFlight, ResponseError, connect,
    keep, take,
};
use crate::fields::Forwarding;
use crate::plan::{ProxyProtocol, Route, Scheme};
use crate::proxy_protocol::write_proxy_header;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The response was passed on, or its client has gone.
    Answered,
    /// The response began, but did not end: its connection is cut. Says whether the backend is at
    /// fault.
    Cut(String, bool),
    /// No response began.
    Failed(AttemptError),
}

/// What a connection uses for all its attempts.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    buffer: Vec<u8>,
    send_timer: Timer,
    timer: Timer,
}

/// Why a conversation with a backend ended early.
pub(super) enum Ended {
    Failed(AttemptError),
    /// After the response began; and whether the backend is at fault.
    Cut(String, bool),
    /// The client's connection has ended.
    End(End),
}

impl From<AttemptError> for Ended {
    fn from(error: AttemptError) -> Self {
        Self::Failed(error)
    }
}

impl From<ConnectError> for Ended {
    fn from(error: ConnectError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ResponseError> for Ended {
    fn from(error: ResponseError) -> Self {
        Self::Failed(error.into())
    }
}

/// Sends a request to a backend, and passes on its response.
pub(super) async fn attempt(
    buffers: &mut Buffers,
    request: &mut Routed,
    in_flight: InFlight,
    connector: &Connector,
    io: &ExchangePorts,
) -> Result<Outcome, End> {
    let whole = in_flight.group().route().timeouts.whole;
    let (began, has_begun) = (request.began, Cell::new(false));
    let running = run(buffers, request, in_flight, connector, io, &has_begun);
    let ended = match whole {
        None => running.await,
        Some(whole) => {
            let late = async {
                sleep(whole.saturating_sub(turn() - began)).await;
                let error = AttemptError::Whole(whole);
                Err(match has_begun.get() {
                    // A client that reads slowly has the same effect.
                    true => Ended::Cut(error.to_string(), false),
                    false => Ended::Failed(error),
                })
            };
            or(running, late).await
        }
    };
    match ended {
        Ok(()) => Ok(Outcome::Answered),
        Err(Ended::Failed(error)) => Ok(Outcome::Failed(error)),
        Err(Ended::Cut(why, is_of_backend)) => Ok(Outcome::Cut(why, is_of_backend)),
        Err(Ended::End(end)) => Err(end),
    }
}

async fn run(
    buffers: &mut Buffers,
    request: &mut Routed,
    in_flight: InFlight,
    connector: &Connector,
    io: &ExchangePorts,
    has_begun: &Cell<bool>,
) -> Result<(), Ended> {
    let group = in_flight.group().clone();
    let state = in_flight.backend().clone();
    let mut attempt = Attempt {
        buffers,
        request,
        route: group.route(),
        io,
        has_begun,
        in_flight: Some(in_flight),
    };
    let ended = attempt.run(connector, &state).await;
    if let (Some(in_flight), Err(Ended::Failed(error))) = (&attempt.in_flight, &ended)
        && error.is_of_backend()
    {
        in_flight.note(true);
    }
    ended
}

/// One attempt, and what it needs.
struct Attempt<'a> {
    buffers: &'a mut Buffers,
    request: &'a mut Routed,
    route: &'a Route,
    io: &'a ExchangePorts,
    /// Whether the client has got the head of the response.
    has_begun: &'a Cell<bool>,
    /// Taken if the connection switches protocols.
    in_flight: Option<InFlight>,
}

/// Whether a backend speaks FastCGI or SCGI.
fn is_script(state: &BackendState) -> bool {
    matches!(state.backend().scheme, Scheme::FastCgi | Scheme::Scgi)
}

impl Attempt<'_> {
    /// Sends the request over an idle connection, or over a new one.
    async fn run(&mut self, connector: &Connector, state: &Arc<BackendState>) -> Result<(), Ended> {
        // The backend may close an idle connection at any time, also just when a request is sent over
        // it. Then it is unknown whether the backend acted on the request, so only those go over an
        // idle connection that may be repeated, and whose bodies are kept for that.
        let head = &self.request.head;
        let says_client = state.backend().send_proxy_protocol;
        if says_client.is_none()
            && head.method.is_idempotent()
            && self.request.body.is_short(&head.fields)
            && let Some(connection) = take(state)
        {
            match self.converse(connection, state).await {
                Err(Ended::Failed(AttemptError::Lost(_))) if self.request.body.is_replayable() => {
                    self.request.body.rewind();
                }
                ended => return ended,
            }
        }
        if is_script(state) {
            // Before a process of the backend waits for it.
            Box::pin(self.gather()).await?;
        }
        let (within, began) = (self.route.timeouts.connect, turn());
        // Boxed, because most requests find an idle connection.
        let connection = Box::pin(connect(state, connector, within)).await?;
        if let Some(report) = &mut self.request.report {
            report.connected(turn() - began);
        }
        if let Some(version) = says_client {
            Box::pin(self.say_client(&connection, version)).await?;
        }
        self.converse(connection, state).await
    }

    /// Reads a body of a moderate or unknown length, before a script gets it.
    async fn gather(&mut self) -> Result<(), AttemptError> {
        let limit = self.route.buffer.unwrap_or_default().max(LONGEST);
        let gathered = self.request.body.gather(&self.request.head.fields, limit);
        Ok(gathered.await?)
    }

    /// Says whose connection it is (the PROXY protocol).
    async fn say_client(
        &mut self,
        connection: &BackendConnection,
        version: ProxyProtocol,
    ) -> Result<(), AttemptError> {
        let addresses = self.request.arrival.addresses();
        let buffer = &mut self.buffers.buffer;
        buffer.clear();
        write_proxy_header(buffer, version, Some(addresses));
        let (may_send, stall) = (Cell::new(true), self.route.timeouts.send);
        let timer = &mut self.buffers.send_timer;
        let mut sending = Sending::new(&connection.socket, stall, &may_send, timer);
        sending.write(buffer).await.map(drop)
    }

    /// Sends the request over a connection, and passes on the response.
    async fn converse(
        &mut self,
        mut connection: BackendConnection,
        state: &Arc<BackendState>,
    ) -> Result<(), Ended> {
        let afterwards = self.exchange(&mut connection, state).await;
        if let Some(messages) = connection.decoder.take_messages() {
            log::warn!("{}: {messages}", state.backend());
        }
        match afterwards? {
            // A connection that belongs to a client serves no other.
            Afterwards::Keep if state.backend().send_proxy_protocol.is_some() => {}
            Afterwards::Keep if connection.decoder.is_reusable() => {
                keep(state, connection, self.route)
            }
            Afterwards::Keep | Afterwards::Close => {}
            Afterwards::Switch(head, first) => self.switch(head, connection.socket, first).await?,
        }
        Ok(())
    }

    /// Sends and receives at the same time, because a backend may answer before it has everything.
    async fn exchange(
        &mut self,
        connection: &mut BackendConnection,
        state: &BackendState,
    ) -> Result<Afterwards, Ended> {
        let (began, timeouts) = (turn(), &self.route.timeouts);
        let is_script = is_script(state);
        let upgrades = self.request.upgrades() && !is_script;
        let inbound = self.request.arrival.inbound();
        let forwarding = Forwarding::new(&self.request.head, &inbound, self.route, state.backend());
        let BackendConnection { socket, decoder } = connection;
        let may_send = Cell::new(is_script || !self.request.expects_continue());
        let (body, buffer) = (&self.request.body, &mut self.buffers.buffer);
        let sent_as = encode(&forwarding, upgrades, body, buffer).await?;
        decoder.expect(&self.request.head.method);
        let send_timer = &mut self.buffers.send_timer;
        let sending = Sending::new(socket, timeouts.send, &may_send, send_timer);
        let sending = sending.send(&mut self.buffers.buffer, &mut self.request.body, sent_as);
        let mut sending = pin!(sending);
        let timer = &mut self.buffers.timer;
        let sent = async { Ok(Err(sending.as_mut().await?)) };
        let notices = self.io.notices.as_ref();
        let interim = Interim::new(self.request.exchange, notices, &forwarding);
        let early = or(sent, async {
            let head = receive_head(socket, decoder, &may_send, &interim);
            head.await.map(Ok)
        });
        let (is_sent, (head, framing)) = match early.await? {
            Ok(early) => (None, early),
            Err(is_sent) => {
                let head = receive_head(socket, decoder, &may_send, &interim);
                let head = within(head, timer, timeouts.first_byte).await?;
                (Some(is_sent), head)
            }
        };
        state.answered(head.status, turn() - began);
        if let Some(in_flight) = &self.in_flight {
            in_flight.note(head.status.is_server_error());
        }
        if let Some(report) = &mut self.request.report {
            Box::pin(tell(report, head.status, self.io)).await?;
        }
        let mut passing = Passing {
            exchange: self.request.exchange,
            upgrades,
            socket,
            decoder,
            timer,
            silence: timeouts.first_byte,
            responses: &self.io.responses,
            has_begun: self.has_begun,
            forwarding,
            state,
        };
        let sending = may_send.get().then_some(sending);
        finish(passing.pass_on(head, framing), is_sent, sending).await
    }

    /// Goes on with another protocol in both directions.
    async fn switch(
        &mut self,
        head: ResponseHead,
        socket: Socket,
        first: Bytes,
    ) -> Result<(), Ended> {
        let transport = socket.into_transport();
        let (Some(transport), Some(in_flight)) = (transport, self.in_flight.take()) else {
            return Err(AttemptError::Lost(ended()).into());
        };
        let response = Response {
            exchange: self.request.exchange,
            head,
            body: Body::Upgrade(tunnel(in_flight, transport, first)),
        };
        let sent = self.io.responses.send(response).await;
        self.has_begun.set(true);
        sent.map_err(gone)
    }
}

/// Tells the log and the explanation that the response began.
async fn tell(report: &mut Report, status: StatusCode, io: &ExchangePorts) -> Result<(), Ended> {
    let listeners = io.listeners();
    let told = report.answered(status, &listeners).await;
    told.map_err(Ended::End)
}

/// Passes the response on, and meanwhile sends what is left of the request, if the backend may get
/// it.
async fn finish(
    passing: impl Future<Output = Result<Afterwards, Ended>>,
    is_sent: Option<bool>,
    sending: Option<impl Future>,
) -> Result<Afterwards, Ended> {
    match (is_sent, sending) {
        (Some(true), _) => passing.await,
        (None, Some(sending)) => {
            let rest = async {
                // The response may be all that there is.
                let _ = sending.await;
                pending().await
            };
            or(passing, rest).await.map(Afterwards::but_close)
        }
        // A part of the request is missing: nothing can follow on this connection.
        _ => passing.await.map(Afterwards::but_close),
    }
}

/// Writes the head of the request to the buffer; returns how the body is framed.
async fn encode(
    forwarding: &Forwarding<'_>,
    upgrades: bool,
    body: &OutgoingBody,
    buffer: &mut Vec<u8>,
) -> Result<Framing, AttemptError> {
    let head = forwarding.request(upgrades)?;
    let received = &forwarding.head.fields;
    buffer.clear();
    let framing = match forwarding.backend.scheme {
        Scheme::Http | Scheme::Https => {
            let kind = body.kind(received);
            encode_request(buffer, &head, kind);
            return Ok(Framing::Http(kind));
        }
        Scheme::FastCgi => Framing::FastCgi,
        Scheme::Scgi => Framing::Plain,
    };
    // Boxed, because most backends speak HTTP.
    Box::pin(encode_script(
        buffer,
        forwarding,
        &head,
        body.kind(received),
    ))
    .await?;
    Ok(framing)
}

pub(super) fn gone<T>(_: Closed<T>) -> Ended {
    Ended::End(End::Closed)
}
