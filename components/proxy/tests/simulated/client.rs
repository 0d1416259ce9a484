//! Clients that pipeline, wait, or leave early, and what they have seen at the end.

use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future::{or, zip};
use kamea::random;
use kamea::time::sleep;
use kamea_components::simulated::Network;

use super::message::{Asked, Framing, Reader, body_of, field, framing};

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Sends a request when it has the response to the one before.
    Sequential,
    /// Sends all requests at once.
    Pipelining,
    /// The same, but leaves at any time.
    Leaving,
}

impl Behaviour {
    pub(super) fn draw() -> Self {
        match random::usize(..5) {
            0 => Self::Leaving,
            1 | 2 => Self::Pipelining,
            _ => Self::Sequential,
        }
    }
}

/// The response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// With this status, and its whole body.
    Whole(u16),
    /// Its body was cut off.
    Cut,
}

/// The responses on a connection, in the order of the requests.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) seen: Vec<Seen>,
    /// Whether the last of them said that it is the last.
    pub(super) closes: bool,
    /// Whether the connection could be opened.
    pub(super) is_connected: bool,
}

/// Sends requests over a connection of its own.
pub(super) async fn converse(
    network: Network,
    address: SocketAddr,
    behaviour: Behaviour,
    requests: &[Asked],
) -> Answers {
    let mut answers = Answers {
        seen: Vec::new(),
        closes: false,
        is_connected: false,
    };
    let Ok(socket) = network.connect(address).await else {
        return answers;
    };
    drop(network);
    answers.is_connected = true;
    let mut reader = Reader::new(socket);
    match behaviour {
        Behaviour::Sequential => in_turn(&mut reader, requests, &mut answers).await,
        Behaviour::Pipelining => at_once(&mut reader, requests, &mut answers).await,
        Behaviour::Leaving => {
            let leaving = sleep(random::duration(Duration::from_secs(2)));
            or(leaving, at_once(&mut reader, requests, &mut answers)).await;
        }
    }
    answers
}

async fn in_turn(reader: &mut Reader, requests: &[Asked], answers: &mut Answers) {
    for request in requests {
        if random::chance(0.3) {
            sleep(random::duration(Duration::from_millis(500))).await;
        }
        reader.write(request.head.as_bytes()).await;
        if request.waits {
            let patience = async {
                sleep(Duration::from_secs(3)).await;
                true
            };
            // Without the body, the rest of the connection has no meaning.
            if !or(is_asked_for_body(reader, request, answers), patience).await {
                return;
            }
        }
        // "A client sending a message body SHOULD monitor the network connection for an error
        // response while it is transmitting" (RFC 9112 section 9.5).
        let writer = reader.writer();
        let write = writer.write(&request.body);
        let (_, goes_on) = zip(write, receive(reader, request, answers)).await;
        if !goes_on || answers.closes {
            return;
        }
    }
    assert!(!reader.has_unread(), "more than was asked for");
}

/// Waits for 100 (Continue); false if there is a response instead, or the connection ends.
async fn is_asked_for_body(reader: &mut Reader, request: &Asked, answers: &mut Answers) -> bool {
    let Some(head) = reader.until(b"\r\n\r\n").await else {
        return false;
    };
    if status(&head) == 100 {
        return true;
    }
    take(reader, request, &head, answers).await;
    false
}

async fn at_once(reader: &mut Reader, requests: &[Asked], answers: &mut Answers) {
    let all = requests.iter().flat_map(|request| {
        let head = request.head.bytes();
        head.chain(request.body.iter().copied())
    });
    let all: Vec<_> = all.collect();
    let writer = reader.writer();
    let write = writer.write_slowly(&all);
    let read = async {
        for request in requests {
            if !receive(reader, request, answers).await || answers.closes {
                return;
            }
        }
        assert!(!reader.has_unread(), "more than was asked for");
    };
    zip(write, read).await;
}

/// Receives a final response; false if the connection has ended.
async fn receive(reader: &mut Reader, request: &Asked, answers: &mut Answers) -> bool {
    while let Some(head) = reader.until(b"\r\n\r\n").await {
        if status(&head) >= 200 {
            return take(reader, request, &head, answers).await;
        }
    }
    false
}

async fn take(reader: &mut Reader, request: &Asked, head: &str, answers: &mut Answers) -> bool {
    let status = status(head);
    answers.closes = field(head, "connection") == Some("close");
    let framing = match request.method {
        "HEAD" => Framing::Sized(0),
        _ => framing(head),
    };
    let Some(body) = reader.body(framing).await else {
        answers.seen.push(Seen::Cut);
        return false;
    };
    if status == 200 && request.method != "HEAD" {
        assert!(
            body == body_of(request.id, request.wants),
            "a response to {} that is whole and wrong: {} bytes",
            request.id,
            body.len()
        );
    }
    answers.seen.push(Seen::Whole(status));
    true
}

fn status(head: &str) -> u16 {
    let status = head.strip_prefix("HTTP/1.1 ").expect("a response");
    status[..3].parse().unwrap()
}
