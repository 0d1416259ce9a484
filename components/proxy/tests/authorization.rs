//! Requests that another server has to allow, and connections that say whose they are.

use kamea_components::net::testing::free_address;

use super::backend::{Scripted, Step::*};
use super::*;
use crate::plan::{AuthRequest, ProxyProtocol};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy in front of `backend` that asks `judge` first.
fn asking(judge: SocketAddr, backend: SocketAddr) -> Running {
    let mut route = route(&[backend]);
    let judge = Backend::parse(&format!("http://{judge}/check")).unwrap();
    let mut auth = AuthRequest::new(judge);
    auth.copy_fields = vec!["X-User".to_owned(), "X-Role".to_owned()];
    route.auth = Some(auth);
    run(plan(route))
}

#[test]
fn what_is_allowed_passes_with_the_fields_of_the_answer() {
    let judge = Scripted::always("HTTP/1.1 204 No Content\r\nX-User: ada\r\n\r\n");
    let backend = Scripted::always(FINE);
    let running = asking(judge.address, backend.address);
    for _ in 0..3 {
        let answer = running.ask(
            "POST /secret?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: c=d\r\n\
             X-User: eve\r\nX-Role: admin\r\nContent-Length: 4\r\n\r\nbody",
        );
        assert!(answer.ends_with("ok"), "{answer}");
    }
    let question = &judge.requests()[0];
    assert!(
        question.starts_with("GET /check HTTP/1.1\r\nHost: a\r\n"),
        "{question}"
    );
    for field in [
        "Cookie: c=d",
        "X-Original-Method: POST",
        "X-Original-URI: /secret?a=b",
    ] {
        assert!(question.contains(field), "{field}: {question}");
    }
    assert!(!question.contains("Content-Length"), "{question}");
    let request = &backend.requests()[0];
    assert!(
        request.contains("X-User: ada\r\n") && request.ends_with("body"),
        "{request}"
    );
    // The client cannot say who it is.
    assert!(
        !request.contains("eve") && !request.contains("X-Role"),
        "{request}"
    );
    assert_eq!((judge.connections(), judge.requests().len()), (1, 3));
}

#[test]
fn what_is_not_allowed_gets_the_answer() {
    let rows = [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 5\r\n\r\nlogin",
            "401",
            "login",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            "403",
            "no",
        ),
    ];
    for (answer, status, body) in rows {
        let (judge, backend) = (Scripted::always(answer), Scripted::always(FINE));
        let running = asking(judge.address, backend.address);
        let answer = running.get();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.ends_with(body), "{answer}");
        assert_eq!(answer.contains("WWW-Authenticate"), status == "401");
        assert_eq!(backend.requests().len(), 0);
    }
}

