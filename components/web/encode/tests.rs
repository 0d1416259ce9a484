//! The encoder, alone and with its writer.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use http::{StatusCode, Version};
use kamea::testing::block_on;
use kamea::{Done, Graph, Ports, Sender, link};

use super::*;
use crate::http::{Fields, ResponseHead};
use crate::net::{Accepted, Socket, WritePace, write_bytes};

/// The other ends of the encoder.
#[derive(Ports)]
struct DriverPorts {
    written: Inbox<Written>,
    responses: Outbox<Response>,
    notices: Outbox<Notice>,
}

/// Two ends of a connection: what the server accepted, and the client.
fn connection() -> (Accepted, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (
        Accepted {
            stream: stream.into(),
            peer,
        },
        client,
    )
}

/// Runs encoder and writer beside `driver`. Returns what the client reads, without dates, and how
/// the connection ended.
fn written_by(
    driver: impl AsyncFnMut(&mut DriverPorts) -> Done + Clone + Send + Sync + 'static,
) -> (String, Option<Finish>) {
    let (accepted, mut client) = connection();
    let finish = run(driver, accepted, Duration::from_secs(10));
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    let without_dates = text.split_inclusive("\r\n").filter(|line| {
        !line.starts_with("Date: ") && !line.starts_with("X-Content-Type-Options: ")
    });
    (without_dates.collect(), finish)
}

fn run(
    driver: impl AsyncFnMut(&mut DriverPorts) -> Done + Clone + Send + Sync + 'static,
    accepted: Accepted,
    stall: Duration,
) -> Option<Finish> {
    let mut graph = Graph::template("writing");
    let driver = graph.add("driver", driver);
    let encoder = graph.add_seeded("encoder", |socket: &mut Rc<Socket>| {
        encode_responses(socket.peer())
    });
    let writer = graph.add_seeded("writer", move |socket: &mut Rc<Socket>| {
        write_bytes(socket.clone(), WritePace { stall, rate: 0 })
    });
    graph.link(driver.responses, encoder.responses);
    graph.link(driver.notices, encoder.notices);
    graph.feedback(encoder.written, driver.written);
    graph.link(encoder.pieces, writer.pieces).capacity(2);
    graph.feedback(writer.sent, encoder.sent);
    let template = graph.into_template().unwrap();
    let socket = Rc::new(Socket::new(accepted));
    block_on(template.start(socket.clone())).unwrap();
    socket.finished()
}

fn exchange(number: u64) -> Exchange {
    Exchange::new(number, "192.0.2.1:1".parse().unwrap())
}

fn response(exchange: Exchange, body: impl Into<Body>) -> Response {
    let response = Response::new(StatusCode::OK);
    response.with_body(body).to(exchange)
}

fn stream(length: Option<u64>) -> (Sender<Chunk>, Body) {
    let (sender, chunks) = link(4);
    (sender, Body::Stream { chunks, length })
}

/// Its handler was cancelled; the parser may have left bytes unread.
#[test]
fn a_connection_whose_last_request_nobody_answers_ends_as_the_parser_says() {
    let (text, finish) = written_by(async |io: &mut DriverPorts| {
        let ends_before = Notice::EndsBefore {
            number: 1,
            finish: Finish::Close,
        };
        Ok(io.notices.send(ends_before).await?)
    });
    assert_eq!((text.as_str(), finish), ("", Some(Finish::Close)));
}

#[test]
fn responses_leave_in_the_order_of_their_requests() {
    // RFC 9112, 9.3.2: a server "MUST send the corresponding responses in the same order that the
    // requests were received".
    let (text, finish) = written_by(async |io: &mut DriverPorts| {
        for number in [2, 0, 1] {
            let body = ["zero", "one", "two"][number as usize];
            io.responses.send(response(exchange(number), body)).await?;
        }
        for number in 0..3 {
            assert_eq!(
                io.written.next().await.map(|written| written.number),
                Some(number)
            );
        }
        Ok(())
    });
    let bodies: Vec<_> = text
        .split("HTTP/1.1 200 OK\r\nContent-Length: ")
        .skip(1)
        .collect();
    assert_eq!(bodies, ["4\r\n\r\nzero", "3\r\n\r\none", "3\r\n\r\ntwo"]);
    assert_eq!(finish, None, "nobody has said that the connection ends");
}

