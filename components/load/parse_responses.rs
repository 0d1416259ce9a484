//! The responses of one connection: the outcome of each request.
//!
//! ```text
//!  events  ──▶ ┌─────────────────┐ ──▶ outcomes    the outcome of each request
//!              │ parse_responses │ ─ ▶ returned    to the tickets: there is a place
//!  awaited ──▶ └─────────────────┘ ─ ▶ hang_ups    to the connection: it is of no more use
//! ```
//!
//! The protocol is in [`ResponseDecoder`]; this part knows which request is answered.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use kamea::{Component, Inbox, Outbox, Ports};

use super::parser::{Answers, Complete, Ends, Parser};
use super::{Answer, Awaited, ErrorClass, Failed, Note, Returned};
use crate::http::{MalformedResponse, Reply, ReplyBody, ResponseDecoder};
use crate::net::{DialEvent, HangUp};

/// The ports of [`parse_responses`].
#[derive(Debug, Ports)]
pub struct ParseResponsePorts {
    /// Events of the connections.
    pub events: Inbox<DialEvent>,
    /// The requests in their order, each before it is sent.
    pub awaited: Inbox<Awaited>,
    /// The outcome of each request.
    pub outcomes: Outbox<Note>,
    /// The outcome of each ticket.
    pub returned: Outbox<Returned>,
    /// Connections to give up.
    pub hang_ups: Outbox<HangUp>,
}

/// What to expect of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseOptions {
    /// Time limit for a response, from sending its request to its end.
    pub within: Duration,
    /// Whether a connection is used for further requests.
    pub keep_alive: bool,
    /// Whether a response must follow RFC 9112 exactly: see [`ResponseDecoder::for_client`].
    pub strict: bool,
}

impl Default for ResponseOptions {
    /// Ten seconds; connections are kept; what curl accepts is accepted.
    fn default() -> Self {
        Self {
            within: Duration::from_secs(10),
            keep_alive: true,
            strict: false,
        }
    }
}

/// Parses the responses of one connection after another, and reports the outcome of each request.
///
/// Requests behind a response that ends its connection are not answered and do not count: their
/// tickets return unused. A late or malformed response ends its connection too.
///
/// It ends when all requests have an outcome and no more will come. If its graph is stopped, it
/// ends within half a second.
///
/// # Examples
///
/// ```
/// use http::Method;
/// use kamea::{Graph, time::now};
/// use kamea_components::load::{Awaited, Note, ResponseOptions, Ticket, parse_responses};
/// use kamea_components::net::DialEvent;
///
/// let mut graph = Graph::new("parser alone");
/// let parser = graph.add("parser", parse_responses(ResponseOptions::default()));
/// let (events, awaited) = (graph.feed(parser.events), graph.feed(parser.awaited));
/// let mut outcomes = graph.take(parser.outcomes);
/// let (_returned, _hang_ups) = (graph.take(parser.returned), graph.take(parser.hang_ups));
/// let ticket = Ticket { planned: now(), late: Default::default() };
/// awaited.try_send(Awaited { ticket, method: Method::GET }).unwrap();
/// events.try_send(DialEvent::Sending { connection: 1, requests: 1, at: now() }).unwrap();
/// let bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".into();
/// events.try_send(DialEvent::Received { connection: 1, bytes, at: now() }).unwrap();
/// drop((awaited, events));
/// kamea::testing::block_on(graph.start()?)?;
/// let Some(Note::Outcome(outcome)) = outcomes.try_next() else { panic!("a response has come") };
/// assert_eq!(outcome.result.map(|answer| (answer.status, answer.content)), Ok((Some(http::StatusCode::OK), 2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse_responses(
    response_options: ResponseOptions,
) -> impl Component<ParseResponsePorts> + Clone + Send + Sync {
    async move |io: &mut ParseResponsePorts| {
        let ends = Ends {
            events: &mut io.events,
            awaited: &mut io.awaited,
            outcomes: &io.outcomes,
            returned: &io.returned,
            hang_ups: &io.hang_ups,
            outgoing: None,
        };
        let responses = Responses::new(response_options);
        Parser::new(ends, responses, response_options.within)
            .run()
            .await
    }
}

/// The responses of one connection.
struct Responses {
    options: ResponseOptions,
    decoder: ResponseDecoder,
    /// The status of the response that is arriving, and whether its connection persists.
    head: Option<(StatusCode, bool)>,
    /// Received bytes of its body.
    content: u64,
    /// Whether the connection persists behind the last response.
    persists: bool,
}

impl Responses {
    fn new(options: ResponseOptions) -> Self {
        Self {
            options,
            decoder: ResponseDecoder::for_client(options.strict),
            head: None,
            content: 0,
            persists: true,
        }
    }

    /// The response that is complete now.
    fn complete(&mut self) -> Option<Complete> {
        let (status, persists) = self.head.take()?;
        self.persists = persists;
        let answer = Answer {
            status: Some(status),
            content: std::mem::take(&mut self.content),
        };
        let persists = persists && self.options.keep_alive;
        Some(Complete { answer, persists })
    }
}

impl Answers for Responses {
    fn begin(&mut self) {
        *self = Self::new(self.options);
    }

    fn expect(&mut self, awaited: &Awaited) {
        self.decoder.expect(&awaited.method);
    }

    fn feed(&mut self, bytes: Bytes) {
        self.decoder.feed(bytes);
    }

    fn next(&mut self) -> Result<Option<Complete>, Failed> {
        loop {
            match self.decoder.next().map_err(failed_by)? {
                Some(Reply::End(_)) => {
                    if let Some(complete) = self.complete() {
                        return Ok(Some(complete));
                    }
                }
                Some(Reply::Head(head, body)) => {
                    let persists = head.is_persistent() && body != ReplyBody::UntilClose;
                    self.head = Some((head.status, persists));
                }
                Some(Reply::Chunk(bytes)) => self.content += bytes.len() as u64,
                Some(Reply::Interim(_)) => {}
                None => return Ok(None),
            }
        }
    }

    fn check_idle(&mut self) -> Result<(), Failed> {
        match self.persists {
            // Bytes behind the last response would be taken for the next one.
            true => self.decoder.next().map(drop).map_err(failed_by),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<Option<Complete>, Failed> {
        match self.decoder.finish().map_err(failed_by)? {
            Some(_) => Ok(self.complete()),
            None => Ok(None),
        }
    }
}

fn failed_by(malformed: MalformedResponse) -> Failed {
    Failed {
        class: match malformed {
            MalformedResponse::Unanswered => ErrorClass::Read,
            _ => ErrorClass::Protocol,
        },
        why: malformed.to_string(),
    }
}

#[cfg(test)]
mod tests;
