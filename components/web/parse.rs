//! The parser: bytes in, requests out.
//!
//! ```text
//!   bytes ──▶ ┌───────────────┐ ──▶ requests    in the order of their arrival
//!             │ parse_requests│ ──▶ failures    errors of the peer
//! written ──▶ └───────────────┘ ──▶ notices     to the encoder: 100 (Continue), last request
//! ```
//!
//! The protocol itself is in [`RequestDecoder`]; this part does the waiting.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::time::{Timer, turn};
use kamea::{Component, Done, End, Inbox, Outbox, Ports, Receiver, Sender, is_stopping, link};

use crate::net::{Finish, Socket};

use super::content::{Content, Incomplete, Part};
use super::message::{ErrorForm, Exchange, Failure, Request};
use crate::http::{
    BodyKind, Event, Fields, Limits, Malformed, Phase, RequestDecoder, RequestHead, ResponseHead,
};

/// The ports of [`parse_requests`].
#[derive(Debug, Ports)]
pub struct ParsePorts {
    /// Raw bytes of one connection.
    pub bytes: Inbox<Bytes>,
    /// The responses that have been written: the number of open requests is bounded.
    pub written: Inbox<Written>,
    /// Requests, in the order of their arrival.
    pub requests: Outbox<Request>,
    /// What the peer did wrong.
    pub failures: Outbox<Failure>,
    /// What the encoder must know about the connection.
    pub notices: Outbox<Notice>,
}

/// A response that has been written completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The number of its exchange.
    pub number: u64,
    /// Its status.
    pub status: StatusCode,
    /// The number of bytes of its body.
    pub content: u64,
}

/// Messages to the encoder, beside the responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The peer waits for 100 (Continue) before it sends the body of this exchange (RFC 9110
    /// section 10.1.1). A response that is sent before that is the last of the connection: nobody
    /// can know whether the body will still arrive.
    Expects(u64),
    /// A handler wants the body of this exchange: send 100 (Continue).
    Continue(u64),
    /// The body of this exchange arrives, though the peer did not get 100 (Continue).
    Comes(u64),
    /// The connection ends before this exchange: no exchange with this or a higher number will
    /// arrive.
    EndsBefore {
        /// The number.
        number: u64,
        /// How the connection ends.
        finish: Finish,
    },
    /// Extra fields for the response of this exchange: a program set them before it redirected the
    /// request.
    Carry {
        /// The number of the exchange.
        number: u64,
        /// The fields.
        fields: Box<Fields>,
    },
    /// An interim response (RFC 9110 section 15.2) to the request of an exchange: 103 (Early
    /// Hints), for example. It is sent when the exchange is due, before the final response, and
    /// never to a peer that speaks HTTP/1.0.
    Interim {
        /// The exchange.
        exchange: Exchange,
        /// The head: any informational status but 100 and 101.
        head: Box<ResponseHead>,
    },
}

/// How many requests of a connection may be open at the same time.
pub(crate) const WINDOW: u64 = 64;

/// How many chunks of a request's body may wait for its handler.
const CONTENT_CAPACITY: usize = 4;

/// Time limits of the parser for its peer. Each bounds the cost of a silent or slow peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the whole head of a request, from its first byte on.
    pub head: Duration,
    /// For the next bytes of a request's body, and in total for a body that arrives slower than
    /// `rate`.
    pub content: Duration,
    /// The minimum rate of a body, in bytes per second, on average over any time that is longer
    /// than `content`. Time during which the handler does not read does not count. 0 means no
    /// limit.
    pub rate: u32,
    /// For the next request. After this time the graph of the connection is dropped; the connection
    /// itself stays open.
    pub linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(20),
            content: Duration::from_secs(30),
            rate: 500,
            linger: Duration::from_millis(20),
        }
    }
}