#[test]
fn a_response_to_head_has_a_length_and_no_content() {
    let (text, _) = written_by(async |io: &mut DriverPorts| {
        let head = Exchange {
            is_head: true,
            ..exchange(0)
        };
        Ok(io.responses.send(response(head, "four")).await?)
    });
    assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
}

#[test]
fn nothing_follows_a_response_that_closes() {
    let (text, finish) = written_by(async |io: &mut DriverPorts| {
        let closing = exchange(0).closing();
        io.responses.send(response(exchange(1), "late")).await?;
        io.responses.send(response(closing, "last")).await?;
        io.responses.closed().await;
        Ok(())
    });
    let expected = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast";
    assert_eq!((text.as_str(), finish), (expected, Some(Finish::Linger)));
}

#[test]
fn the_end_that_the_parser_wants_is_the_one_that_comes() {
    let (text, finish) = written_by(async |io: &mut DriverPorts| {
        io.notices
            .send(Notice::EndsBefore {
                number: 1,
                finish: Finish::Linger,
            })
            .await?;
        io.responses
            .send(response(exchange(0).closing(), "last"))
            .await?;
        io.responses.closed().await;
        Ok(())
    });
    assert!(text.ends_with("last"), "{text}");
    assert_eq!(finish, Some(Finish::Linger));
}

#[test]
fn content_of_unknown_length_is_chunked_and_in_1_0_ends_with_the_connection() {
    for (version, expected, ends) in [
        (
            Version::HTTP_11,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            None,
        ),
        (
            Version::HTTP_10,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello!",
            Some(Finish::Linger),
        ),
    ] {
        let (text, finish) = written_by(async move |io: &mut DriverPorts| {
            let (sender, body) = stream(None);
            let exchange = Exchange {
                version,
                ..exchange(0)
            };
            io.responses.send(response(exchange, body)).await?;
            for chunk in ["hello", "", "!"] {
                sender.send(chunk.into()).await?;
            }
            Ok(sender.send(Chunk::END).await?)
        });
        assert_eq!((text.as_str(), finish), (expected, ends));
    }
}

#[test]
fn content_that_breaks_its_promise_cuts_the_connection() {
    for chunk in ["three", "more than that"] {
        let (text, finish) = written_by(async move |io: &mut DriverPorts| {
            let (sender, body) = stream(Some(10));
            io.responses.send(response(exchange(0), body)).await?;
            io.responses.send(response(exchange(1), "next")).await?;
            sender.send(chunk.into()).await?;
            sender.send(Chunk::END).await?;
            io.responses.closed().await;
            Ok(())
        });
        assert!(!text.contains("next"), "{text}");
        assert_eq!(finish, Some(Finish::Cut));
    }
}

#[test]
fn content_whose_maker_goes_before_its_end_is_not_taken_for_the_whole() {
    for length in [None, Some(4)] {
        let (text, finish) = written_by(async move |io: &mut DriverPorts| {
            let (sender, body) = stream(length);
            io.responses.send(response(exchange(0), body)).await?;
            sender.send("part".into()).await?;
            drop(sender);
            io.responses.closed().await;
            Ok(())
        });
        assert!(
            text.contains("part") && !text.contains("0\r\n\r\n"),
            "{text}"
        );
        assert_eq!(finish, Some(Finish::Cut));
    }
}

