//! The responses of one connection: the outcome of each request.
//!
//! ```text
//!  events  ──▶ ┌─────────────────┐ ──▶ outcomes    the outcome of each request
//!              │ parse_responses │ ─ ▶ returned    to the tickets: there is a place
//!  awaited ──▶ └─────────────────┘ ─ ▶ hang_ups    to the connection: it is of no more use
//! ```
//!
//! The protocol is in [`ResponseDecoder`]; this part knows which request is answered.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, turn};
use kamea::{Component, Done, End, Inbox, Outbox, Ports, is_stopping};

use super::{Answer, Awaited, ErrorClass, Failed, Note, Outcome, Returned};
use crate::http::{MalformedResponse, Reply, ReplyBody, ResponseDecoder};
use crate::net::{DialEvent, Ending, HangUp};

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

/// While a response is awaited, a stop is noticed within this time.
const ATTENTION: Duration = Duration::from_millis(500);

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
/// assert_eq!(outcome.result.map(|answer| (answer.status.as_u16(), answer.content)), Ok((200, 2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse_responses(
    response_options: ResponseOptions,
) -> impl Component<ParseResponsePorts> + Clone + Send + Sync {
    async move |io: &mut ParseResponsePorts| {
        let parser = Parser {
            io,
            response_options,
            connection: 0,
            is_open: false,
            decoder: ResponseDecoder::for_client(response_options.strict),
            waiting: VecDeque::new(),
            on_their_way: VecDeque::new(),
            head: None,
            content: 0,
            bytes: 0,
            timer: Timer::new(),
            looked: turn(),
        };
        parser.run().await
    }
}

struct Parser<'a> {
    io: &'a mut ParseResponsePorts,
    response_options: ResponseOptions,
    /// The connection of the last event.
    connection: u64,
    /// Whether that connection is still in use.
    is_open: bool,
    decoder: ResponseDecoder,
    /// Requests that have not been sent yet.
    waiting: VecDeque<Awaited>,
    /// Requests in flight, and since when.
    on_their_way: VecDeque<(Awaited, Instant)>,
    /// The status of the response that is arriving, and whether its connection persists.
    head: Option<(StatusCode, bool)>,
    /// Received bytes of its body.
    content: u64,
    /// Received bytes that were not reported.
    bytes: u64,
    timer: Timer,
    /// When we last looked for a stop.
    looked: Instant,
}