/// Parses the requests of one connection.
///
/// It ends when the peer has finished, after a request that closes the connection, after invalid
/// input (which becomes a failure), or when the peer has been silent between two requests for
/// [`Patience::linger`]. Once `retiring` is set, it ends between two requests as soon as all
/// earlier ones are answered.
///
/// Requests with safe methods may be served in parallel; any other request is served alone (RFC
/// 9112 section 9.3.2).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use kamea::Graph;
/// use kamea_components::http::Limits;
/// use kamea_components::web::{Patience, parse_requests};
///
/// let mut graph = Graph::new("parser alone");
/// let peer = "192.0.2.1:1234".parse()?;
/// let parser = parse_requests(peer, Limits::default(), Patience::default(), Arc::default());
/// let parser = graph.add("parser", parser);
/// let (bytes, _written) = (graph.feed(parser.bytes), graph.feed(parser.written));
/// let mut requests = graph.take(parser.requests);
/// let (_failures, _notices) = (graph.take(parser.failures), graph.take(parser.notices));
/// bytes.try_send("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n".into()).unwrap();
/// drop(bytes);
/// kamea::testing::block_on(graph.start()?)?;
/// let paths = std::iter::from_fn(|| requests.try_next()).map(|request| request.head.target.path().to_owned());
/// assert_eq!(paths.collect::<Vec<_>>(), ["/one", "/two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse_requests(
    peer: SocketAddr,
    limits: Limits,
    patience: Patience,
    retiring: Arc<AtomicBool>,
) -> impl Component<ParsePorts> {
    parse_requests_of(peer, limits, patience, retiring)
}

/// The end of a connection that the parser knows only through its bytes.
pub(crate) trait Client: 'static {
    /// The address.
    fn address(&self) -> SocketAddr;

    /// Waits until a response is given up because its client has gone, so that it will never come:
    /// a request that would have to wait for it ends the connection instead.
    fn gone(&self) -> impl Future<Output = ()>;

    /// Returns bytes that belong to the protocol after an upgrade.
    fn unread(&self, bytes: &[u8]);
}

/// A client that is nothing but its bytes.
impl Client for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }

    async fn gone(&self) {
        std::future::pending().await
    }

    fn unread(&self, _: &[u8]) {}
}

impl Client for Rc<Socket> {
    fn address(&self) -> SocketAddr {
        self.peer()
    }

    async fn gone(&self) {
        self.cancelled().await;
    }

    fn unread(&self, bytes: &[u8]) {
        Socket::unread(self, bytes);
    }
}

/// Like `parse_requests`, for a client whose connection is at hand.
pub(crate) fn parse_requests_of(
    client: impl Client,
    limits: Limits,
    patience: Patience,
    retiring: Arc<AtomicBool>,
) -> impl Component<ParsePorts> {
    async move |io: &mut ParsePorts| {
        let decoder = RequestDecoder::new(limits);
        let mut parser = Parser {
            io,
            decoder,
            peer: client.address(),
            patience,
            retiring: &retiring,
            client: &client,
            timer: Timer::new(),
            head_began: None,
            allowance: Duration::ZERO,
            next: 0,
            written: 0,
            is_alone: false,
            asks_to_upgrade: false,
            present: Present::None,
        };
        parser.run().await
    }
}

struct Parser<'a, C> {
    io: &'a mut ParsePorts,
    decoder: RequestDecoder,
    peer: SocketAddr,
    patience: Patience,
    retiring: &'a AtomicBool,
    client: &'a C,
    timer: Timer,
    /// When the first bytes of the current head arrived.
    head_began: Option<Instant>,
    /// The time that the peer may still use for the body, beyond what its rate allows.
    allowance: Duration,
    /// The number of the next exchange.
    next: u64,
    /// The number of completed exchanges.
    written: u64,
    /// Whether the last request must be served alone.
    is_alone: bool,
    /// Whether the last request asks for another protocol, and is not answered yet.
    asks_to_upgrade: bool,
    present: Present,
}

/// The request whose body is arriving.
enum Present {
    None,
    /// Sends the body to its handler, while the handler reads.
    Content {
        to: Sender<Part>,
        closes: Option<Finish>,
        /// Reports that the body is wanted, if the peer waits for 100 (Continue).
        asked: Option<Receiver<()>>,
    },
}

