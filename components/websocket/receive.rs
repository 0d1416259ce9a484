//! The receiving half of a connection: bytes in, messages out.
//!
//! ```text
//! bytes ──▶ receive_messages ──▶ messages
//!                  └────────────▶ controls     pongs and closes, to send_messages
//! ```

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{Timer, sleep, turn};
use kamea::{Component, Done, End, Inbox, Outbox, Ports, stopping};

use super::delivery::Gatherer;
use super::send::CLOSE_WITHIN;
use super::{
    Close, CloseCode, Decoder, Deflate, Event, Message, Role, Violation, WebSocketOptions,
};

/// What [`send_messages`](super::send_messages) must send beside messages. It is never behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The peer has been silent: ask whether it is there.
    Ping,
    /// The answer to a ping.
    Pong(Bytes),
    /// The connection ends with what came: send this close frame behind the answers to the messages
    /// before it, unless one has been sent already.
    Answer(Close),
    /// Close the connection now, because the server stops.
    Close(Close),
}

/// The ports of [`receive_messages`].
#[derive(Debug, Ports)]
pub struct ReceivePorts {
    /// Raw bytes of one connection.
    pub bytes: Inbox<Bytes>,
    /// If linked: what the handshake agreed to. Nothing is received before.
    pub agreed: Option<Inbox<Option<Deflate>>>,
    /// If linked: messages, whole or in pieces. They end before the connection does, so that what
    /// makes the answers ends too.
    pub messages: Option<Outbox<Message>>,
    /// If linked: why the messages have ended, before their end.
    pub closed: Option<Outbox<Close>>,
    /// What the sender has to do. Link it with a capacity of 2: a peer that floods us with pings
    /// is then as slow as it reads our pongs.
    pub controls: Outbox<Control>,
}

/// How long a silent peer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A peer that has sent nothing for so long gets a ping. Default: 30 s.
    pub ping: Duration,
    /// A peer that sends nothing for so long after the ping has gone. Default: 20 s.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(30),
            answer: Duration::from_secs(20),
        }
    }
}

/// Receives the messages of one connection.
///
/// It ends after a close frame, after a [`Violation`], when the bytes end, and when the peer does
/// not answer a ping. Once nobody takes messages any more, it drops them and waits for the close
/// frame.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::websocket::{Control, Message, Role, WebSocketOptions, receive_messages};
///
/// let mut graph = Graph::new("receiver alone");
/// let receive = receive_messages(Role::Server, None, &WebSocketOptions::default());
/// let receive = graph.add("receive", receive);
/// let (bytes, mut messages) = (graph.feed(receive.bytes), graph.take(receive.messages));
/// let mut controls = graph.take(receive.controls);
/// bytes.try_send(vec![0x82, 0x81, 0, 0, 0, 0, 7, 0x89, 0x80, 0, 0, 0, 0].into()).unwrap();
/// drop(bytes);
/// kamea::testing::block_on(graph.start()?)?;
/// assert_eq!(messages.try_next(), Some(Message::binary(vec![7])));
/// assert_eq!(controls.try_next(), Some(Control::Pong("".into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn receive_messages(
    role: Role,
    deflate: Option<Deflate>,
    options: &WebSocketOptions,
) -> impl Component<ReceivePorts> + use<> {
    let WebSocketOptions {
        limits,
        patience,
        delivery,
        ..
    } = *options;
    async move |io: &mut ReceivePorts| {
        let deflate = match &mut io.agreed {
            None => deflate,
            Some(agreed) => match agreed.next().await {
                Some(deflate) => deflate,
                None => return Ok(()),
            },
        };
        let mut receiver = Receiver {
            io,
            role,
            decoder: Decoder::new(role, limits, deflate),
            gatherer: Gatherer::new(delivery),
            patience,
            timer: Timer::new(),
            has_asked: false,
            allowance: Allowance::new(limits.control_frames),
        };
        receiver.run().await
    }
}

struct Receiver<'a> {
    io: &'a mut ReceivePorts,
    role: Role,
    decoder: Decoder,
    gatherer: Gatherer,
    patience: Patience,
    timer: Timer,
    /// Whether the peer has been sent a ping since it sent its last bytes.
    has_asked: bool,
    allowance: Allowance,
}

enum Woken {
    Bytes(Bytes),
    End,
    Silence,
    Stopping,
}

