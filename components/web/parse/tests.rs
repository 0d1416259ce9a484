//! The parser alone: bytes in, requests out.

use futures_lite::future::{yield_now, zip};
use kamea::{Graph, Receiver, testing::block_on};

use super::*;

/// The other ends of the parser.
struct Ends {
    bytes: Sender<Bytes>,
    written: Sender<Written>,
    requests: Receiver<Request>,
    failures: Receiver<Failure>,
    notices: Receiver<Notice>,
}

/// Runs the parser beside `script`, until both have ended.
fn parsing<T>(patience: Patience, script: impl AsyncFnOnce(Ends) -> T) -> T {
    let peer = "192.0.2.1:1".parse().unwrap();
    let parser = parse_requests(peer, Limits::default(), patience, Arc::default());
    parsing_by(parser, script)
}

fn parsing_by<T>(
    parser: impl Component<ParsePorts> + Send,
    script: impl AsyncFnOnce(Ends) -> T,
) -> T {
    let mut graph = Graph::new("parsing");
    let parser = graph.add("parser", parser);
    let ends = Ends {
        bytes: graph.feed(parser.bytes),
        written: graph.feed(parser.written),
        requests: graph.take(parser.requests),
        failures: graph.take(parser.failures),
        notices: graph.take(parser.notices),
    };
    let flow = graph.start().unwrap();
    block_on(async {
        let (outcome, result) = zip(flow, script(ends)).await;
        outcome.unwrap();
        result
    })
}

/// No deadline is near.
fn patient() -> Patience {
    Patience {
        linger: Duration::from_secs(60),
        ..Patience::default()
    }
}

/// One deadline is.
fn impatient(set: impl FnOnce(&mut Patience)) -> Patience {
    let mut patience = patient();
    set(&mut patience);
    patience
}

const SOON: Duration = Duration::from_millis(10);

const WRITTEN: Written = Written {
    number: 0,
    status: StatusCode::OK,
    content: 0,
};

#[test]
fn requests_come_in_order_and_content_as_it_comes_in() {
    parsing(patient(), async |mut ends: Ends| {
        for bytes in [
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
            "llo",
            "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ] {
            ends.bytes.send(bytes.into()).await.unwrap();
        }
        let mut first = ends.requests.next().await.unwrap();
        assert_eq!((first.exchange.number, first.head.target.path()), (0, "/a"));
        let content = first.content.as_mut().unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = content.next().await.unwrap() {
            text.extend_from_slice(&chunk);
        }
        assert_eq!(text, b"hello");
        // POST is served alone: later requests wait until it has been answered.
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(ends.requests.try_next().is_none());
        ends.written.send(WRITTEN).await.unwrap();
        let second = ends.requests.next().await.unwrap();
        assert_eq!(second.exchange.number, 1);
        assert!(second.exchange.closes && second.content.is_none());
        let ends_before = Notice::EndsBefore {
            number: 2,
            finish: Finish::Close,
        };
        assert_eq!(ends.notices.next().await, Some(ends_before));
        assert!(ends.requests.next().await.is_none(), "it has ended");
    });
}

/// A client that may be gone already.
struct Leaving {
    is_gone: bool,
}

impl Client for Leaving {
    fn address(&self) -> SocketAddr {
        "192.0.2.1:1".parse().unwrap()
    }

    async fn gone(&self) {
        if !self.is_gone {
            std::future::pending::<()>().await;
        }
    }

    fn unread(&self, _: &[u8]) {}
}

/// A client that gets back what belongs to the next protocol.
#[derive(Clone, Default)]
struct Upgrading(Arc<std::sync::Mutex<Vec<u8>>>);

impl Client for Upgrading {
    fn address(&self) -> SocketAddr {
        "192.0.2.1:1".parse().unwrap()
    }

    async fn gone(&self) {
        std::future::pending().await
    }

