//! Backends that misbehave: what the client gets, and what happens to the connection.

use std::time::Duration;

use kamea_components::net::testing::free_address;

use super::backend::{Scripted, Step, Step::*};
use super::*;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A name, and what the backend does.
type Row = (&'static str, Vec<Step>);

/// What stands where a response should begin, and what the backend does then: 502.
fn broken_starts() -> Vec<Row> {
    let (ok, early) = ("HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n");
    let answers = |text, then| vec![Read, Write(text), then];
    vec![
        ("closes at once", vec![Finish]),
        ("resets at once", vec![Reset]),
        ("closes after the request", vec![Read, Finish]),
        ("resets after the request", vec![Read, Reset]),
        ("closes in the status line", answers("HTTP/1.1 20", Finish)),
        ("resets in the status line", answers("HTTP/1.1 20", Reset)),
        (
            "closes in the head",
            answers("HTTP/1.1 200 OK\r\nA: b", Finish),
        ),
        (
            "resets in the head",
            answers("HTTP/1.1 200 OK\r\nA: b\r\n", Reset),
        ),
        ("ends after hints", answers(early, Finish)),
        ("sends garbage", answers("\u{1}\u{2} garbage\r\n\r\n", Hang)),
        (
            "speaks TLS",
            answers("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}", Hang),
        ),
        ("speaks SSH", vec![Write("SSH-2.0-OpenSSH_9.2\r\n"), Hang]),
        ("speaks SMTP", vec![Write("220 mail ESMTP\r\n"), Hang]),
        ("speaks HTTP/0.9", answers("<html>hello</html>", Finish)),
        (
            "is of another version",
            answers("HTTP/2.0 200 OK\r\n\r\n", Hang),
        ),
        ("has no status", answers("HTTP/1.1\r\n\r\n", Hang)),
        ("has two digits", answers("HTTP/1.1 20 OK\r\n\r\n", Hang)),
        ("has four digits", answers("HTTP/1.1 2000 OK\r\n\r\n", Hang)),
        ("has status 99", answers("HTTP/1.1 099 OK\r\n\r\n", Hang)),
        (
            "repeats fields",
            vec![Read, Write(ok), Repeat("A: b\r\n", 100_000), Hang],
        ),
        (
            "has a long field",
            vec![Read, Write(ok), Repeat("Aaaaaaaa", 100_000), Hang],
        ),
        (
            "has a long reason",
            vec![
                Read,
                Write("HTTP/1.1 200 "),
                Repeat("OOOOOOOO", 100_000),
                Hang,
            ],
        ),
    ]
}

/// Fields that no response may have: 502.
const BROKEN_FIELDS: [(&str, &str); 20] = [
    ("a bare CR", "A: b\rc"),
    ("a bare LF", "A: b\nc"),
    ("a NUL", "A: b\0c"),
    ("no colon", "broken"),
    ("a space before the colon", "A : b"),
    ("a folded line", "A: b\r\n c"),
    ("an empty name", ": b"),
    ("a length that is no number", "Content-Length: x"),
    ("a negative length", "Content-Length: -1"),
    ("a signed length", "Content-Length: +1"),
    ("an empty length", "Content-Length:"),
    ("two lengths", "Content-Length: 1\r\nContent-Length: 2"),
    ("a list of lengths", "Content-Length: 1, 2"),
    (
        "a length beyond 64 bits",
        "Content-Length: 99999999999999999999",
    ),
    (
        "a length beside chunks",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
    ),
    ("a coding after chunks", "Transfer-Encoding: chunked, x"),
    ("chunks twice", "Transfer-Encoding: chunked, chunked"),
    ("compressed chunks", "Transfer-Encoding: gzip, chunked"),
    (
        "chunks in a second field",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    ),
    ("a coding until the end", "Transfer-Encoding: gzip"),
];

/// A backend that is too slow: 504.
fn too_slow() -> Vec<Row> {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    vec![
        ("says nothing", vec![Read, Hang]),
        (
            "stops in the head",
            vec![Read, Write("HTTP/1.1 200 OK\r\nA"), Hang],
        ),
        (
            "sends interim responses",
            vec![Read, Repeat(interim, 1000), Hang],
        ),
    ]
}

/// Odd, but right.
fn odd() -> Vec<Row> {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let no_reason = "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok";
    let empty_line = "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore";
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\n\r\nok";
    vec![
        ("trickles", vec![Read, Trickle(FINE), Hang]),
        ("answers before the request", vec![Write(FINE), Read, Hang]),
        (
            "sends hints first",
            vec![Read, Write(hints), Write(FINE), Hang],
        ),
        (
            "sends 100 unasked",
            vec![Read, Write("HTTP/1.1 100 X\r\n\r\n"), Write(FINE), Hang],
        ),
        ("speaks HTTP/1.0", vec![Read, Write(old), Finish]),
        ("has no reason", vec![Read, Write(no_reason), Hang]),
        (
            "begins with an empty line",
            vec![Read, Write(empty_line), Hang],
        ),
        ("says more than its length", vec![Read, Write(more), Hang]),
        ("answers twice", vec![Read, Write(twice), Hang]),
    ]
}

/// Responses that begin and do not end: `Content-Length: 9` or chunks, and then this.
const BROKEN_BODIES: [(&str, &str, Step); 9] = [
    ("ends early", "Content-Length: 9\r\n\r\nok", Finish),
    ("is reset", "Content-Length: 9\r\n\r\nok", Reset),
    ("stops", "Content-Length: 9\r\n\r\nok", Hang),
    (
        "ends between chunks",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        Finish,
    ),
    (
        "ends in a chunk",
        "Transfer-Encoding: chunked\r\n\r\n9\r\nok",
        Finish,
    ),
    (
        "has a broken size",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n",
        Hang,
    ),
    (
        "has a huge chunk",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nfffffffffffffffff\r\n",
        Hang,
    ),
    (
        "stops between chunks",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        Hang,
    ),
    (
        "has bad trailers",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nbroken\r\n\r\n",
        Hang,
    ),
];

fn running_before(backend: &Scripted) -> Running {
    let mut route = route(&[backend.address]);
    route.timeouts.first_byte = Duration::from_millis(300);
    route.timeouts.send = Duration::from_millis(300);
    route.retries.most = 0;
    run(plan(route))
}

fn check_failed(name: &str, script: Vec<Step>, status: u16) {
    let backend = Scripted::new(vec![script]);
    let running = running_before(&backend);
    let answer = running.get();
    let mut answer = answer.as_str();
    while answer.starts_with("HTTP/1.1 10") {
        answer = answer.split_once("\r\n\r\n").unwrap().1;
    }
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status}")),
        "{name}: {answer}"
    );
    assert!(
        answer.contains("Proxy-Status: kamea; error="),
        "{name}: {answer}"
    );
    let state = &running.proxy.status()[0].backends[0];
    assert_eq!(
        (state.open, state.idle, state.failures),
        (0, 0, 1),
        "{name}"
    );
}

