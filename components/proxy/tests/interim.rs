//! Interim responses: who gets them, and how many.

use std::io::Write as _;

use super::backend::{Scripted, Step::*};
use super::*;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\
                     Connection: x-own\r\nX-Own: 1\r\n\r\n";

fn get(version: &str) -> String {
    format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// The status codes of all heads in an answer, and the rest.
fn statuses(mut answer: &str) -> (Vec<u16>, &str) {
    let mut all = Vec::new();
    while let Some(rest) = answer.strip_prefix("HTTP/1.1 ") {
        all.push(rest[..3].parse().unwrap());
        answer = rest.split_once("\r\n\r\n").unwrap().1;
    }
    (all, answer)
}

/// The backend answers only after the client has the hints.
#[test]
fn hints_arrive_before_there_is_a_response() {
    let backend = Scripted::new(vec![vec![Read, Write(HINTS), Hang]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    client.write_all(get("1.1").as_bytes()).unwrap();
    let head = read_head(&mut client).unwrap();
    assert!(head.starts_with("HTTP/1.1 103 Early Hints\r\n"), "{head}");
    assert!(head.contains("Link: </a.css>; rel=preload\r\n"), "{head}");
    assert!(head.contains("\r\nVia: 1.1 "), "{head}");
    let own = [
        "X-Own",
        "Connection",
        "Date",
        "Content-Length",
        "X-Content-Type",
    ];
    assert!(own.iter().all(|name| !head.contains(name)), "{head}");
}

#[test]
fn each_kind_passes_in_order_and_only_to_http_1_1() {
    let odd = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 110 Mine\r\n\r\n";
    let asks = "HTTP/1.1 100 Continue\r\n\r\n";
    // 100 is for the body, and there is none.
    let script = vec![
        Read,
        Write(HINTS),
        Write(asks),
        Write(odd),
        Write(FINE),
        Finish,
    ];
    let backend = Scripted::new(vec![script]);
    let running = before(&[backend.address]);
    let answer = running.ask(&get("1.1"));
    assert_eq!(
        statuses(&answer),
        (vec![103, 102, 110, 200], "ok"),
        "{answer}"
    );
    // RFC 9110, 15.2: "A server MUST NOT send a 1xx response to an HTTP/1.0 client."
    let answer = running.ask(&get("1.0"));
    assert_eq!(statuses(&answer), (vec![200], "ok"), "{answer}");
}

#[test]
fn a_client_gets_a_bounded_number_of_them() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let script = vec![Read, Repeat(hint, 5000), Write(FINE), Hang];
    let backend = Scripted::new(vec![script]);
    let answer = before(&[backend.address]).ask(&get("1.1"));
    let (all, body) = statuses(&answer);
    assert_eq!((all.len(), all[16], body), (17, 200, "ok"));
    assert!(all[..16].iter().all(|status| *status == 103), "{all:?}");
}

/// They come in the turn of their request, and each request of a connection has its own number.
#[test]
fn pipelined_requests_keep_their_hints() {
    let script: Vec<_> = [Read, Write(HINTS), Write(FINE)]
        .into_iter()
        .cycle()
        .take(60)
        .collect();
    let backend = Scripted::new(vec![script]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = before(&[backend.address]).ask(&(request.repeat(19) + &get("1.1")));
    let mut rest = answer.as_str();
    for number in 0..20 {
        let (all, after) = statuses(rest);
        assert_eq!(all, [103, 200], "{number}: {answer}");
        rest = after.strip_prefix("ok").unwrap();
    }
    assert_eq!(rest, "");
}

/// The hints of an attempt that fails stay true enough: they are only hints.
#[test]
fn the_response_after_hints_may_be_an_error() {
    let backend = Scripted::new(vec![vec![Read, Write(HINTS), Finish]]);
    let mut route = route(&[backend.address]);
    route.retries.most = 0;
    let answer = run(plan(route)).ask(&get("1.1"));
    assert_eq!(statuses(&answer).0, [103, 502], "{answer}");
}

/// A client that waits with its body gets 100 from the backend, and hints as well.
#[test]
fn hints_and_continue_do_not_disturb_each_other() {
    let asks = "HTTP/1.1 100 Continue\r\n\r\n";
    let backend = Scripted::new(vec![vec![ReadHead, Write(HINTS), Write(asks), Hang]]);
    let running = before(&[backend.address]);
    let mut client = running.connect();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 103"));
    assert_eq!(read_head(&mut client).unwrap(), asks);
}