/// Why the parser stopped waiting.
enum Woken {
    Bytes(Bytes),
    /// The peer has finished.
    End,
    Expired,
    /// A handler wants the body for which the peer waits.
    Asked,
    /// No handler ever will want it.
    Declined,
}

impl<C: Client> Parser<'_, C> {
    async fn run(&mut self) -> Done {
        loop {
            match self.decoder.next() {
                Ok(Some(Event::Head(head, kind))) => {
                    let closes = self.begin(Box::new(head), kind).await?;
                    if let Some(finish) = closes
                        && kind == BodyKind::None
                    {
                        return self.end(finish).await;
                    }
                    if self.asks_to_upgrade && Box::pin(self.is_upgraded()).await? {
                        self.hand_on();
                        return Ok(());
                    }
                }
                Ok(Some(Event::Chunk(bytes))) => self.pass_on(Part::Chunk(bytes)).await,
                Ok(Some(Event::End(trailers))) => {
                    self.pass_on(Part::End(trailers)).await;
                    if let Present::Content {
                        closes: Some(finish),
                        ..
                    } = std::mem::replace(&mut self.present, Present::None)
                    {
                        return self.end(finish).await;
                    }
                }
                Ok(None) => match self.wait().await? {
                    Woken::Bytes(bytes) => self.decoder.feed(bytes),
                    Woken::Asked => {}
                    Woken::End => return self.peer_finished().await,
                    Woken::Declined => return self.end(Finish::Linger).await,
                    Woken::Expired => return self.expired().await,
                },
                Err(malformed) => return self.refuse(malformed).await,
            }
        }
    }

    /// Passes a request on. Returns how the connection ends with it, if it does.
    async fn begin(
        &mut self,
        head: Box<RequestHead>,
        kind: BodyKind,
    ) -> Result<Option<Finish>, End> {
        log::debug!(
            "{} | Parsing ['{}', '{}', '{:?}']",
            self.peer,
            head.method,
            head.target,
            head.version
        );
        self.head_began = None;
        let was_alone = std::mem::replace(&mut self.is_alone, !head.method.is_safe());
        let window = if self.is_alone || was_alone {
            1
        } else {
            WINDOW
        };
        while self.next - self.written >= window {
            // Boxed, so that the parser is small while it does not wait here.
            Box::pin(self.next_written()).await?;
        }
        let closes = if !head.is_persistent() {
            Some(Finish::Close)
        } else if is_stopping() || head.method == Method::CONNECT {
            // The peer does not expect it, and may have sent more (RFC 9112 section 9.6). After
            // CONNECT, that is meant for the other end of a tunnel, and is no request to this server.
            Some(Finish::Linger)
        } else {
            None
        };
        let exchange = Exchange {
            version: head.version,
            is_head: head.method == Method::HEAD,
            closes: closes.is_some(),
            error_form: ErrorForm::wanted_by(&head.fields),
            ..Exchange::new(self.next, self.peer)
        };
        self.next += 1;
        self.asks_to_upgrade = kind == BodyKind::None && closes.is_none() && head.asks_to_upgrade();
        let mut content = None;
        if kind != BodyKind::None {
            content = Some(Box::new(
                self.begin_content(&exchange, &head, closes).await?,
            ));
        }
        self.io
            .requests
            .send(Request::new(exchange, head, content))
            .await?;
        Ok(closes)
    }

    /// Waits until another response has been written. A client that is gone ends the connection.
    async fn next_written(&mut self) -> Result<Written, End> {
        let written = async { Some(self.io.written.next().await) };
        let gone = async {
            self.client.gone().await;
            None
        };
        let Some(written) = or(written, gone).await else {
            self.end(Finish::Close).await?;
            return Err(End::Closed);
        };
        self.note(written)?;
        written.ok_or(End::Closed)
    }

    /// Waits for the answer to a request that asks for another protocol. Until then nobody knows
    /// what the next bytes mean.
    async fn is_upgraded(&mut self) -> Result<bool, End> {
        self.asks_to_upgrade = false;
        loop {
            let written = self.next_written().await?;
            if self.written >= self.next {
                return Ok(written.status == StatusCode::SWITCHING_PROTOCOLS);
            }
        }
    }

    /// Returns what was read for the next protocol. The reader returns what it still has.
    fn hand_on(&mut self) {
        self.client.unread(&self.decoder.rest());
        while let Some(bytes) = self.io.bytes.try_next() {
            self.client.unread(&bytes);
        }
    }

    /// Returns the body of a request, which is still to arrive.
    async fn begin_content(
        &mut self,
        exchange: &Exchange,
        head: &RequestHead,
        closes: Option<Finish>,
    ) -> Result<Content, End> {
        self.allowance = self.patience.content;
        let (to, parts) = link(CONTENT_CAPACITY);
        let (mut content, mut asked) = (Content::new(parts), None);
        if head.expects_continue() && self.decoder.is_empty() {
            self.io
                .notices
                .send(Notice::Expects(exchange.number))
                .await?;
            let (asks, receiver) = link(1);
            content = content.on_request(asks);
            asked = Some(receiver);
        }
        self.present = Present::Content { to, closes, asked };
        Ok(content)
    }

    /// Passes a part of the body to its handler. A handler that no longer reads does not get it.
    async fn pass_on(&mut self, part: Part) {
        if let Present::Content { to, .. } = &self.present {
            let _ = to.send(part).await;
        }
    }

    /// Waits for the next action of the peer.
    async fn wait(&mut self) -> Result<Woken, End> {
        let began = turn();
        let woken = self.woken().await?;
        match &woken {
            Woken::Bytes(bytes) => {
                self.credit(turn().saturating_duration_since(began), bytes.len());
                if self.stop_expecting() {
                    self.io.notices.send(Notice::Comes(self.next - 1)).await?;
                }
            }
            Woken::Asked => {
                self.stop_expecting();
                self.io
                    .notices
                    .send(Notice::Continue(self.next - 1))
                    .await?;
            }
            Woken::End | Woken::Expired | Woken::Declined => {}
        }
        Ok(woken)
    }

    /// Records how much the peer has sent in a time: see [`Patience::rate`].
    fn credit(&mut self, waited: Duration, bytes: usize) {
        if let Some(nanoseconds) =
            (bytes as u64 * 1_000_000_000).checked_div(self.patience.rate.into())
        {
            let left = self.allowance.saturating_sub(waited) + Duration::from_nanos(nanoseconds);
            self.allowance = left.min(self.patience.content);
        }
    }

    /// The peer no longer needs 100 (Continue). Returns whether it waited for that.
    fn stop_expecting(&mut self) -> bool {
        match &mut self.present {
            Present::Content { asked, .. } => asked.take().is_some(),
            Present::None => false,
        }
    }

    async fn woken(&mut self) -> Result<Woken, End> {
        // Only a parser that would otherwise end must wait for the last responses. Usually the next
        // request arrives earlier, which saves a wake-up for every response.
        let mut follows_responses = false;
        loop {
            if let Some(bytes) = self.io.bytes.try_next() {
                return Ok(Woken::Bytes(bytes));
            }
            if self.retiring.load(Ordering::Relaxed) && self.decoder.is_empty() {
                follows_responses = self.has_responses_to_come();
                if !follows_responses && self.decoder.phase() == Phase::BetweenRequests {
                    return Ok(Woken::Expired);
                }
            }
            match self.deadline(follows_responses) {
                Some(deadline) => self.timer.set(deadline),
                None => self.timer.clear(),
            }
            let bytes = async { Ok(self.io.bytes.next().await.map_or(Woken::End, Woken::Bytes)) };
            let written = async {
                if follows_responses {
                    return Err(self.io.written.next().await);
                }
                self.io.notices.closed().await;
                Err(None)
            };
            let expired = async {
                self.timer.expired().await;
                Ok(Woken::Expired)
            };
            let asked = async {
                let Present::Content {
                    asked: Some(asked), ..
                } = &mut self.present
                else {
                    return std::future::pending().await;
                };
                let wanted = asked.next().await;
                Ok(wanted.map_or(Woken::Declined, |()| Woken::Asked))
            };
            match or(or(bytes, asked), or(written, expired)).await {
                Ok(Woken::Expired) if self.has_responses_to_come() => follows_responses = true,
                Ok(woken) => return Ok(woken),
                Err(written) => self.note(written)?,
            }
        }
    }

    /// Records a response that has been written; `None` means that the encoder has ended.
    fn note(&mut self, written: Option<Written>) -> Result<(), End> {
        self.written = written.ok_or(End::Closed)?.number + 1;
        Ok(())
    }

    /// Whether, between two requests, an earlier one is not yet completely answered.
    fn has_responses_to_come(&mut self) -> bool {
        while let Some(Written { number, .. }) = self.io.written.try_next() {
            self.written = number + 1;
        }
        self.decoder.phase() == Phase::BetweenRequests && self.next > self.written
    }

    fn deadline(&mut self, follows_responses: bool) -> Option<Instant> {
        match self.decoder.phase() {
            Phase::BetweenRequests if follows_responses && self.next > self.written => None,
            Phase::BetweenRequests => Some(turn() + self.patience.linger),
            Phase::InHead => Some(*self.head_began.get_or_insert_with(turn) + self.patience.head),
            // A peer that has not received 100 (Continue) may wait.
            Phase::InBody if self.expects() => None,
            Phase::InBody => Some(turn() + self.patience.content.min(self.allowance)),
        }
    }

    /// Whether the peer waits for 100 (Continue).
    fn expects(&self) -> bool {
        matches!(self.present, Present::Content { asked: Some(_), .. })
    }

    async fn peer_finished(&mut self) -> Done {
        match self.decoder.finish() {
            Ok(()) => self.end(Finish::Close).await,
            Err(malformed) => self.refuse(malformed).await,
        }
    }

    /// Reports an error in a request. If a limit is exceeded, the log says how to raise it: the
    /// peer learns nothing about the configuration.
    async fn refuse(&mut self, malformed: Malformed) -> Done {
        if let Some(limit) = self.decoder.limits().exceeded_by(malformed) {
            log::warn!("{} | {malformed}: {limit}", self.peer);
        }
        self.fail(malformed.status(), malformed.to_string()).await
    }

    async fn expired(&mut self) -> Done {
        match self.decoder.phase() {
            Phase::BetweenRequests => return Ok(()),
            // Only empty lines arrived: the peer expects no response, and could take one for that
            // of a later request.
            Phase::InHead if self.decoder.is_empty() => return self.end(Finish::Close).await,
            Phase::InHead | Phase::InBody => {}
        }
        self.fail(
            StatusCode::REQUEST_TIMEOUT,
            "the rest of the request did not come in time",
        )
        .await
    }

    /// Reports an error: through the handler that reads the body, if there is one, else through the
    /// error component.
    async fn fail(
        &mut self,
        status: StatusCode,
        explanation: impl Into<Cow<'static, str>>,
    ) -> Done {
        let explanation = explanation.into();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            log::warn!(
                "{} | 413: the body is larger than --max-body allows",
                self.peer
            );
        }
        match std::mem::replace(&mut self.present, Present::None) {
            Present::Content { to, .. } => {
                // A handler that no longer reads has answered, or will answer.
                let _ = to
                    .send(Part::Cut(Incomplete {
                        status,
                        explanation,
                    }))
                    .await;
            }
            Present::None => {
                let exchange = Exchange::new(self.next, self.peer).closing();
                self.next += 1;
                let failure = Failure::new(exchange, status, explanation);
                self.io.failures.send(failure).await?;
            }
        }
        self.end(Finish::Linger).await
    }

    async fn end(&self, finish: Finish) -> Done {
        Ok(self
            .io
            .notices
            .send(Notice::EndsBefore {
                number: self.next,
                finish,
            })
            .await?)
    }
}

#[cfg(test)]
mod tests;