#[test]
fn trailers_follow_the_last_chunk() {
    // RFC 9110, 6.5: "Fields that are located within a trailer section are referred to as "trailer
    // fields"".
    let (text, _) = written_by(async |io: &mut DriverPorts| {
        let (sender, body) = stream(None);
        io.responses.send(response(exchange(0), body)).await?;
        sender.send("a".into()).await?;
        let trailers = Fields::new().with("Digest", "x");
        Ok(sender.send(Chunk::End(trailers)).await?)
    });
    assert!(text.ends_with("1\r\na\r\n0\r\nDigest: x\r\n\r\n"), "{text}");
}

#[test]
fn continue_is_said_when_its_exchange_is_due() {
    let (text, _) = written_by(async |io: &mut DriverPorts| {
        io.notices.send(Notice::Continue(1)).await?;
        io.responses.send(response(exchange(0), "a")).await?;
        io.written.next().await;
        io.responses.send(response(exchange(1), "b")).await?;
        Ok(())
    });
    let first = text.find("\r\n\r\na").unwrap();
    let go_on = text.find("HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    assert!(
        first < go_on && go_on < text.find("\r\n\r\nb").unwrap(),
        "{text}"
    );
}

fn interim(exchange: Exchange, status: u16, link: &str) -> Notice {
    let mut head = ResponseHead::new(StatusCode::from_u16(status).unwrap());
    head.fields = Fields::new().with("Link", link);
    let head = Box::new(head);
    Notice::Interim { exchange, head }
}

#[test]
fn interim_responses_come_before_their_response_and_after_the_one_before() {
    let (text, _) = written_by(async |io: &mut DriverPorts| {
        io.notices.send(interim(exchange(1), 103, "b")).await?;
        io.notices.send(interim(exchange(0), 102, "a1")).await?;
        io.notices.send(interim(exchange(0), 103, "a2")).await?;
        io.responses.send(response(exchange(0), "first")).await?;
        io.written.next().await;
        // Too late for its exchange: the client would take it for the next one's.
        io.notices.send(interim(exchange(0), 103, "late")).await?;
        io.responses.send(response(exchange(1), "second")).await?;
        io.written.next().await;
        Ok(())
    });
    let head = "HTTP/1.1 200 OK\r\nContent-Length:";
    let expected = format!(
        "HTTP/1.1 102 Processing\r\nLink: a1\r\n\r\n\
         HTTP/1.1 103 Early Hints\r\nLink: a2\r\n\r\n{head} 5\r\n\r\nfirst\
         HTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n{head} 6\r\n\r\nsecond"
    );
    assert_eq!(text, expected);
}

#[test]
fn interim_responses_are_bounded_and_only_for_1_1() {
    let old = Exchange {
        version: Version::HTTP_10,
        ..exchange(0)
    };
    let rows = [
        (exchange(0), 103, 100, 64),
        (old, 103, 1, 0),
        // These have notices of their own.
        (exchange(0), 100, 1, 0),
        (exchange(0), 101, 1, 0),
        (exchange(0), 200, 1, 0),
    ];
    for (exchange, status, count, expected) in rows {
        let mut waiting = Interim::default();
        for _ in 0..count {
            if let Notice::Interim { exchange, head } = interim(exchange, status, "a") {
                waiting.keep(&exchange, head);
            }
        }
        let mut out = Vec::new();
        waiting.put(&mut out, 0);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("HTTP/1.1").count(), expected, "{status}");
        let mut again = Vec::new();
        waiting.put(&mut again, 0);
        assert!(again.is_empty(), "each is sent once");
    }
}

#[test]
fn the_answer_to_a_fault_takes_the_place_that_is_due() {
    let (text, _) = written_by(async |io: &mut DriverPorts| {
        io.responses.send(response(exchange(0), "fine")).await?;
        let due = exchange(Exchange::DUE).closing();
        io.responses.send(response(due, "failed")).await?;
        io.responses.closed().await;
        Ok(())
    });
    assert!(text.ends_with("failed") && text.contains("fine"), "{text}");
}

