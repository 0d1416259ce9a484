//! The messages of a server over one WebSocket under load: the outcome of each message sent.
//!
//! ```text
//!  events  ──▶ ┌────────────────┐ ──▶ outcomes    the outcome of each message
//!              │ parse_messages │ ─ ▶ returned    to the tickets: there is a place
//!  awaited ──▶ │                │ ─ ▶ hang_ups    to the connection: it is of no more use
//!              └────────────────┘ ─ ▶ pongs       to the connection: answers to pings
//! ```

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kamea::{Component, Inbox, Outbox, Ports};

use super::parser::{Answers, Complete, Ends, Parser};
use super::{Answer, Awaited, ErrorClass, Failed, Note, Returned};
use crate::net::{DialEvent, HangUp, Outgoing};
use crate::websocket::{Close, CloseCode, Decoder, Deflate, Encoder, Event, Limits, Role};

/// The ports of [`parse_messages`].
#[derive(Debug, Ports)]
pub struct ParseMessagePorts {
    /// Events of the connections.
    pub events: Inbox<DialEvent>,
    /// The messages in their order, each before it is sent.
    pub awaited: Inbox<Awaited>,
    /// The outcome of each message.
    pub outcomes: Outbox<Note>,
    /// The outcome of each ticket.
    pub returned: Outbox<Returned>,
    /// Connections to give up.
    pub hang_ups: Outbox<HangUp>,
    /// Answers to the pings of the server.
    pub pongs: Outbox<Outgoing>,
}

/// The largest message of the server, in bytes.
const LARGEST: u64 = 64 << 20;

/// Parses the messages of one WebSocket after another, and reports the outcome of each message that
/// was sent: the next message of the server answers it. Messages that come while none is in flight
/// are no answers.
///
/// A server that closes the WebSocket, or breaks a rule of RFC 6455, fails the first message in
/// flight; those behind it are sent again. So does an answer that takes longer than `within`.
///
/// With `deflate`, the messages of the server may be compressed.
///
/// # Examples
///
/// ```
/// use http::Method;
/// use kamea::{Graph, time::now};
/// use kamea_components::load::{Awaited, Note, Ticket, parse_messages};
/// use kamea_components::net::DialEvent;
///
/// let mut graph = Graph::new("parser alone");
/// let parser = graph.add("parser", parse_messages(std::time::Duration::from_secs(10), false));
/// let (events, awaited) = (graph.feed(parser.events), graph.feed(parser.awaited));
/// let mut outcomes = graph.take(parser.outcomes);
/// let (_returned, _hang_ups) = (graph.take(parser.returned), graph.take(parser.hang_ups));
/// let _pongs = graph.take(parser.pongs);
/// let ticket = Ticket { planned: now(), late: Default::default() };
/// awaited.try_send(Awaited { ticket, method: Method::GET }).unwrap();
/// events.try_send(DialEvent::Sending { connection: 1, requests: 1, at: now() }).unwrap();
/// let bytes = bytes::Bytes::from_static(b"\x81\x02hi");
/// events.try_send(DialEvent::Received { connection: 1, bytes, at: now() }).unwrap();
/// drop((awaited, events));
/// kamea::testing::block_on(graph.start()?)?;
/// let Some(Note::Outcome(outcome)) = outcomes.try_next() else { panic!("an answer has come") };
/// assert_eq!(outcome.result.map(|answer| answer.content), Ok(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse_messages(
    within: Duration,
    deflate: bool,
) -> impl Component<ParseMessagePorts> + Clone + Send + Sync {
    async move |io: &mut ParseMessagePorts| {
        let ends = Ends {
            events: &mut io.events,
            awaited: &mut io.awaited,
            outcomes: &io.outcomes,
            returned: &io.returned,
            hang_ups: &io.hang_ups,
            outgoing: Some(&io.pongs),
        };
        Parser::new(ends, Messages::new(deflate), within)
            .run()
            .await
    }
}

/// The messages of one WebSocket.
struct Messages {
    deflate: bool,
    decoder: Decoder,
    /// Received bytes of the message that is arriving.
    content: u64,
    /// The payload of a ping that has no answer yet.
    ping: Option<Bytes>,
}

impl Messages {
    fn new(deflate: bool) -> Self {
        let limits = Limits {
            message: LARGEST,
            frame: LARGEST,
            ..Limits::default()
        };
        // With the largest window and all of the context, a decoder reads what any server sends.
        let deflate_of_all = deflate.then(Deflate::default);
        Self {
            deflate,
            decoder: Decoder::new(Role::Client, limits, deflate_of_all),
            content: 0,
            ping: None,
        }
    }

    /// A message whose last frame has come.
    fn complete(&mut self) -> Complete {
        let answer = Answer {
            status: None,
            content: std::mem::take(&mut self.content),
        };
        let persists = true;
        Complete { answer, persists }
    }
}

impl Answers for Messages {
    fn begin(&mut self) {
        *self = Self::new(self.deflate);
    }

    fn expect(&mut self, _awaited: &Awaited) {}

    fn feed(&mut self, bytes: Bytes) {
        self.decoder.feed(bytes);
    }

    fn next(&mut self) -> Result<Option<Complete>, Failed> {
        loop {
            let event = self.decoder.next().map_err(|violation| Failed {
                class: ErrorClass::Protocol,
                why: violation.to_string(),
            })?;
            match event {
                Some(Event::Data { bytes, is_last, .. }) => {
                    self.content += bytes.len() as u64;
                    if is_last {
                        return Ok(Some(self.complete()));
                    }
                }
                Some(Event::Ping(payload)) => self.ping = Some(payload),
                Some(Event::Pong(_)) => {}
                Some(Event::Close(close)) => return Err(closed(&close)),
                None => return Ok(None),
            }
        }
    }

    fn finish(&mut self) -> Result<Option<Complete>, Failed> {
        Err(Failed {
            class: ErrorClass::Read,
            why: "the server has ended the connection without a close frame".to_owned(),
        })
    }

    fn take_outgoing(&mut self) -> Option<Bytes> {
        let mut bytes = BytesMut::new();
        Encoder::new(Role::Client, None).pong(&self.ping.take()?, &mut bytes);
        Some(bytes.freeze())
    }
}

/// The server closes the WebSocket.
fn closed(close: &Close) -> Failed {
    let code = match close.code {
        CloseCode::NO_STATUS => "without a code".to_owned(),
        CloseCode(code) => format!("with code {code}"),
    };
    let why = match close.reason.is_empty() {
        true => format!("the server has closed the WebSocket {code}"),
        false => {
            let reason = close.reason.escape_debug();
            format!("the server has closed the WebSocket {code}: {reason}")
        }
    };
    Failed {
        class: ErrorClass::Read,
        why,
    }
}

#[cfg(test)]
mod tests;
