use std::io;

use http::Method;
use kamea::testing::block_on;
use kamea::time::now;
use kamea::{Graph, Simulation};

use super::*;
use crate::load::Ticket;
use crate::net::Ending;

/// What happens to connections, in short.
enum Step {
    /// So many messages begin to be sent over a connection.
    Send(u64, usize),
    Receive(u64, &'static [u8]),
    Finish(u64),
    Reset(u64),
    Refuse(usize),
}

use Step::*;

impl Step {
    fn event(&self) -> DialEvent {
        let (at, error) = (now(), io::Error::from(io::ErrorKind::ConnectionReset));
        let ended = |connection, how| DialEvent::Ended {
            connection,
            how,
            at,
        };
        match *self {
            Send(connection, requests) => DialEvent::Sending {
                connection,
                requests,
                at,
            },
            Receive(connection, bytes) => DialEvent::Received {
                connection,
                bytes: Bytes::from_static(bytes),
                at,
            },
            Finish(connection) => ended(connection, Ending::Finished),
            Reset(connection) => ended(connection, Ending::Read(error)),
            Refuse(requests) => DialEvent::Unreachable {
                requests,
                error,
                at,
            },
        }
    }
}

/// The results: the length of answers, the class of failures, `again` for messages to be sent
/// again, connections that are hung up, and pongs with their payload.
fn told(messages: usize, steps: &[Step]) -> String {
    let mut graph = Graph::new("parser alone");
    let parser = graph.add("parser", parse_messages(Duration::from_secs(10), true));
    let (events, awaited) = (kamea::link(64), kamea::link(64));
    graph.feed_from(events.1, parser.events);
    graph.feed_from(awaited.1, parser.awaited);
    let (mut outcomes, mut returned) = (graph.take(parser.outcomes), graph.take(parser.returned));
    let (mut hang_ups, mut pongs) = (graph.take(parser.hang_ups), graph.take(parser.pongs));
    for _ in 0..messages {
        let ticket = Ticket {
            planned: now(),
            late: Duration::ZERO,
        };
        let method = Method::GET;
        awaited.0.try_send(Awaited { ticket, method }).unwrap();
    }
    for step in steps {
        events.0.try_send(step.event()).unwrap();
    }
    drop((events.0, awaited.0));
    block_on(graph.start().unwrap()).unwrap();
    let mut told = Vec::new();
    while let Some(note) = outcomes.try_next() {
        let Note::Outcome(outcome) = note else {
            panic!("it has no shortfall")
        };
        told.push(match outcome.result {
            Ok(answer) => answer.content.to_string(),
            Err(failed) => failed.class.to_string(),
        });
    }
    while let Some(returned) = returned.try_next() {
        if let Returned::Unused(_) = returned {
            told.push("again".to_owned());
        }
    }
    while let Some(HangUp(connection)) = hang_ups.try_next() {
        told.push(format!("hang up {connection}"));
    }
    while let Some(piece) = pongs.try_next() {
        assert_eq!(piece.requests, 0);
        let mut decoder = Decoder::new(Role::Server, Limits::default(), None);
        decoder.feed(piece.bytes);
        let Ok(Some(Event::Pong(payload))) = decoder.next() else {
            panic!("it is a pong")
        };
        told.push(format!("pong {}", String::from_utf8_lossy(&payload)));
    }
    told.join(" ")
}

const HI: &[u8] = b"\x81\x02hi";

#[test]
fn every_message_has_one_outcome_and_failures_are_told_apart() {
    let rows: [(usize, &[Step], &str); 16] = [
        (1, &[Send(1, 1), Receive(1, HI)], "2"),
        (2, &[Send(1, 2), Receive(1, b"\x81\x02hi\x82\x01x")], "2 1"),
        // A cut anywhere.
        (
            1,
            &[
                Send(1, 1),
                Receive(1, b"\x81"),
                Receive(1, b"\x02h"),
                Receive(1, b"i"),
            ],
            "2",
        ),
        // Fragments are one message, with a ping between them.
        (
            1,
            &[Send(1, 1), Receive(1, b"\x01\x02hi\x89\x01p\x80\x01!")],
            "3 pong p",
        ),
        // Of two pings, the later one is answered.
        (
            1,
            &[Send(1, 1), Receive(1, b"\x89\x01a\x89\x01b\x81\x00")],
            "0 pong b",
        ),
        // What nobody has asked for is no answer.
        (1, &[Send(1, 1), Receive(1, b"\x81\x01a\x81\x02bb")], "1"),
        // RFC 7692 section 7.2.3.2: "Hello", compressed.
        (
            1,
            &[
                Send(1, 1),
                Receive(1, b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
            ],
            "5",
        ),
        // A close frame; what is behind the first message is sent again.
        (
            2,
            &[Send(1, 2), Receive(1, b"\x88\x02\x03\xe9"), Finish(1)],
            "read again hang up 1",
        ),
        (
            1,
            &[Send(1, 1), Receive(1, b"\x81\x02h"), Finish(1)],
            "read",
        ),
        (2, &[Send(1, 2), Reset(1)], "read read"),
        (2, &[Refuse(2)], "connect connect"),
        // RFC 6455 section 5.1: "A server MUST NOT mask any frames that it sends to the client."
        (
            1,
            &[Send(1, 1), Receive(1, b"\x81\x82\0\0\0\0hi")],
            "protocol hang up 1",
        ),
        (
            1,
            &[Send(1, 1), Receive(1, b"\x81\x01\xff")],
            "protocol hang up 1",
        ),
        (
            1,
            &[Send(1, 1), Receive(1, b"HTTP/1.1 200 OK\r\n\r\n")],
            "protocol hang up 1",
        ),
        // A new connection begins anew.
        (
            2,
            &[
                Send(1, 1),
                Receive(1, b"\x81\x05h"),
                Reset(1),
                Send(2, 1),
                Receive(2, HI),
            ],
            "read 2",
        ),
        // Bytes of a connection that was given up.
        (
            2,
            &[
                Send(1, 1),
                Receive(1, b"\xff"),
                Receive(1, HI),
                Send(2, 1),
                Receive(2, HI),
            ],
            "protocol 2 hang up 1",
        ),
    ];
    for (number, (messages, steps, expected)) in rows.into_iter().enumerate() {
        assert_eq!(told(messages, steps), expected, "row {number}");
    }
}

#[test]
fn an_answer_has_its_time() {
    Simulation::seeds(0..20).check(|simulation| {
        let mut graph = Graph::new("parser alone");
        let within = Duration::from_secs(3);
        let parser = graph.add("parser", parse_messages(within, false));
        let (events, awaited) = (graph.feed(parser.events), graph.feed(parser.awaited));
        let (mut outcomes, _returned) = (graph.take(parser.outcomes), graph.take(parser.returned));
        let (mut hang_ups, _pongs) = (graph.take(parser.hang_ups), graph.take(parser.pongs));
        let script = async move || {
            let begin = now();
            let ticket = Ticket {
                planned: begin,
                late: Duration::ZERO,
            };
            let method = Method::GET;
            awaited.send(Awaited { ticket, method }).await.unwrap();
            events.send(Send(1, 1).event()).await.unwrap();
            // A fragment, and a ping, are no answer.
            kamea::time::sleep(Duration::from_secs(2)).await;
            let bytes = b"\x01\x01h\x89\x00";
            events.send(Receive(1, bytes).event()).await.unwrap();
            let Some(Note::Outcome(outcome)) = outcomes.next().await else {
                panic!("there is an outcome")
            };
            assert_eq!(outcome.result.unwrap_err().class, ErrorClass::TimeOut);
            let (passed, more) = (now() - begin, Duration::from_millis(1));
            assert!((within..within + more).contains(&passed), "{passed:?}");
            assert_eq!(hang_ups.next().await, Some(HangUp(1)));
        };
        simulation.beside("script", script).run(graph)
    });
}

#[test]
fn the_reason_of_a_close_frame_is_told() {
    for (code, reason, expected) in [
        (CloseCode(1001), "", "with code 1001"),
        (CloseCode(4001), "enough\n", "with code 4001: enough\\n"),
        (CloseCode::NO_STATUS, "", "without a code"),
    ] {
        let failed = closed(&Close::new(code, reason));
        let expected = format!("the server has closed the WebSocket {expected}");
        assert_eq!((failed.class, failed.why), (ErrorClass::Read, expected));
    }
}
