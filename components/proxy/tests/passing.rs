//! What passes through the proxy, and how.

use std::io::{Read, Write};
use std::time::Duration;

use super::backend::{Scripted, Step::*};
use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";

#[test]
fn a_response_passes_with_its_fields() {
    let backend = Scripted::always(HELLO);
    let answer = before(&[backend.address]).get();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("X-A: b\r\n") && answer.ends_with("\r\n\r\nhello"),
        "{answer}"
    );
    let requests = backend.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].starts_with("GET /x HTTP/1.1\r\nHost: a\r\n"),
        "{}",
        requests[0]
    );
    assert!(
        !requests[0].to_lowercase().contains("connection:"),
        "{}",
        requests[0]
    );
}

/// Requests one after the other, over one connection of the client.
#[test]
fn connections_to_a_backend_are_used_again() {
    let backend = Scripted::always(HELLO);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    for number in 0..100 {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 200"));
        client.read_exact(&mut [0; 5]).unwrap();
    }
    assert_eq!((backend.connections(), backend.requests().len()), (1, 100));
    let status = &running.proxy.status()[0].backends[0];
    assert_eq!(
        (status.connects, status.reused, status.requests),
        (1, 99, 100)
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Scripted::always(HELLO);
    let request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = before(&[backend.address]).ask(&(request.repeat(9) + last));
    assert_eq!(answer.matches("hello").count(), 10);
}

#[test]
fn bodies_of_requests_arrive_as_they_were_framed() {
    let backend = Scripted::always(HELLO);
    let running = before(&[backend.address]);
    let sized = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for request in [sized, chunked] {
        assert!(running.ask(request).ends_with("hello"));
    }
    let requests = backend.requests();
    assert!(
        requests[0].contains("Content-Length: 3\r\n"),
        "{}",
        requests[0]
    );
    assert!(requests[0].ends_with("\r\n\r\nabc"), "{}", requests[0]);
    // Extensions are of one connection only, and the chunks are ours.
    assert!(!requests[1].contains("x=y"), "{}", requests[1]);
    let (_, body) = requests[1].split_once("\r\n\r\n").unwrap();
    let data: String = body.split("\r\n").skip(1).step_by(2).collect();
    assert_eq!(data, "abcde");
}

#[test]
fn each_framing_of_a_response_passes() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n";
    let rows = [
        (
            chunked,
            vec![
                "Transfer-Encoding: chunked\r\n",
                "abc",
                "de",
                "0\r\nX-Sum: 1\r\n\r\n",
            ],
        ),
        (
            "HTTP/1.0 200 OK\r\n\r\nuntil the end",
            vec!["200 OK", "until the end"],
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", vec!["HTTP/1.1 204"]),
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 7\r\n\r\n",
            vec!["304", "ETag: \"a\""],
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            vec!["Content-Length: 0\r\n"],
        ),
    ];
    for (response, expected) in rows {
        let backend = Scripted::new(vec![vec![Read, Write(response)]]);
        let answer = before(&[backend.address]).get();
        for part in expected {
            assert!(answer.contains(part), "{response:?}: {answer}");
        }
    }
}

