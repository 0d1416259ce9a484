//! The sending half of a connection: messages in, bytes out.
//!
//! ```text
//! messages ──▶ send_messages ──▶ bytes
//! controls ──────▲                            pongs and closes, never behind messages
//! ```

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use kamea::time::{Timer, sleep, turn};
use kamea::{Component, Done, End, Fault, Inbox, Outbox, Ports};

use super::{Close, CloseCode, Control, Deflate, DeflateOptions, Encoder, Message, Opening, Role};

/// The ports of [`send_messages`].
#[derive(Debug, Ports)]
pub struct SendPorts {
    /// Messages for the peer. Their end closes the connection with code 1000.
    pub messages: Inbox<Message>,
    /// What [`receive_messages`](super::receive_messages) wants sent.
    pub controls: Inbox<Control>,
    /// If linked: how to close the connection, behind the messages that wait.
    pub closes: Option<Inbox<Close>>,
    /// If linked: the faults of what makes the messages. After one, their end closes the connection
    /// with code 1011.
    pub faults: Option<Inbox<Fault>>,
    /// If linked: the bytes of the handshake, and then what it agreed to. No message is sent
    /// before.
    pub opening: Option<Inbox<Opening>>,
    /// Raw bytes of one connection. They end with the connection.
    pub bytes: Outbox<Bytes>,
}

/// How long either end may take to answer a close frame.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How long a client that answers a close frame waits for the end of its messages. They may come
/// from a source that knows nothing of the connection, such as a console.
const CLIENT_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A connection that sends nothing for so long gives up the memory of its compressor.
const IDLE: Duration = Duration::from_secs(1);

/// From this size on, frames are passed on instead of being gathered further, in bytes.
const GATHERED: usize = 16 * 1024;

/// Sends the messages of one connection. Frames of messages that wait together are passed on
/// together, so that they are written by one call.
///
/// When the messages end it sends a close frame and waits 5 s for the answer. When the controls
/// end, the peer has gone: it ends.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::websocket::{DeflateOptions, Message, Role, send_messages};
///
/// let mut graph = Graph::new("sender alone");
/// let send = graph.add("send", send_messages(Role::Server, None, DeflateOptions::default()));
/// let (messages, controls) = (graph.feed(send.messages), graph.feed(send.controls));
/// let mut bytes = graph.take(send.bytes);
/// messages.try_send(Message::text("a")).unwrap();
/// messages.try_send(Message::text("b")).unwrap();
/// kamea::testing::block_on(async {
///     let flow = graph.start()?;
///     let script = async {
///         assert_eq!(bytes.next().await.unwrap(), b"\x81\x01a\x81\x01b"[..]);
///         drop(controls);
///         drop(messages);
///     };
///     futures_lite::future::zip(flow, script).await.0?;
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn send_messages(
    role: Role,
    deflate: Option<Deflate>,
    options: DeflateOptions,
) -> impl Component<SendPorts> {
    async move |io: &mut SendPorts| {
        let Some(deflate) = open(io, deflate).await? else {
            return Ok(());
        };
        let deflate = deflate.map(|agreed| (agreed, options));
        let mut sender = Sender {
            io,
            role,
            encoder: Encoder::new(role, deflate),
            gathered: BytesMut::new(),
            timer: Timer::new(),
        };
        sender.run().await
    }
}

/// Sends the bytes of a handshake. Returns the agreed compression, or `None` if it has failed.
async fn open(
    io: &mut SendPorts,
    deflate: Option<Deflate>,
) -> Result<Option<Option<Deflate>>, End> {
    let Some(opening) = &mut io.opening else {
        return Ok(Some(deflate));
    };
    while let Some(step) = opening.next().await {
        match step {
            Opening::Bytes(bytes) => io.bytes.send(bytes).await?,
            Opening::Open(deflate) => return Ok(Some(deflate)),
        }
    }
    Ok(None)
}

struct Sender<'a> {
    io: &'a mut SendPorts,
    role: Role,
    encoder: Encoder,
    gathered: BytesMut,
    timer: Timer,
}

enum Next {
    Message(Message),
    Control(Control),
    /// The messages have ended.
    Done,
    /// The source of the messages closes the connection.
    Close(Close),
    /// The controls have ended.
    Gone,
    /// Nothing has been sent for a while.
    Idle,
}

/// Waits for the close frame that the maker of the messages wants.
async fn closed_by(closes: &mut Inbox<Close>) -> Next {
    match closes.next().await {
        Some(close) => Next::Close(close),
        // The end of the messages will say so.
        None => std::future::pending().await,
    }
}