/// Nothing passes that nobody has allowed.
#[test]
fn without_an_answer_nothing_passes() {
    let closed = free_address().unwrap();
    let script = |answer: &'static str| Scripted::new(vec![vec![Read, Write(answer), Finish]]);
    let backend = Scripted::always(FINE);
    assert!(
        asking(closed, backend.address)
            .get()
            .starts_with("HTTP/1.1 502")
    );
    for answer in [
        "",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
    ] {
        let judge = script(answer);
        let got = asking(judge.address, backend.address).get();
        assert!(got.starts_with("HTTP/1.1 502"), "{answer}: {got}");
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_backend_can_be_told_first_whose_connection_it_is() {
    let script = vec![Read, Write(FINE)];
    let backend = Scripted::new(vec![script]);
    let mut route = route(&[backend.address]);
    route.backends[0].send_proxy_protocol = Some(ProxyProtocol::V1);
    let running = run(plan(route));
    for _ in 0..2 {
        assert!(running.get().ends_with("ok"));
    }
    let port = running.address.port();
    for request in backend.requests() {
        let (first, rest) = request.split_once("\r\n").unwrap();
        let words: Vec<_> = first.split(' ').collect();
        assert_eq!(
            words[..4],
            ["PROXY", "TCP4", "127.0.0.1", "127.0.0.1"],
            "{first}"
        );
        assert_eq!(words[5], port.to_string());
        assert!(rest.starts_with("GET /x HTTP/1.1\r\n"), "{rest}");
    }
    // Each client has a connection of its own.
    assert_eq!(backend.connections(), 2);
}

#[test]
fn a_trusted_peer_says_first_whose_connection_it_is() {
    let backend = Scripted::always(FINE);
    let mut plan = plan(route(&[backend.address]));
    plan.accepts_proxy_protocol = true;
    plan.trusted = vec!["127.0.0.1/32".parse().unwrap()];
    let running = run(plan.clone());
    let request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = running.ask(&format!(
        "PROXY TCP4 192.0.2.7 192.0.2.1 5555 80\r\n{request}"
    ));
    assert!(answer.ends_with("ok"), "{answer}");
    assert!(backend.requests()[0].contains("X-Forwarded-For: 192.0.2.7\r\n"));
    // In pieces, and with version 2.
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([192, 0, 2, 8, 192, 0, 2, 1, 0x15, 0xb3, 0, 80]);
    binary.extend(request.as_bytes());
    let mut client = running.connect();
    for byte in binary {
        std::io::Write::write_all(&mut client, &[byte]).unwrap();
    }
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut client, &mut answer).unwrap();
    assert!(answer.ends_with("ok"), "{answer}");
    assert!(backend.requests()[1].contains("X-Forwarded-For: 192.0.2.8\r\n"));
    // It has to, and others must not.
    for wrong in [request, "PROXY nonsense\r\n"] {
        assert_eq!(running.ask(wrong), "", "{wrong}");
    }
    plan.trusted.clear();
    let answer = run(plan).ask(&format!("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n{request}"));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(backend.requests().len(), 2);
}

/// Under no name that a program could take for the field, and not as a field of the connection.
#[test]
fn a_client_can_neither_invent_nor_remove_what_the_answer_says() {
    let judge = Scripted::always("HTTP/1.1 204 No Content\r\nX-User: ada\r\n\r\n");
    let backend = Scripted::always(FINE);
    let running = asking(judge.address, backend.address);
    for fields in [
        "Connection: close, X-User",
        "Connection: close\r\nX_User: eve\r\nX_ROLE: admin",
        "Connection: close\r\nX_Original_URI: /public\r\nX-Original-URI: /public",
    ] {
        let answer = running.ask(&format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert!(answer.ends_with("ok"), "{fields}: {answer}");
        let request = backend.requests().pop().unwrap();
        assert!(request.contains("X-User: ada\r\n"), "{fields}: {request}");
        assert!(
            !request.contains("eve") && !request.contains("admin"),
            "{request}"
        );
        let question = judge.requests().pop().unwrap();
        let uris = question.to_lowercase().matches("original").count();
        assert_eq!(uris, 2, "{question}");
        assert!(question.contains("X-Original-URI: /x\r\n"), "{question}");
    }
    running.ask("GET http://a/admin?b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let question = judge.requests().pop().unwrap();
    assert!(
        question.contains("X-Original-URI: /admin?b\r\n"),
        "{question}"
    );
}

/// What is left on a connection is no answer to the next question.
#[test]
fn an_answer_allows_one_request() {
    let twice =
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let judge = Scripted::always(twice);
    let backend = Scripted::always(FINE);
    let running = asking(judge.address, backend.address);
    for _ in 0..3 {
        assert!(running.get().starts_with("HTTP/1.1 401"));
    }
    // An answer may end with its connection.
    let old = Scripted::new(vec![vec![
        Read,
        Write("HTTP/1.0 200 OK\r\n\r\nyes"),
        Finish,
    ]]);
    let running = asking(old.address, backend.address);
    for _ in 0..2 {
        assert!(running.get().ends_with("ok"));
    }
    assert_eq!(backend.requests().len(), 2);
}

/// The figures of the server that is asked tell whether it answers.
#[test]
fn the_server_that_is_asked_has_figures() {
    let judge = Scripted::new(vec![
        vec![Read, Write("HTTP/1.1 204 No Content\r\n\r\n"), Finish],
        vec![
            Read,
            Write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
            Finish,
        ],
        vec![
            Read,
            Write("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
            Finish,
        ],
        vec![Read, Write("garbage\r\n\r\n"), Finish],
    ]);
    let backend = Scripted::always(FINE);
    let running = asking(judge.address, backend.address);
    let expected = [(1, 1, 0, 0), (2, 2, 0, 0), (3, 3, 1, 1), (4, 3, 2, 1)];
    for (requests, answered, failures, server_errors) in expected {
        // An idle connection would be asked first; each has one answer.
        running.get();
        let auth = running.proxy.status()[0].auth.clone().unwrap();
        let figures = (
            auth.requests,
            auth.answered,
            auth.failures,
            auth.server_errors,
        );
        assert_eq!(figures, (requests, answered, failures, server_errors));
        // It is asked in any case, so it is never left alone.
        assert_eq!((auth.health, auth.open), ("up", 0));
    }
    assert!(running.proxy.status()[0].auth.clone().unwrap().waited > 0);
    let metrics = crate::status::metrics::metrics(&running.proxy.status());
    assert!(metrics.contains(",role=\"auth\"} 4\n"), "{metrics}");
    assert_eq!(backend.requests().len(), 1);
}