impl Receiver<'_> {
    async fn run(&mut self) -> Done {
        self.heard();
        loop {
            match self.decoder.next() {
                Ok(Some(event)) => {
                    if let Some(violation) = self.handle(event).await? {
                        return self.fail(violation).await;
                    }
                }
                Ok(None) if self.decoder.is_closed() => {
                    self.linger().await;
                    return Ok(());
                }
                Ok(None) => match self.wait().await {
                    Woken::Bytes(bytes) => {
                        self.heard();
                        self.decoder.feed(bytes);
                    }
                    Woken::End => {
                        self.tell(Close::new(CloseCode::ABNORMAL, "the connection has ended"));
                        return Ok(());
                    }
                    Woken::Silence if self.has_asked => {
                        log::debug!("a WebSocket peer has not answered a ping");
                        self.tell(Close::new(CloseCode::ABNORMAL, "no answer to a ping"));
                        return Ok(());
                    }
                    Woken::Silence => {
                        self.has_asked = true;
                        self.timer.set(turn() + self.patience.answer);
                        self.control(Control::Ping).await?;
                    }
                    Woken::Stopping => return self.go_away().await,
                },
                Err(violation) => return self.fail(violation).await,
            }
        }
    }

    /// Passes on what has come. Returns a violation that only shows here.
    async fn handle(&mut self, event: Event) -> Result<Option<Violation>, End> {
        match event {
            Event::Data {
                kind,
                bytes,
                is_last,
            } => match self.gatherer.add(kind, bytes, is_last) {
                Ok(Some(message)) => {
                    // Nobody may want it any more, while the close frame is still to come.
                    if let Some(messages) = &self.io.messages {
                        let _ = messages.send(message).await;
                    }
                }
                Ok(None) => {}
                Err(violation) => return Ok(Some(violation)),
            },
            Event::Ping(payload) => {
                if let Err(violation) = self.allowance.take() {
                    return Ok(Some(violation));
                }
                self.control(Control::Pong(payload)).await?;
            }
            Event::Pong(_) => return Ok(self.allowance.take().err()),
            Event::Close(close) => {
                // RFC 6455 section 5.5.1: the answer echoes the code.
                let answer = Close::new(close.code, "");
                self.tell(close);
                self.control(Control::Answer(answer)).await?;
            }
        }
        Ok(None)
    }

    async fn wait(&mut self) -> Woken {
        // The sender has closed the connection. A peer that goes on sending must not hold it.
        if self.io.controls.is_closed() {
            return Woken::End;
        }
        if let Some(bytes) = self.io.bytes.try_next() {
            return Woken::Bytes(bytes);
        }
        let bytes = async { self.io.bytes.next().await.map_or(Woken::End, Woken::Bytes) };
        let silence = async {
            self.timer.expired().await;
            Woken::Silence
        };
        let stop = pin!(async {
            stopping().await;
            Woken::Stopping
        });
        let closed = async {
            self.io.controls.closed().await;
            Woken::End
        };
        or(bytes, or(silence, or(stop, closed))).await
    }

    /// Notes that the peer is there.
    fn heard(&mut self) {
        self.has_asked = false;
        self.timer.set(turn() + self.patience.ping);
    }

    /// Tells the part why no more messages come. Only the first reason is told.
    fn tell(&self, close: Close) {
        if let Some(closed) = &self.io.closed {
            let _ = closed.try_send(close);
        }
    }

    async fn control(&self, control: Control) -> Done {
        self.io.controls.send(control).await?;
        Ok(())
    }

    async fn fail(&mut self, violation: Violation) -> Done {
        log::debug!("a WebSocket peer broke the protocol: {violation}");
        let close = Close::new(violation.close_code(), violation.to_string());
        self.tell(close.clone());
        self.control(Control::Answer(close)).await?;
        self.linger().await;
        Ok(())
    }

    /// RFC 6455 section 7.1.1: the server closes the TCP connection first; a client waits for that.
    async fn linger(&mut self) {
        if self.role == Role::Server {
            return;
        }
        // The close frame is sent behind the answers, which end once the messages have ended.
        self.io.messages = None;
        let closed = async { while self.io.bytes.next().await.is_some() {} };
        let late = or(sleep(CLOSE_WITHIN), self.io.controls.closed());
        or(closed, late).await;
    }

    /// Tells the peer that the server stops, and waits for its close frame.
    async fn go_away(&mut self) -> Done {
        let close = Close::new(CloseCode::GOING_AWAY, "the server stops");
        self.tell(close.clone());
        self.control(Control::Close(close)).await?;
        loop {
            match self.decoder.next() {
                Ok(Some(event @ Event::Close(_))) => {
                    self.handle(event).await?;
                    return Ok(());
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    let bytes = self.io.bytes.next();
                    match self.io.controls.while_open(bytes).await {
                        Ok(Some(bytes)) => self.decoder.feed(bytes),
                        Ok(None) | Err(_) => return Ok(()),
                    }
                }
                Err(_) => return Ok(()),
            }
        }
    }
}

/// How many control frames may come in the present second.
struct Allowance {
    limit: u32,
    left: u32,
    until: Option<std::time::Instant>,
}

impl Allowance {
    fn new(limit: u32) -> Self {
        Self {
            limit,
            left: limit,
            until: None,
        }
    }

    fn take(&mut self) -> Result<(), Violation> {
        let now = turn();
        if self.until.is_none_or(|until| now >= until) {
            self.until = now.checked_add(Duration::from_secs(1));
            self.left = self.limit;
        }
        let limit = self.limit;
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(Violation::TooManyControlFrames { limit })?;
        Ok(())
    }
}