impl Sender<'_> {
    async fn run(&mut self) -> Done {
        loop {
            match self.next().await {
                Next::Message(message) => self.message(&message).await?,
                Next::Control(Control::Answer(close)) => return self.answer(close).await,
                Next::Control(Control::Close(close)) => return self.close_first(close).await,
                Next::Control(control) => self.control(&control),
                Next::Done => {
                    let close = self.farewell();
                    return self.close_first(close).await;
                }
                Next::Close(close) => return self.close_first(close).await,
                Next::Gone => return Ok(()),
                Next::Idle => self.encoder.rest(),
            }
            if self.io.messages.is_empty() || self.gathered.len() >= GATHERED {
                self.flush().await?;
            }
        }
    }

    /// The next thing to send; what has been gathered waits for nothing.
    async fn next(&mut self) -> Next {
        let SendPorts {
            messages,
            controls,
            closes,
            ..
        } = &mut *self.io;
        if let Some(control) = controls.try_next() {
            return Next::Control(control);
        }
        if let Some(message) = messages.try_next() {
            return Next::Message(message);
        }
        let control = async { controls.next().await.map_or(Next::Gone, Next::Control) };
        let message = async {
            let message = async { messages.next().await.map_or(Next::Done, Next::Message) };
            match closes {
                None => message.await,
                Some(closes) => or(message, closed_by(closes)).await,
            }
        };
        if !self.encoder.keeps_context() {
            return or(control, message).await;
        }
        self.timer.set(turn() + IDLE);
        let idle = async {
            self.timer.expired().await;
            Next::Idle
        };
        or(control, or(message, idle)).await
    }

    /// How a connection closes whose messages have ended.
    fn farewell(&mut self) -> Close {
        let wished = self.io.closes.as_mut().and_then(Inbox::try_next);
        let fault = self.io.faults.as_mut().and_then(Inbox::try_next);
        match (wished, fault) {
            (Some(close), _) => close,
            (None, Some(_)) => Close::new(CloseCode::INTERNAL_ERROR, "the server has failed"),
            (None, None) => Close::new(CloseCode::NORMAL, ""),
        }
    }

    async fn message(&mut self, message: &Message) -> Done {
        if let Some(payload) = self.encoder.message(message, &mut self.gathered) {
            self.flush().await?;
            self.io.bytes.send(payload).await?;
        }
        Ok(())
    }

    fn control(&mut self, control: &Control) {
        match control {
            Control::Ping => self.encoder.ping(&Bytes::new(), &mut self.gathered),
            Control::Pong(payload) => self.encoder.pong(payload, &mut self.gathered),
            Control::Answer(_) | Control::Close(_) => {}
        }
    }

    async fn flush(&mut self) -> Done {
        if !self.gathered.is_empty() {
            self.io.bytes.send(self.gathered.split().freeze()).await?;
            // An idle connection keeps no buffer.
            self.gathered = BytesMut::new();
        }
        Ok(())
    }

    /// Sends the last close frame, behind the answers to the messages before it.
    async fn answer(&mut self, close: Close) -> Done {
        let within = match self.role {
            Role::Server => CLOSE_WITHIN,
            Role::Client => CLIENT_ENDS_WITHIN,
        };
        self.timer.set(turn() + within);
        loop {
            let SendPorts { messages, .. } = &mut *self.io;
            let message = match messages.try_next() {
                Some(message) => Some(message),
                None => {
                    self.flush().await?;
                    let message = self.io.messages.next();
                    let late = async {
                        self.timer.expired().await;
                        None
                    };
                    or(message, late).await
                }
            };
            match message {
                Some(message) => self.message(&message).await?,
                None => break,
            }
        }
        self.encoder.close(&close, &mut self.gathered);
        self.flush().await?;
        self.linger().await;
        Ok(())
    }

    /// A client waits until the server has closed the connection, which ends the controls.
    async fn linger(&mut self) {
        if self.role == Role::Client {
            let ended = async { while self.io.controls.next().await.is_some() {} };
            or(ended, sleep(CLOSE_WITHIN)).await;
        }
    }

    /// Sends a close frame and waits for the answer. Messages are dropped from now on.
    async fn close_first(&mut self, close: Close) -> Done {
        self.encoder.close(&close, &mut self.gathered);
        self.flush().await?;
        let answer = async {
            while let Some(control) = self.io.controls.next().await {
                if matches!(control, Control::Answer(_)) {
                    break;
                }
            }
        };
        or(answer, sleep(CLOSE_WITHIN)).await;
        self.linger().await;
        Ok(())
    }
}
