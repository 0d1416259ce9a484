//! The answers of one connection, in any protocol: which request is answered, late, lost or to be
//! sent again.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{Timer, turn};
use kamea::{Done, End, Inbox, Outbox, TrySendError, is_stopping};

use super::{Answer, Awaited, ErrorClass, Failed, Note, Outcome, Returned};
use crate::net::{DialEvent, Ending, HangUp, Outgoing};

/// While an answer is awaited, a stop is noticed within this time.
const ATTENTION: Duration = Duration::from_millis(500);

/// What an answer is, in the protocol of a connection.
pub(super) trait Answers {
    /// A new connection has been opened.
    fn begin(&mut self);

    /// A request is in flight.
    fn expect(&mut self, awaited: &Awaited);

    /// Bytes have arrived.
    fn feed(&mut self, bytes: Bytes);

    /// Returns the next complete answer, or the reason why there will be none.
    fn next(&mut self) -> Result<Option<Complete>, Failed>;

    /// Nothing is in flight any more: fails if there is something that no request has asked for.
    fn check_idle(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    /// The connection has ended. Returns the answer that is complete by that; an error is the
    /// reason why the requests in flight have none.
    fn finish(&mut self) -> Result<Option<Complete>, Failed>;

    /// Takes bytes that the protocol must send beside requests.
    fn take_outgoing(&mut self) -> Option<Bytes> {
        None
    }
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) answer: Answer,
    /// Whether the connection is used for further requests.
    pub(super) persists: bool,
}

/// The ports of a parser.
pub(super) struct Ends<'a> {
    pub(super) events: &'a mut Inbox<DialEvent>,
    pub(super) awaited: &'a mut Inbox<Awaited>,
    pub(super) outcomes: &'a Outbox<Note>,
    pub(super) returned: &'a Outbox<Returned>,
    pub(super) hang_ups: &'a Outbox<HangUp>,
    /// For what the protocol must send beside requests.
    pub(super) outgoing: Option<&'a Outbox<Outgoing>>,
}

/// Reports the outcome of each request of one connection after another.
pub(super) struct Parser<'a, A> {
    ends: Ends<'a>,
    answers: A,
    /// How long an answer may take.
    within: Duration,
    /// The connection of the last event.
    connection: u64,
    /// Whether that connection is still in use.
    is_open: bool,
    /// Requests that have not been sent yet.
    waiting: VecDeque<Awaited>,
    /// Requests in flight, and since when.
    on_their_way: VecDeque<(Awaited, Instant)>,
    /// Received bytes that were not reported.
    bytes: u64,
    /// What is to be sent beside requests, and has found no room.
    outgoing: Option<Bytes>,
    timer: Timer,
    /// When we last looked for a stop.
    looked: Instant,
}

impl<'a, A: Answers> Parser<'a, A> {
    pub(super) fn new(ends: Ends<'a>, answers: A, within: Duration) -> Self {
        Self {
            ends,
            answers,
            within,
            connection: 0,
            is_open: false,
            waiting: VecDeque::new(),
            on_their_way: VecDeque::new(),
            bytes: 0,
            outgoing: None,
            timer: Timer::new(),
            looked: turn(),
        }
    }

    pub(super) async fn run(mut self) -> Done {
        while let Some(happened) = self.next().await {
            match happened {
                Happened::Event(event) => self.note(event).await?,
                Happened::Expired if is_stopping() => return Ok(()),
                Happened::Expired => self.give_up_late().await?,
            }
            self.send_outgoing();
        }
        Ok(())
    }

    /// What happens next; `None` at the end.
    async fn next(&mut self) -> Option<Happened> {
        let Ends {
            events, awaited, ..
        } = &mut self.ends;
        loop {
            if let Some(event) = events.try_next() {
                return Some(Happened::Event(event));
            }
            if let Some((_, sent)) = self.on_their_way.front() {
                let look = self.looked.max(*sent) + ATTENTION;
                self.timer.set(look.min(*sent + self.within));
                let event = async { events.next().await.map(Happened::Event) };
                let expired = async {
                    self.timer.expired().await;
                    Some(Happened::Expired)
                };
                return or(event, expired).await;
            }
            let event = async { Ok(events.next().await.map(Happened::Event)) };
            let awaited = async {
                match self.waiting.is_empty() {
                    true => Err(awaited.next().await),
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
            self.outgoing = None;
            self.answers.begin();
        }
        for _ in 0..requests {
            let awaited = self.next_awaited().await?;
            if self.is_open {
                self.answers.expect(&awaited);
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
            None => self.ends.awaited.next().await.ok_or(End::Closed),
        }
    }

    async fn read(&mut self, bytes: Bytes, at: Instant) -> Done {
        self.bytes += bytes.len() as u64;
        self.answers.feed(bytes);
        while self.is_open {
            match self.answers.next() {
                Ok(Some(complete)) => self.complete(complete, at).await?,
                Ok(None) => return Ok(()),
                Err(failed) => return self.fail(failed, at).await,
            }
        }
        Ok(())
    }

    /// Handles a complete answer. One that no request has asked for is no answer.
    async fn complete(&mut self, complete: Complete, at: Instant) -> Done {
        let Some((awaited, sent)) = self.on_their_way.pop_front() else {
            return Ok(());
        };
        let mut answer = Ok(complete.answer);
        if self.on_their_way.is_empty()
            && let Err(failed) = self.answers.check_idle()
        {
            answer = Err(failed);
        }
        let is_last = !complete.persists || answer.is_err();
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
            Ending::Finished => match self.answers.finish() {
                Ok(Some(complete)) => return self.complete(complete, at).await,
                Ok(None) => {
                    self.is_open = false;
                    return Ok(());
                }
                Err(failed) => failed,
            },
        };
        self.is_open = false;
        while let Some((awaited, sent)) = self.on_their_way.pop_front() {
            self.tell(awaited, Some(sent), at, Err(failed.clone()))
                .await?;
        }
        Ok(())
    }

    /// Gives up a late answer.
    async fn give_up_late(&mut self) -> Done {
        let now = turn();
        self.looked = now;
        let late = self.on_their_way.front();
        if late.is_none_or(|(_, sent)| now < *sent + self.within) {
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
        Ok(self.ends.hang_ups.send(HangUp(self.connection)).await?)
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
        self.ends.outcomes.send(outcome.into()).await?;
        Ok(self.ends.returned.send(Returned::Used(ended)).await?)
    }

    async fn return_unused(&self, awaited: Awaited) -> Done {
        let unused = Returned::Unused(awaited.ticket);
        Ok(self.ends.returned.send(unused).await?)
    }

    /// Sends what the protocol must send beside requests, if there is room. Waiting for room could
    /// be waiting for ourselves: the connection waits until we take its events.
    fn send_outgoing(&mut self) {
        let Some(outgoing) = self.ends.outgoing.filter(|_| self.is_open) else {
            return;
        };
        // Of two, the later one is enough.
        let newest = self.answers.take_outgoing();
        let Some(bytes) = newest.or_else(|| self.outgoing.take()) else {
            return;
        };
        let requests = 0;
        let sent = outgoing.try_send(Outgoing { bytes, requests });
        if let Err(TrySendError::Full(unsent)) = sent {
            self.outgoing = Some(unsent.bytes);
        }
    }
}

/// Why the parser has stopped waiting.
enum Happened {
    Event(DialEvent),
    Expired,
}