impl Parser<'_> {
    async fn run(mut self) -> Done {
        while let Some(happened) = self.next().await {
            match happened {
                Happened::Event(event) => self.note(event).await?,
                Happened::Expired if is_stopping() => return Ok(()),
                Happened::Expired => self.give_up_late().await?,
            }
        }
        Ok(())
    }

    /// What happens next; `None` at the end.
    async fn next(&mut self) -> Option<Happened> {
        loop {
            if let Some(event) = self.io.events.try_next() {
                return Some(Happened::Event(event));
            }
            if let Some((_, sent)) = self.on_their_way.front() {
                let look = self.looked.max(*sent) + ATTENTION;
                self.timer
                    .set(look.min(*sent + self.response_options.within));
                let event = async { self.io.events.next().await.map(Happened::Event) };
                let expired = async {
                    self.timer.expired().await;
                    Some(Happened::Expired)
                };
                return or(event, expired).await;
            }
            let event = async { Ok(self.io.events.next().await.map(Happened::Event)) };
            let awaited = async {
                match self.waiting.is_empty() {
                    true => Err(self.io.awaited.next().await),
                    false => pending().await,
                }
            };
            match or(event, awaited).await {
                Ok(event) => return event,
                Err(Some(awaited)) => self.waiting.push_back(awaited),
                Err(None) => return None,
            }
        }
    }

    async fn note(&mut self, event: DialEvent) -> Done {
        match event {
            DialEvent::Sending {
                connection,
                requests,
                at,
            } => self.begin(connection, requests, at).await,
            DialEvent::Received {
                connection,
                bytes,
                at,
            } if self.is_current(connection) => self.read(bytes, at).await,
            DialEvent::Ended {
                connection,
                how,
                at,
            } if self.is_current(connection) => self.end(how, at).await,
            // The connection was given up.
            DialEvent::Received { .. } | DialEvent::Ended { .. } => Ok(()),
            DialEvent::Unreachable {
                requests,
                error,
                at,
            } => {
                for _ in 0..requests {
                    let awaited = self.next_awaited().await?;
                    let failed = Failed::by(ErrorClass::Connect, &error);
                    self.tell(awaited, None, at, Err(failed)).await?;
                }
                Ok(())
            }
        }
    }

    fn is_current(&self, connection: u64) -> bool {
        self.is_open && connection == self.connection
    }

    /// Notes requests that are in flight from now on.
    async fn begin(&mut self, connection: u64, requests: usize, at: Instant) -> Done {
        if connection != self.connection {
            self.connection = connection;
            self.is_open = true;
            self.decoder = ResponseDecoder::for_client(self.response_options.strict);
            (self.head, self.content) = (None, 0);
        }
        for _ in 0..requests {
            let awaited = self.next_awaited().await?;
            if self.is_open {
                self.decoder.expect(&awaited.method);
                self.on_their_way.push_back((awaited, at));
            } else {
                // They met a connection that was given up.
                self.return_unused(awaited).await?;
            }
        }
        Ok(())
    }

    async fn next_awaited(&mut self) -> Result<Awaited, End> {
        match self.waiting.pop_front() {
            Some(awaited) => Ok(awaited),
            None => self.io.awaited.next().await.ok_or(End::Closed),
        }
    }

    async fn read(&mut self, bytes: Bytes, at: Instant) -> Done {
        self.bytes += bytes.len() as u64;
        self.decoder.feed(bytes);
        while self.is_open {
            match self.decoder.next() {
                Ok(Some(Reply::End(_))) => self.complete(at).await?,
                Ok(Some(reply)) => self.see(&reply),
                Ok(None) => return Ok(()),
                Err(malformed) => return self.fail(failed_by(malformed), at).await,
            }
        }
        Ok(())
    }

    fn see(&mut self, reply: &Reply) {
        match reply {
            Reply::Head(head, body) => {
                let persists = head.is_persistent() && *body != ReplyBody::UntilClose;
                self.head = Some((head.status, persists));
            }
            Reply::Chunk(bytes) => self.content += bytes.len() as u64,
            Reply::Interim(_) | Reply::End(_) => {}
        }
    }

    /// Handles a complete response.
    async fn complete(&mut self, at: Instant) -> Done {
        let (Some((awaited, sent)), Some((status, persists))) =
            (self.on_their_way.pop_front(), self.head.take())
        else {
            return Ok(());
        };
        let content = std::mem::take(&mut self.content);
        let mut answer = Ok(Answer { status, content });
        // Bytes behind the last response would be taken for the next one.
        if self.on_their_way.is_empty()
            && persists
            && let Err(malformed) = self.decoder.next()
        {
            answer = Err(failed_by(malformed));
        }
        let is_last = !persists || !self.response_options.keep_alive || answer.is_err();
        self.tell(awaited, Some(sent), at, answer).await?;
        if is_last {
            self.hang_up().await?;
        }
        Ok(())
    }

    /// Handles the end of the connection.
    async fn end(&mut self, how: Ending, at: Instant) -> Done {
        let failed = match how {
            Ending::Read(error) => Failed::by(ErrorClass::Read, &error),
            Ending::Write(error) => Failed::by(ErrorClass::Write, &error),
            Ending::Finished => match self.decoder.finish() {
                Ok(Some(_)) => return self.complete(at).await,
                Ok(None) => {
                    self.is_open = false;
                    return Ok(());
                }
                Err(malformed) => failed_by(malformed),
            },
        };
        self.is_open = false;
        while let Some((awaited, sent)) = self.on_their_way.pop_front() {
            self.tell(awaited, Some(sent), at, Err(failed.clone()))
                .await?;
        }
        Ok(())
    }

    /// Gives up a late response.
    async fn give_up_late(&mut self) -> Done {
        let now = turn();
        self.looked = now;
        let late = self.on_their_way.front();
        if late.is_none_or(|(_, sent)| now < *sent + self.response_options.within) {
            return Ok(());
        }
        let error = io::Error::from(io::ErrorKind::TimedOut);
        self.fail(Failed::by(ErrorClass::TimeOut, &error), now)
            .await
    }

    /// Fails the first request in flight, if there is one, and its connection.
    async fn fail(&mut self, failed: Failed, at: Instant) -> Done {
        if let Some((awaited, sent)) = self.on_their_way.pop_front() {
            self.tell(awaited, Some(sent), at, Err(failed)).await?;
        }
        self.hang_up().await
    }

    /// Gives the connection up: requests in flight will not be answered.
    async fn hang_up(&mut self) -> Done {
        self.is_open = false;
        while let Some((awaited, _)) = self.on_their_way.pop_front() {
            self.return_unused(awaited).await?;
        }
        Ok(self.io.hang_ups.send(HangUp(self.connection)).await?)
    }

    async fn tell(
        &mut self,
        awaited: Awaited,
        sent: Option<Instant>,
        ended: Instant,
        result: Result<Answer, Failed>,
    ) -> Done {
        let outcome = Outcome {
            ticket: awaited.ticket,
            sent,
            ended,
            bytes: std::mem::take(&mut self.bytes),
            result: result.map_err(Box::new),
        };
        self.io.outcomes.send(outcome.into()).await?;
        Ok(self.io.returned.send(Returned::Used(ended)).await?)
    }

    async fn return_unused(&self, awaited: Awaited) -> Done {
        let unused = Returned::Unused(awaited.ticket);
        Ok(self.io.returned.send(unused).await?)
    }
}

/// Why the parser has stopped waiting.
enum Happened {
    Event(DialEvent),
    Expired,
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
