//! The recorder: the result of each exchange of a connection.
//!
//! ```text
//!   notes ────▶ ┌──────────────────┐ ──▶ passed     to the parser, which counts them
//! written ────▶ │ record_exchanges │
//!               └──────────────────┘ ╌╌▶ records    to the log, which is another graph
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::SystemTime;

use http::StatusCode;
use kamea::time::wall_clock;
use kamea::{Component, Inbox, Message, Outbox, Ports, Sender};

use super::note::Note;
use super::parse::Written;
use crate::http::RequestHead;

/// The ports of [`record_exchanges`].
#[derive(Debug, Ports)]
pub struct RecordPorts {
    /// The requests that have arrived.
    pub notes: Inbox<Note>,
    /// The responses that have been written.
    pub written: Inbox<Written>,
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
        let mut pending = VecDeque::new();
        while let Some(written) = io.written.next().await {
            pending.extend(std::iter::from_fn(|| io.notes.try_next()));
            let note = take_note(&mut pending, written.number);
            let record = Record {
                peer,
                at: note.as_ref().map_or_else(wall_clock, |note| note.at),
                head: note.map(|note| note.head),
                status: Some(written.status),
                content: written.content,
            };
            log::debug!("{peer} | {}", line(&record, wall_clock()));
            // If the log has ended, requests are still served.
            let _ = records.send(record.into()).await;
            // The parser may have ended; the remaining responses are recorded all the same.
            let _ = io.passed.send(written).await;
        }
        pending.extend(std::iter::from_fn(|| io.notes.try_next()));
        for note in pending {
            let record = Record {
                peer,
                at: note.at,
                head: Some(note.head),
                status: None,
                content: 0,
            };
            let _ = records.send(record.into()).await;
        }
        Ok(())
    }
}

/// Formats an exchange as a line: `GET / 200 2177 B 0.4 ms`.
fn line(record: &Record, now: SystemTime) -> String {
    let request = match &record.head {
        Some(head) => format!("{} {}", head.method, head.target),
        None => "-".to_owned(),
    };
    let status = record.status.map_or(0, |status| status.as_u16());
    let took = now.duration_since(record.at).unwrap_or_default();
    let milliseconds = 1e3 * took.as_secs_f64();
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
        let later = |microseconds| at + std::time::Duration::from_micros(microseconds);
        assert_eq!(line(&record, later(412)), "GET /7 200 2177 B 0.4 ms");
        // A clock that was set back.
        let unread = Record::new(peer, later(9), None, Some(StatusCode::BAD_REQUEST), 5);
        assert_eq!(line(&unread, at), "- 400 5 B 0.0 ms");
    }
}