    fn unread(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// RFC 9110 section 7.8: bytes behind a request to upgrade belong to the new protocol if the server
/// has switched, and otherwise to the old one.
#[test]
fn bytes_behind_a_request_to_upgrade_wait_for_its_answer() {
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: websocket\r\n\r\n";
    let next = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::FORBIDDEN] {
        // Behind the request in the same bytes, and in bytes of their own.
        for cut in [0, 10, next.len()] {
            let client = Upgrading::default();
            let unread = client.0.clone();
            let parser = parse_requests_of(client, Limits::default(), patient(), Arc::default());
            parsing_by(parser, async |mut ends: Ends| {
                let first = format!("{request}{}", &next[..cut]);
                ends.bytes.send(first.into()).await.unwrap();
                assert_eq!(ends.requests.next().await.unwrap().exchange.number, 0);
                for byte in next.as_bytes()[cut..].chunks(9) {
                    ends.bytes.send(Bytes::copy_from_slice(byte)).await.unwrap();
                }
                for _ in 0..10 {
                    yield_now().await;
                }
                assert!(ends.requests.try_next().is_none(), "too early");
                let written = Written { status, ..WRITTEN };
                ends.written.send(written).await.unwrap();
                let second = ends.requests.next().await;
                match status {
                    StatusCode::SWITCHING_PROTOCOLS => {
                        assert!(second.is_none(), "it has ended");
                        assert_eq!(*unread.lock().unwrap(), next.as_bytes());
                        assert!(ends.notices.try_next().is_none(), "nothing is cut off");
                    }
                    _ => {
                        assert_eq!(second.unwrap().head.target.path(), "/b");
                        assert!(unread.lock().unwrap().is_empty());
                    }
                }
            });
        }
    }
}

/// Nobody answers the first request: its handler was cancelled.
#[test]
fn a_request_that_waits_ends_the_connection_once_its_peer_is_gone() {
    for is_gone in [true, false] {
        let client = Leaving { is_gone };
        let parser = parse_requests_of(client, Limits::default(), patient(), Arc::default());
        parsing_by(parser, async |mut ends: Ends| {
            let bytes = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
                         GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
            ends.bytes.send(bytes.into()).await.unwrap();
            assert_eq!(ends.requests.next().await.unwrap().exchange.number, 0);
            if is_gone {
                let ends_before = Notice::EndsBefore {
                    number: 1,
                    finish: Finish::Close,
                };
                assert_eq!(ends.notices.next().await, Some(ends_before));
                assert!(ends.requests.next().await.is_none(), "it has ended");
            } else {
                for _ in 0..10 {
                    yield_now().await;
                }
                assert!(ends.notices.try_next().is_none());
                ends.written.send(WRITTEN).await.unwrap();
                assert_eq!(ends.requests.next().await.unwrap().exchange.number, 1);
            }
        });
    }
}

const EXPECTING: &str =
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";

/// RFC 9110 section 10.1.1: 100 (Continue) is for a peer whose body is wanted.
#[test]
fn who_expects_to_be_told_to_go_on_is_told_when_the_content_is_read() {
    parsing(patient(), async |mut ends: Ends| {
        ends.bytes.send(EXPECTING.into()).await.unwrap();
        assert_eq!(ends.notices.next().await, Some(Notice::Expects(0)));
        let mut content = ends.requests.next().await.unwrap().content.unwrap();
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(ends.notices.try_next(), None, "nobody has read yet");
        let telling = async {
            assert_eq!(ends.notices.next().await, Some(Notice::Continue(0)));
            ends.bytes.send("x".into()).await.unwrap();
        };
        let (read, ()) = futures_lite::future::zip(content.next(), telling).await;
        assert_eq!(read, Ok(Some("x".into())));
    });
}

#[test]
fn content_that_nobody_asks_for_ends_the_connection() {
    parsing(patient(), async |mut ends: Ends| {
        ends.bytes.send(EXPECTING.into()).await.unwrap();
        assert_eq!(ends.notices.next().await, Some(Notice::Expects(0)));
        let content = ends.requests.next().await.unwrap().content.unwrap();
        assert_eq!(content.discard().await, Ok(()), "it is not waited for");
        let ends_before = Notice::EndsBefore {
            number: 1,
            finish: Finish::Linger,
        };
        assert_eq!(ends.notices.next().await, Some(ends_before));
    });
}

#[test]
fn content_that_comes_unasked_is_content() {
    parsing(patient(), async |mut ends: Ends| {
        ends.bytes.send(EXPECTING.into()).await.unwrap();
        assert_eq!(ends.notices.next().await, Some(Notice::Expects(0)));
        let mut content = ends.requests.next().await.unwrap().content.unwrap();
        ends.bytes.send("x".into()).await.unwrap();
        assert_eq!(ends.notices.next().await, Some(Notice::Comes(0)));
        assert_eq!(content.next().await, Ok(Some("x".into())));
    });
}

#[test]
fn no_more_requests_are_on_their_way_than_the_window_takes() {
    parsing(patient(), async |mut ends: Ends| {
        let many = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(WINDOW as usize + 2);
        ends.bytes.send(many.into()).await.unwrap();
        for number in 0..WINDOW {
            assert_eq!(ends.requests.next().await.unwrap().exchange.number, number);
        }
        // Lets the parser run, and keeps the next one back.
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(ends.requests.try_next().is_none());
        ends.written.send(WRITTEN).await.unwrap();
        assert_eq!(ends.requests.next().await.unwrap().exchange.number, WINDOW);
    });
}

#[test]
fn bad_input_is_a_failure_and_the_end() {
    parsing(patient(), async |mut ends: Ends| {
        ends.bytes
            .send("GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n".into())
            .await
            .unwrap();
        assert!(ends.requests.next().await.is_some());
        let failure = ends.failures.next().await.unwrap();
        assert_eq!((failure.exchange.number, failure.status.as_u16()), (1, 400));
        assert!(failure.exchange.closes);
        let ends_before = Notice::EndsBefore {
            number: 2,
            finish: Finish::Linger,
        };
        assert_eq!(ends.notices.next().await, Some(ends_before));
    });
}

#[test]
fn a_head_that_does_not_come_is_408_and_content_that_does_not_is_cut() {
    parsing(impatient(|p| p.head = SOON), async |mut ends: Ends| {
        ends.bytes.send("GET / HT".into()).await.unwrap();
        let failure = ends.failures.next().await.unwrap();
        assert_eq!(failure.status, StatusCode::REQUEST_TIMEOUT);
    });
    parsing(impatient(|p| p.content = SOON), async |mut ends: Ends| {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na";
        ends.bytes.send(head.into()).await.unwrap();
        let mut content = ends.requests.next().await.unwrap().content.unwrap();
        assert_eq!(content.next().await.unwrap().unwrap(), "a");
        let cut = content.next().await.unwrap_err();
        assert_eq!(cut.status, StatusCode::REQUEST_TIMEOUT);
    });
}

/// The number of body bytes that are accepted, at most 100, if each arrives alone and well within
/// its time limit.
fn taken_of_a_trickle(patience: Patience) -> usize {
    parsing(patience, async |mut ends: Ends| {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n";
        ends.bytes.send(head.into()).await.unwrap();
        let mut content = ends.requests.next().await.unwrap().content.unwrap();
        for taken in 0..100 {
            kamea::time::sleep(SOON / 5).await;
            // A parser that has given up accepts none.
            let _ = ends.bytes.send("x".into()).await;
            match content.next().await {
                Ok(bytes) => assert_eq!(bytes.unwrap(), "x"),
                Err(cut) => {
                    assert_eq!(cut.status, StatusCode::REQUEST_TIMEOUT);
                    return taken;
                }
            }
        }
        100
    })
}

#[test]
fn content_that_comes_too_slowly_is_cut_though_it_comes() {
    let content = 5 * SOON;
    let slow = taken_of_a_trickle(Patience {
        content,
        rate: 100_000,
        ..patient()
    });
    assert!(
        slow < 60,
        "{slow} bytes within {content:?} and what they were worth"
    );
    assert_eq!(
        taken_of_a_trickle(Patience {
            content,
            rate: 0,
            ..patient()
        }),
        100
    );
    assert_eq!(
        taken_of_a_trickle(Patience {
            content,
            rate: 1,
            ..patient()
        }),
        100
    );
}

/// Time during which the handler does not read does not count for the peer.
#[test]
fn a_slow_handler_does_not_make_a_slow_peer() {
    let patience = Patience {
        content: 3 * SOON,
        rate: 100_000,
        ..patient()
    };
    parsing(patience, async |mut ends: Ends| {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n";
        ends.bytes.send(head.into()).await.unwrap();
        let mut content = ends.requests.next().await.unwrap().content.unwrap();
        // More pieces than the queue holds: the parser waits for space.
        for _ in 0..8 {
            ends.bytes.send("x".into()).await.unwrap();
        }
        kamea::time::sleep(6 * SOON).await;
        ends.bytes.send("x".repeat(12).into()).await.unwrap();
        let mut length = 0;
        while let Some(bytes) = content.next().await.unwrap() {
            length += bytes.len();
        }
        assert_eq!(length, 20);
    });
}

#[test]
fn empty_lines_alone_do_not_keep_a_connection() {
    for lines in ["\r\n", "\r\n\r\n\r\n"] {
        parsing(impatient(|p| p.head = SOON), async |mut ends: Ends| {
            ends.bytes.send(lines.into()).await.unwrap();
            let ends_before = Notice::EndsBefore {
                number: 0,
                finish: Finish::Close,
            };
            assert_eq!(ends.notices.next().await, Some(ends_before));
            assert!(ends.failures.next().await.is_none(), "and nothing is said");
        });
    }
}

#[test]
fn it_folds_up_in_silence_but_not_before_every_response_is_written() {
    parsing(impatient(|p| p.linger = SOON), async |mut ends: Ends| {
        ends.bytes
            .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into())
            .await
            .unwrap();
        assert!(ends.requests.next().await.is_some());
        let folded = async { ends.requests.next().await.is_none() };
        let waited = async {
            kamea::time::sleep(5 * SOON).await;
            false
        };
        assert!(
            !or(folded, waited).await,
            "a response is still to be written"
        );
        ends.written.send(WRITTEN).await.unwrap();
        assert!(ends.requests.next().await.is_none());
        assert_eq!(
            ends.notices.next().await,
            None,
            "the connection itself stays"
        );
        assert!(ends.failures.next().await.is_none());
    });
}

#[test]
fn without_a_writer_it_ends() {
    parsing(patient(), async |ends: Ends| {
        let Ends { bytes, notices, .. } = ends;
        drop(notices);
        bytes.closed().await;
    });
}
