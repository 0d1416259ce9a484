//! The limits of a route.

use std::io::{Read as _, Write as _};

use super::backend::{Scripted, Step::*};
use super::*;
use crate::plan::RateLimit;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn post(framing: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n{body}")
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let backend = Scripted::always(FINE);
    let mut route = route(&[backend.address]);
    route.body = Some(10);
    let running = run(plan(route));
    let sized = |count: usize| post(&format!("Content-Length: {count}"), &"x".repeat(count));
    let chunked = |count: usize| {
        let body = "1\r\nx\r\n".repeat(count) + "0\r\n\r\n";
        post("Transfer-Encoding: chunked", &body)
    };
    for request in [sized(10), chunked(10)] {
        assert!(running.ask(&request).ends_with("ok"), "{request}");
    }
    for request in [sized(11), sized(100_000), chunked(11), chunked(1000)] {
        let answer = running.ask(&request);
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("more than 10 bytes"), "{answer}");
    }
    assert_eq!(running.proxy.status()[0].backends[0].failures, 0);
}

#[test]
fn a_client_that_asks_too_often_waits() {
    let backend = Scripted::always(FINE);
    let mut route = route(&[backend.address]);
    route.rate = Some(RateLimit::new(0.01, 3));
    let running = run(plan(route));
    for _ in 0..3 {
        assert!(running.get().ends_with("ok"));
    }
    let answer = running.get();
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(answer.contains("Retry-After: 100\r\n"), "{answer}");
    assert_eq!(backend.requests().len(), 3);
}

/// The backend hears nothing of a request whose body has not arrived.
#[test]
fn a_buffered_body_occupies_no_backend() {
    let backend = Scripted::always(FINE);
    let mut route = route(&[backend.address]);
    route.buffer = Some(200_000);
    let running = run(plan(route));
    let mut client = running.connect();
    let head = post("Content-Length: 100000", "");
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&[b'x'; 60_000]).unwrap();
    // A request in between has been served completely: the first one had its chance.
    assert!(running.get().ends_with("ok"));
    assert_eq!(running.proxy.status()[0].backends[0].requests, 1);
    client.write_all(&[b'x'; 40_000]).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ok"), "{answer}");
    assert_eq!(backend.requests()[1].matches('x').count(), 100_000);
}

/// A body that is longer than the buffer arrives too, and what is buffered can be sent twice.
#[test]
fn longer_bodies_pass_a_buffer() {
    let backend = Scripted::new(vec![vec![Read, Reset], vec![Read, Write(FINE)]]);
    let mut route = route(&[backend.address]);
    route.buffer = Some(1 << 20);
    route.retries.non_idempotent = true;
    let running = run(plan(route.clone()));
    let body = "x".repeat(500_000);
    assert!(
        running
            .ask(&post("Content-Length: 500000", &body))
            .ends_with("ok")
    );
    let requests = backend.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.matches('x').count() == 500_000)
    );

    let backend = Scripted::always(FINE);
    route.backends[0] = Backend::parse(&format!("http://{}", backend.address)).unwrap();
    route.buffer = Some(1000);
    let running = run(plan(route));
    assert!(
        running
            .ask(&post("Content-Length: 500000", &body))
            .ends_with("ok")
    );
    assert_eq!(backend.requests()[0].matches('x').count(), 500_000);
}
