//! The recorder: the result of each exchange of a connection.
//!
//! ```text
//!     notes ──▶ ┌──────────────────┐ ──▶ passed     to the parser, which counts them
//!   written ──▶ │ record_exchanges │
//! forwarded ──▶ └──────────────────┘ ╌╌▶ records    to the log, which is another graph
//! ```

mod forwarded;
mod routes;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_lite::future::or;
use http::StatusCode;
use kamea::time::wall_clock;
use kamea::{Component, Inbox, Message, Outbox, Ports, Sender};

use super::note::Note;
use super::parse::Written;
use crate::http::RequestHead;

pub use forwarded::{Attempted, Forwarded};
pub use routes::{CountedRoute, RouteCensus, RunningRequest, SlowestRequest, UsedRoute};

/// The ports of [`record_exchanges`].
#[derive(Debug, Ports)]
pub struct RecordPorts {
    /// The requests that have arrived.
    pub notes: Inbox<Note>,
    /// The responses that have been written.
    pub written: Inbox<Written>,
    /// How requests were forwarded to other servers, before their responses.
    pub forwarded: Option<Inbox<Forwarded>>,
    /// The same responses.
    pub passed: Outbox<Written>,
}

/// One exchange, for a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record {
    /// The peer's address.
    pub peer: SocketAddr,
    /// When the request arrived.
    pub at: SystemTime,
    /// The head of the request; `None` if it could not be read.
    pub head: Option<Box<RequestHead>>,
    /// The status of the response; `None` if the connection ended before there was one.
    pub status: Option<StatusCode>,
    /// The number of bytes of the response's body.
    pub content: u64,
    /// The time from the head of the request to the end of the response, or, if there was none, of
    /// the connection.
    pub took: Duration,
    /// How the request was forwarded to another server, if it was.
    pub forwarded: Option<Box<Forwarded>>,
}

impl Record {
    /// Builds the record of an exchange, to test a log, or for a log of another protocol.
    pub fn new(
        peer: SocketAddr,
        at: SystemTime,
        head: Option<Box<RequestHead>>,
        status: Option<StatusCode>,
        content: u64,
    ) -> Self {
        Self {
            peer,
            at,
            head,
            status,
            content,
            took: Duration::ZERO,
            forwarded: None,
        }
    }

    /// Sets how long the exchange took.
    #[must_use]
    pub fn took(self, took: Duration) -> Self {
        Self { took, ..self }
    }

    /// Sets how the request was forwarded.
    #[must_use]
    pub fn forwarded(self, forwarded: Forwarded) -> Self {
        Self {
            forwarded: Some(Box::new(forwarded)),
            ..self
        }
    }
}

/// Sends a [`Record`] of each exchange to `records`, in the order of the responses. Exchanges that
/// are not answered when the connection ends are recorded then.
pub fn record_exchanges<R: From<Record> + Message>(
    peer: SocketAddr,
    records: Sender<R>,
) -> impl Component<RecordPorts> {
    async move |io: &mut RecordPorts| {
        let (mut pending, mut forwarded) = (VecDeque::new(), BTreeMap::new());
        while let Some(written) = next_written(io, &mut forwarded).await {
            pending.extend(std::iter::from_fn(|| io.notes.try_next()));
            let note = take_note(&mut pending, written.number);
            let now = wall_clock();
            let at = note.as_ref().map_or(now, |note| note.at);
            let record = Record {
                peer,
                at,
                head: note.map(|note| note.head),
                status: Some(written.status),
                content: written.content,
                took: now.duration_since(at).unwrap_or_default(),
                forwarded: take_forwarded(&mut forwarded, written.number),
            };
            log::debug!("{peer} | {}", line(&record));
            // If the log has ended, requests are still served.
            let _ = records.send(record.into()).await;
            // The parser may have ended; the remaining responses are recorded all the same.
            let _ = io.passed.send(written).await;
        }
        pending.extend(std::iter::from_fn(|| io.notes.try_next()));
        if let Some(inbox) = &mut io.forwarded {
            forwarded.extend(std::iter::from_fn(|| inbox.try_next()).map(numbered));
        }
        for note in pending {
            let record = Record {
                peer,
                at: note.at,
                head: Some(note.head),
                status: None,
                content: 0,
                took: wall_clock().duration_since(note.at).unwrap_or_default(),
                forwarded: take_forwarded(&mut forwarded, note.number),
            };
            let _ = records.send(record.into()).await;
        }
        Ok(())
    }
}

/// How the exchanges that are not answered yet were forwarded, by their numbers.
type Unanswered = BTreeMap<u64, Box<Forwarded>>;

/// Waits for the next response that has been written, and notes until then how requests are
/// forwarded.
async fn next_written(io: &mut RecordPorts, unanswered: &mut Unanswered) -> Option<Written> {
    let Some(inbox) = &mut io.forwarded else {
        return io.written.next().await;
    };
    loop {
        let forwarded = async {
            match inbox.next().await {
                Some(forwarded) => Err(forwarded),
                None => pending().await,
            }
        };
        // What was sent before a response is noted before it.
        match or(forwarded, async { Ok(io.written.next().await) }).await {
            Ok(written) => return written,
            Err(forwarded) => {
                let (number, forwarded) = numbered(forwarded);
                unanswered.insert(number, forwarded);
            }
        }
    }
}

fn numbered(forwarded: Forwarded) -> (u64, Box<Forwarded>) {
    (forwarded.number, Box::new(forwarded))
}