#[test]
fn a_response_that_does_not_begin_well_is_a_bad_gateway() {
    for (name, script) in broken_starts() {
        check_failed(name, script, 502);
    }
    for (name, fields) in BROKEN_FIELDS {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n0\r\n\r\n");
        check_failed(name, vec![Read, Write(head.leak()), Hang], 502);
    }
}

#[test]
fn a_response_that_does_not_begin_in_time_is_a_timeout() {
    for (name, script) in too_slow() {
        check_failed(name, script, 504);
    }
}

#[test]
fn odd_but_valid_responses_pass() {
    for (name, script) in odd() {
        let backend = Scripted::new(vec![script]);
        let running = running_before(&backend);
        let answer = running.get();
        // Hints pass before the response.
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\nVia: ";
        let answer = match answer.split_once("\r\n\r\n") {
            Some((head, rest)) if head.starts_with(hints) => rest.to_owned(),
            _ => answer,
        };
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        let is_whole = answer.ends_with("\r\n\r\nok") || answer.contains("ok\r\n0\r\n");
        assert!(is_whole, "{name}: {answer}");
        let state = &running.proxy.status()[0].backends[0];
        assert_eq!((state.open, state.failures), (0, 0), "{name}");
    }
}

/// The client notices: a part is never taken for the whole.
#[test]
fn a_response_that_breaks_off_breaks_off_for_the_client() {
    for (name, rest, then) in BROKEN_BODIES {
        let text = format!("HTTP/1.1 200 OK\r\n{rest}");
        let backend = Scripted::new(vec![vec![Read, Write(text.leak()), then]]);
        let running = running_before(&backend);
        let answer = running.get();
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        assert!(answer.contains("ok"), "{name}: {answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{name}: {answer}");
        let state = &running.proxy.status()[0].backends[0];
        assert_eq!(
            (state.open, state.idle, state.failures),
            (0, 0, 1),
            "{name}"
        );
    }
}

/// What a backend says after its response belongs to no request.
#[test]
fn bytes_after_a_response_are_no_response() {
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let backend = Scripted::new(vec![
        vec![Read, Write(twice), Hang],
        vec![Read, Write(FINE), Hang],
    ]);
    let running = before(&[backend.address]);
    for _ in 0..2 {
        let answer = running.get();
        assert!(
            answer.ends_with("ok") && !answer.contains("poison"),
            "{answer}"
        );
    }
}