#[test]
fn head_gets_the_length_and_no_body() {
    let backend = Scripted::always("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
    let running = before(&[backend.address]);
    let answer = running.ask("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("Content-Length: 12345\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

/// The body is larger than all buffers, and the backend answers only at its end.
#[test]
fn large_bodies_stream_in_both_directions() {
    let size = 8 << 20;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
    let script = vec![
        Read,
        Write(Box::leak(head.into_boxed_str())),
        Repeat("12345678", size / 8),
    ];
    let backend = Scripted::new(vec![script]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    let head =
        format!("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&vec![b'x'; size]).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let start = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(answer.len() - start, size);
    assert!(answer[start..].chunks(8).all(|chunk| chunk == b"12345678"));
    assert_eq!(
        backend.requests()[0]
            .bytes()
            .filter(|byte| *byte == b'x')
            .count(),
        size
    );
}

/// The client gets the first bytes while the backend has not sent the rest.
#[test]
fn a_response_is_not_held_back() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
    let backend = Scripted::new(vec![vec![Read, Write(head), Hang]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    read_head(&mut client).unwrap();
    let mut first = [0; 6];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"3\r\none");
}

#[test]
fn a_backend_may_answer_before_it_has_the_body() {
    let refusal =
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let backend = Scripted::new(vec![vec![ReadHead, Write(refusal), Finish]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst")
        .unwrap();
    assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 413"));
}

#[test]
fn a_client_that_expects_continue_is_asked_by_the_backend() {
    let asks = "HTTP/1.1 100 Continue\r\n\r\n";
    let request =
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let backend = Scripted::new(vec![vec![ReadHead, Write(asks), Hang]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client.write_all(request).unwrap();
    assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 100"));
    assert!(backend.requests()[0].contains("Expect: 100-continue"));

    // A backend that refuses never gets the body, and the client need not send it.
    let refusal = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n";
    let backend = Scripted::new(vec![vec![ReadHead, Write(refusal), Hang]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client.write_all(request).unwrap();
    assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 417"));
}

#[test]
fn a_connection_can_become_a_tunnel() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly";
    let backend = Scripted::new(vec![vec![Read, Write(switch), Read, Write("late"), Finish]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client
        .write_all(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .unwrap();
    let head = read_head(&mut client).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101") && head.contains("Upgrade: websocket"),
        "{head}"
    );
    client.write_all(b"no HTTP\r\n\r\n").unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "earlylate");
    let requests = backend.requests();
    assert!(
        requests[0].to_lowercase().contains("connection: upgrade"),
        "{}",
        requests[0]
    );
    assert_eq!(requests[1], "no HTTP\r\n\r\n");
}

#[test]
fn a_switch_that_nobody_asked_for_is_an_error() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
    let backend = Scripted::new(vec![vec![Read, Write(switch), Hang]]);
    let answer = before(&[backend.address]).get();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}

#[test]
fn fields_of_one_connection_do_not_pass() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-one\r\nX-One: 1\r\n\
                    Keep-Alive: timeout=5\r\nX-Two: 2\r\n\r\n";
    let backend = Scripted::always(response);
    let running = before(&[backend.address]);
    let answer = running.ask(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n\
         Proxy-Authorization: x\r\nKeep-Alive: 1\r\nX-Other: 2\r\n\r\n",
    );
    assert!(
        answer.contains("X-Two: 2") && !answer.contains("X-One"),
        "{answer}"
    );
    assert!(!answer.contains("Keep-Alive"), "{answer}");
    let request = &backend.requests()[0];
    assert!(request.contains("X-Other: 2"), "{request}");
    for name in ["X-Mine", "Proxy-Authorization", "Keep-Alive", "close"] {
        assert!(!request.contains(name), "{name}: {request}");
    }
}

#[test]
fn a_response_gets_no_fields_that_the_backend_did_not_send() {
    let backend = Scripted::always(HELLO);
    let answer = before(&[backend.address]).get();
    assert!(!answer.contains("X-Content-Type-Options"), "{answer}");
}

#[test]
fn a_slow_client_slows_the_backend() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = "8\r\n12345678\r\n";
    // Far more than sockets and links hold.
    let script = vec![Read, Write(head), Repeat(chunk, 20_000_000), Finish];
    let backend = Scripted::new(vec![script]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    read_head(&mut client).unwrap();
    let other = Scripted::always(HELLO);
    let received = || running.proxy.status()[0].backends[0].received;
    wait_until("the first bytes have come", || received() > 0);
    // It stops: nothing more is read in the time in which another proxy serves many requests.
    let busy = before(&[other.address]);
    let stopped = loop {
        let before = received();
        for _ in 0..500 {
            assert!(busy.get().ends_with("hello"));
        }
        let after = received();
        assert!(
            after < 100 << 20,
            "{after} bytes were read for a client that reads nothing"
        );
        if after == before {
            break after;
        }
    };
    // The client reads on, and the backend goes on: it had waited.
    let mut part = vec![0; 1 << 20];
    wait_until("the backend goes on", || {
        client.read_exact(&mut part).unwrap();
        received() > stopped + (16 << 20)
    });
}

/// Two servers could understand it in two ways, whatever the routes are.
#[test]
fn dot_segments_are_refused() {
    let backend = Scripted::always(HELLO);
    let running = before(&[backend.address]);
    for path in ["/a/../b", "/%2e%2e/admin", "/a/%2E/b", "/..", "/a/.%2e"] {
        let answer = running.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    for path in ["/.well-known/x", "/a..b", "/%2fa", "/a/...", "/%41"] {
        let answer = running.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        assert!(answer.ends_with("hello"), "{path}: {answer}");
        let request = backend.requests().pop().unwrap();
        assert!(request.starts_with(&format!("GET {path} ")), "{request}");
    }
}

/// A client that reads slowly is not the fault of the backend.
#[test]
fn a_request_that_takes_too_long_ejects_nobody() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    let backend = Scripted::new(vec![vec![Read, Write(head), Hang]]);
    let mut route = route(&[backend.address]);
    route.timeouts.whole = Some(Duration::from_millis(300));
    route.ejection.failures = 1;
    let running = run(plan(route));
    let answer = running.get();
    assert!(
        answer.starts_with("HTTP/1.1 200") && !answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
    let status = &running.proxy.status()[0].backends[0];
    assert_eq!((status.health, status.failures), ("up", 0));
}