/// Takes how an exchange was forwarded. Responses are written in the order of their requests, so
/// nothing is kept of earlier ones.
fn take_forwarded(unanswered: &mut Unanswered, number: u64) -> Option<Box<Forwarded>> {
    while let Some(first) = unanswered.first_entry() {
        match first.key().cmp(&number) {
            std::cmp::Ordering::Less => drop(first.remove()),
            std::cmp::Ordering::Equal => return Some(first.remove()),
            std::cmp::Ordering::Greater => break,
        }
    }
    None
}

/// Formats an exchange as a line: `GET / 200 2177 B 0.4 ms`.
fn line(record: &Record) -> String {
    let request = match &record.head {
        Some(head) => format!("{} {}", head.method, head.target),
        None => "-".to_owned(),
    };
    let status = record.status.map_or(0, |status| status.as_u16());
    let milliseconds = 1e3 * record.took.as_secs_f64();
    format!(
        "{request} {status} {} B {milliseconds:.1} ms",
        record.content
    )
}

/// The note of an exchange, if its request could be read. Responses are written in the order of
/// their requests.
fn take_note(pending: &mut VecDeque<Note>, number: u64) -> Option<Note> {
    pending.pop_front_if(|note| note.number == number)
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;
    use kamea::{Graph, link};

    use super::*;
    use crate::http::{Event, Limits, RequestDecoder};

    fn note(number: u64) -> Note {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").into());
        let Ok(Some(Event::Head(head, _))) = decoder.next() else {
            unreachable!("a request")
        };
        Note {
            number,
            at: SystemTime::UNIX_EPOCH,
            head: Box::new(head),
        }
    }

    #[test]
    fn every_exchange_is_recorded_answered_or_not() {
        let (sender, mut records) = link::<Record>(16);
        let mut graph = Graph::new("recording");
        let peer = "192.0.2.1:1".parse().unwrap();
        let recorder = graph.add("recorder", record_exchanges(peer, sender));
        let (notes, written) = (graph.feed(recorder.notes), graph.feed(recorder.written));
        let mut passed = graph.take(recorder.passed);
        for number in [0, 1, 2] {
            notes.try_send(note(number)).unwrap();
        }
        for (number, status) in [(0, StatusCode::OK), (1, StatusCode::NOT_FOUND)] {
            let content = number + 10;
            let answer = Written {
                number,
                status,
                content,
            };
            written.try_send(answer).unwrap();
        }
        drop((notes, written));
        block_on(graph.start().unwrap()).unwrap();
        let lines = std::iter::from_fn(|| records.try_next()).map(|record| {
            let path = record.head.unwrap().target.path().to_owned();
            (
                path,
                record.status.map(|status| status.as_u16()),
                record.content,
            )
        });
        let expected = [
            ("/0", Some(200), 10),
            ("/1", Some(404), 11),
            ("/2", None, 0),
        ];
        let expected = expected.map(|(path, status, content)| (path.to_owned(), status, content));
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        assert_eq!(std::iter::from_fn(|| passed.try_next()).count(), 2);
    }

    #[test]
    fn an_exchange_is_told_in_a_line() {
        let at = SystemTime::UNIX_EPOCH;
        let head = Some(note(7).head);
        let peer = "192.0.2.1:1".parse().unwrap();
        let record = Record::new(peer, at, head, Some(StatusCode::OK), 2177);
        let record = record.took(Duration::from_micros(412));
        assert_eq!(line(&record), "GET /7 200 2177 B 0.4 ms");
        let unread = Record::new(peer, at, None, Some(StatusCode::BAD_REQUEST), 5);
        assert_eq!(line(&unread), "- 400 5 B 0.0 ms");
    }

    /// Sends notes of four requests, how two of them were forwarded, and the responses to the first
    /// three. Returns the upstreams of each record.
    fn recorded(forwarded: &[(u64, &[&str])]) -> Vec<Option<String>> {
        let (sender, mut records) = link::<Record>(16);
        let mut graph = Graph::new("recording");
        let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let recorder = graph.add("recorder", record_exchanges(peer, sender));
        let (notes, written) = (graph.feed(recorder.notes), graph.feed(recorder.written));
        let to = graph.feed(recorder.forwarded);
        let _passed = graph.take(recorder.passed);
        for number in 0..4 {
            notes.try_send(note(number)).unwrap();
        }
        for (number, upstreams) in forwarded {
            let mut message = Forwarded::new(*number, peer.ip(), "a /".into());
            let attempts = upstreams.iter().map(|each| Attempted::new((*each).into()));
            message.attempts.extend(attempts);
            to.try_send(message).unwrap();
        }
        for number in 0..3 {
            let (status, content) = (StatusCode::OK, 0);
            written
                .try_send(Written {
                    number,
                    status,
                    content,
                })
                .unwrap();
        }
        drop((notes, written, to));
        block_on(graph.start().unwrap()).unwrap();
        let upstreams = |record: Record| {
            let forwarded = record.forwarded?;
            let names = forwarded
                .attempts
                .iter()
                .map(|each| each.upstream.to_string());
            Some(names.collect::<Vec<_>>().join(" "))
        };
        std::iter::from_fn(|| records.try_next())
            .map(upstreams)
            .collect()
    }

    #[test]
    fn the_last_that_was_said_about_an_exchange_is_in_its_record() {
        let said: [(u64, &[&str]); 4] = [(1, &["a"]), (1, &["a", "b"]), (3, &[]), (3, &["c"])];
        let expected = [None, Some("a b"), None, Some("c")];
        assert_eq!(
            recorded(&said),
            expected.map(|each| each.map(str::to_owned))
        );
        assert_eq!(recorded(&[]), [None, None, None, None]);
    }
}