#[test]
fn a_peer_that_reads_nothing_is_cut() {
    let (accepted, _client) = connection();
    let driver = async |io: &mut DriverPorts| {
        // More than the buffers of both ends can hold.
        let body = Body::Bytes(vec![0; 64 << 20].into());
        io.responses.send(response(exchange(0), body)).await?;
        io.responses.closed().await;
        Ok(())
    };
    let finish = run(driver, accepted, Duration::from_millis(50));
    assert_eq!(finish, Some(Finish::Cut));
}

/// What the encoder makes of responses that are ready before it begins, and of its writer's
/// reports.
struct Alone {
    pieces: Vec<Output>,
    written: Vec<Written>,
}

fn encoded(responses: Vec<Response>, reports: &[u64]) -> Alone {
    let mut graph = Graph::new("encoding");
    let encoder = graph.add("encoder", encode_responses("192.0.2.1:1".parse().unwrap()));
    let (to, sent) = (graph.feed(encoder.responses), graph.feed(encoder.sent));
    graph.feed(encoder.notices);
    let mut pieces = graph.take(encoder.pieces);
    let mut written = graph.take(encoder.written);
    responses
        .into_iter()
        .for_each(|response| to.try_send(response).unwrap());
    reports
        .iter()
        .for_each(|count| sent.try_send(*count).unwrap());
    drop((to, sent));
    block_on(graph.start().unwrap()).unwrap();
    Alone {
        pieces: std::iter::from_fn(|| pieces.try_next()).collect(),
        written: std::iter::from_fn(|| written.try_next()).collect(),
    }
}

#[test]
fn all_responses_that_are_ready_make_one_piece() {
    let responses = (0..10).map(|number| response(exchange(number), "body"));
    let alone = encoded(responses.collect(), &[]);
    let [Output::Buffer(buffer)] = &alone.pieces[..] else {
        unreachable!("one buffer, not {}", alone.pieces.len());
    };
    let text = String::from_utf8_lossy(buffer);
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 10, "{text}");
    assert_eq!(alone.written.len(), 10);
}

#[test]
fn a_large_body_goes_from_where_it_is_behind_its_head() {
    let body = Bytes::from(vec![7; 3 * COPIED]);
    let first = body.as_ptr();
    let large = response(exchange(0), Body::Bytes(body));
    let next = response(exchange(1), "next");
    let alone = encoded(vec![large, next], &[1, 3 * COPIED as u64 - 1]);
    let [Output::Buffer(_), Output::Bytes(bytes), Output::Buffer(_)] = &alone.pieces[..] else {
        unreachable!("head, body, next, not {}", alone.pieces.len());
    };
    assert_eq!(bytes.as_ptr(), first, "nothing is copied");
    let content = alone.written.iter().map(|written| written.content);
    assert_eq!(content.collect::<Vec<_>>(), [3 * COPIED as u64, 4]);
}

#[test]
fn of_a_response_that_was_cut_what_has_gone_is_told() {
    let large = response(exchange(0), Body::Bytes(vec![7; 100_000].into()));
    let alone = encoded(vec![large], &[20_000, 5]);
    let told: Vec<_> = alone
        .written
        .iter()
        .map(|written| (written.number, written.content))
        .collect();
    assert_eq!(told, [(0, 20_005)]);
    let last = alone.pieces.last();
    assert!(
        matches!(last, Some(Output::Finish(Finish::Cut))),
        "{last:?}"
    );
}

#[test]
fn an_encoder_that_waits_ends_with_its_writer() {
    let mut graph = Graph::new("encoding");
    let encoder = graph.add("encoder", encode_responses("192.0.2.1:1".parse().unwrap()));
    let (to, _sent) = (graph.feed(encoder.responses), graph.feed(encoder.sent));
    let _notices = graph.feed(encoder.notices);
    drop(graph.take(encoder.pieces));
    let _written = graph.take(encoder.written);
    block_on(graph.start().unwrap()).unwrap();
    assert!(to.try_send(response(exchange(0), "late")).is_err());
}