#[test]
fn another_backend_answers_if_one_is_not_reached() {
    let closed = free_address().unwrap();
    let backend = Scripted::always(FINE);
    let running = before(&[closed, backend.address]);
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        for _ in 0..3 {
            let length = if method == "GET" {
                ""
            } else {
                "Content-Length: 1\r\n"
            };
            let body = if method == "GET" { "" } else { "x" };
            let answer = running.ask(&format!(
                "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}\r\n{body}"
            ));
            assert!(answer.ends_with("ok"), "{method}: {answer}");
        }
    }
    assert_eq!(backend.requests().len(), 12);
}

/// A backend may have acted on it.
#[test]
fn a_request_that_is_not_idempotent_is_sent_once() {
    for (method, attempts) in [("POST", 1), ("PATCH", 1), ("GET", 3), ("PUT", 3)] {
        let backend = Scripted::new(vec![vec![Read, Reset]]);
        let running = before(&[backend.address]);
        let answer = running.ask(&format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        ));
        assert!(answer.starts_with("HTTP/1.1 502"), "{method}: {answer}");
        assert_eq!(backend.requests().len(), attempts, "{method}");
    }
}

/// The backend answers one request on each connection, and then closes it: at once, or when the
/// next request arrives.
#[test]
fn a_stale_connection_is_never_the_problem_of_the_client() {
    let scripts = [
        vec![Read, Write(FINE)],
        vec![Read, Write(FINE), Read, Reset],
    ];
    for script in scripts {
        let backend = Scripted::new(vec![script.clone()]);
        let running = before(&[backend.address]);
        for number in 0..200 {
            let method = if number % 3 == 0 { "POST" } else { "GET" };
            let answer = running.ask(&format!(
                "{method} /{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            ));
            assert!(answer.ends_with("ok"), "{number} {script:?}: {answer}");
        }
        let posts = backend.requests();
        let posts: Vec<_> = posts
            .iter()
            .filter(|request| request.starts_with("POST"))
            .collect();
        assert_eq!(posts.len(), 67, "each POST was sent once");
    }
}

#[test]
fn failures_in_a_row_take_a_backend_out() {
    let broken = Scripted::new(vec![vec![Read, Reset]]);
    let fine = Scripted::always(FINE);
    let mut route = route(&[broken.address, fine.address]);
    route.ejection.failures = 2;
    route.ejection.pause = PATIENCE;
    let running = run(plan(route));
    for _ in 0..20 {
        assert!(running.get().ends_with("ok"));
    }
    assert_eq!(broken.requests().len(), 2);
    let status = running.proxy.status();
    assert_eq!(status[0].backends[0].health, "ejected");
    assert_eq!(status[0].retries, 2);
}

/// All are ejected: they are tried all the same.
#[test]
fn the_last_backend_is_never_taken_out() {
    let broken = Scripted::new(vec![vec![Read, Reset], vec![Read, Write(FINE), Hang]]);
    let mut route = route(&[broken.address]);
    route.ejection.failures = 1;
    route.ejection.pause = PATIENCE;
    route.retries.most = 0;
    let running = run(plan(route));
    assert!(running.get().starts_with("HTTP/1.1 502"));
    assert!(running.get().ends_with("ok"));
}

#[test]
fn the_errors_of_the_assignment() {
    let closed = free_address().unwrap();
    let mut plan = plan(route(&[closed]));
    plan.errors = Errors::Assignment;
    assert!(run(plan).get().starts_with("HTTP/1.1 404"));
    let unknown = run(Plan::new([]));
    assert!(unknown.get().starts_with("HTTP/1.1 404"));
    assert!(before(&[closed]).get().starts_with("HTTP/1.1 502"));
}

#[test]
fn requests_wait_for_a_backend_at_its_limit() {
    let backend = Scripted::always(FINE);
    let mut route = route(&[backend.address]);
    route.backends[0].most_connections = Some(1);
    let running = run(plan(route.clone()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(running.get().ends_with("ok")));
        }
    });
    // Without a queue, one of two at the same time is refused.
    let slow = Scripted::new(vec![vec![Read, Hang]]);
    route.backends[0] = Backend::parse(&format!("http://{}", slow.address)).unwrap();
    route.backends[0].most_connections = Some(1);
    route.queue.most = 0;
    let running = run(plan(route));
    let mut first = running.connect();
    std::io::Write::write_all(&mut first, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let open = || running.proxy.status()[0].backends[0].open;
    wait_until("the first request is at the backend", || open() == 1);
    let answer = running.get();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 1"),
        "{answer}"
    );
    drop(first);
    // The client has gone: its place is free again.
    wait_until("the backend is free", || open() == 0);
}
