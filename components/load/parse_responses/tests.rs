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
    /// So many requests begin to be sent over a connection.
    Send(u64, usize),
    Receive(u64, &'static str),
    Finish(u64),
    Reset(u64),
    Break(u64),
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
                bytes: bytes.into(),
                at,
            },
            Finish(connection) => ended(connection, Ending::Finished),
            Reset(connection) => ended(connection, Ending::Read(error)),
            Break(connection) => ended(connection, Ending::Write(error)),
            Refuse(requests) => DialEvent::Unreachable {
                requests,
                error,
                at,
            },
        }
    }
}

/// The results: the status and length of responses, the class of faults, `again` for requests to be
/// sent again, and connections that are hung up.
fn told(
    response_options: ResponseOptions,
    method: &Method,
    requests: usize,
    steps: &[Step],
) -> String {
    let mut graph = Graph::new("parser alone");
    let parser = graph.add("parser", parse_responses(response_options));
    let (events, awaited) = (kamea::link(64), kamea::link(64));
    graph.feed_from(events.1, parser.events);
    graph.feed_from(awaited.1, parser.awaited);
    let (mut outcomes, mut returned, mut hang_ups) = (
        graph.take(parser.outcomes),
        graph.take(parser.returned),
        graph.take(parser.hang_ups),
    );
    for _ in 0..requests {
        let ticket = Ticket {
            planned: now(),
            late: Duration::ZERO,
        };
        let method = method.clone();
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
            Ok(answer) => format!("{}/{}", answer.status.unwrap().as_u16(), answer.content),
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
    told.join(" ")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nhi";

#[test]
fn every_request_has_one_outcome_and_faults_are_told_apart() {
    let rows: &[(usize, &[Step], &str)] = &[
        (1, &[Send(1, 1), Receive(1, OK)], "200/2"),
        (
            2,
            &[Send(1, 2), Receive(1, OK), Receive(1, OK)],
            "200/2 200/2",
        ),
        // In parts, with an interim response.
        (
            1,
            &[
                Send(1, 1),
                Receive(1, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 "),
                Receive(1, "Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
                Receive(1, "lo\r\n0\r\n\r\n"),
            ],
            "404/5",
        ),
        // Connections come and go between responses.
        (
            2,
            &[
                Send(1, 1),
                Receive(1, OK),
                Finish(1),
                Send(2, 1),
                Receive(2, OK),
            ],
            "200/2 200/2",
        ),
        // "[...] the connection will not persist after the current response" (RFC 9112, 9.3):
        // nothing behind it is answered.
        (
            4,
            &[
                Send(1, 3),
                Receive(1, LAST),
                Finish(1),
                Send(2, 1),
                Receive(2, OK),
            ],
            "200/2 200/2 again again hang up 1",
        ),
        // Requests that meet a connection that has been given up.
        (
            2,
            &[
                Send(1, 1),
                Receive(1, LAST),
                Send(1, 1),
                Receive(1, "late"),
                Finish(1),
            ],
            "200/2 again hang up 1",
        ),
        // A body that ends with its connection.
        (
            2,
            &[Send(1, 2), Receive(1, UNTIL_CLOSE), Finish(1)],
            "200/2 again hang up 1",
        ),
        (2, &[Refuse(2)], "connect connect"),
        (2, &[Send(1, 2), Receive(1, OK), Reset(1)], "200/2 read"),
        (2, &[Send(1, 2), Finish(1)], "read read"),
        (1, &[Send(1, 1), Break(1)], "write"),
        // The server answers before it has read everything, and then it does not read it.
        (
            1,
            &[Send(1, 1), Receive(1, LAST), Break(1)],
            "200/2 hang up 1",
        ),
        (
            2,
            &[Send(1, 2), Receive(1, "SSH-2.0-OpenSSH_9.2\r\n")],
            "protocol again hang up 1",
        ),
        (
            1,
            &[
                Send(1, 1),
                Receive(1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
                Finish(1),
            ],
            "protocol",
        ),
        (
            1,
            &[Send(1, 1), Receive(1, "HTTP/1.1 200"), Finish(1)],
            "protocol",
        ),
        // More than was announced.
        (
            1,
            &[
                Send(1, 1),
                Receive(1, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi"),
            ],
            "protocol hang up 1",
        ),
        // What nobody has asked for is nobody's response.
        (
            1,
            &[
                Send(1, 1),
                Receive(1, OK),
                Receive(1, "HTTP/1.1 408 Request Timeout\r\n\r\n"),
            ],
            "200/2 hang up 1",
        ),
    ];
    for (number, (requests, steps, expected)) in rows.iter().enumerate() {
        let told = told(ResponseOptions::default(), &Method::GET, *requests, steps);
        assert_eq!(told, *expected, "row {number}");
    }
}

#[test]
fn a_response_to_head_has_no_content() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let steps = [Send(1, 2), Receive(1, head), Receive(1, head)];
    let told = told(ResponseOptions::default(), &Method::HEAD, 2, &steps);
    assert_eq!(told, "200/0 200/0");
}

#[test]
fn connections_that_are_not_to_be_kept_are_hung_up() {
    let response_options = ResponseOptions {
        keep_alive: false,
        ..ResponseOptions::default()
    };
    let steps = [Send(1, 1), Receive(1, OK), Send(2, 1), Receive(2, OK)];
    let told = told(response_options, &Method::GET, 2, &steps);
    assert_eq!(told, "200/2 200/2 hang up 1 hang up 2");
}

#[test]
fn a_response_has_its_time_from_being_sent_to_its_end() {
    Simulation::seeds(0..20).check(|simulation| {
        let mut graph = Graph::new("parser alone");
        let response_options = ResponseOptions {
            within: Duration::from_secs(3),
            ..ResponseOptions::default()
        };
        let parser = graph.add("parser", parse_responses(response_options));
        let (events, awaited) = (graph.feed(parser.events), graph.feed(parser.awaited));
        let (mut outcomes, _returned) = (graph.take(parser.outcomes), graph.take(parser.returned));
        let mut hang_ups = graph.take(parser.hang_ups);
        let script = async move || {
            let begin = now();
            let ticket = Ticket {
                planned: begin,
                late: Duration::ZERO,
            };
            let method = Method::GET;
            awaited.send(Awaited { ticket, method }).await.unwrap();
            events.send(Send(1, 1).event()).await.unwrap();
            // The start of a response does not count as a response.
            kamea::time::sleep(Duration::from_secs(2)).await;
            events
                .send(Receive(1, "HTTP/1.1 200 OK\r\n").event())
                .await
                .unwrap();
            let Some(Note::Outcome(outcome)) = outcomes.next().await else {
                panic!("there is an outcome")
            };
            assert_eq!(outcome.result.unwrap_err().class, ErrorClass::TimeOut);
            let passed = now() - begin;
            let (within, more) = (Duration::from_secs(3), Duration::from_millis(1));
            assert!((within..within + more).contains(&passed), "{passed:?}");
            assert_eq!(hang_ups.next().await, Some(HangUp(1)));
        };
        simulation.beside("script", script).run(graph)
    });
}
