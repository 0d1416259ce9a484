//! Graphs of requests, through a server.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kamea::{Composite, End, Pipe};

use super::*;
use crate::gateway::testing::{Served, read_until, serve, tells};
use crate::http::Fields;
use crate::web::Route;

fn served<P, Kind>(make: impl Fn(&Request) -> P + Clone + Send + Sync + 'static) -> Served
where
    P: Part<RequestPorts, Kind> + 'static,
    Kind: 'static,
{
    serve(|server| server.route("graphs", Route::any_path(), serve_graphs(make)))
}

fn head(status: u16, fields: Fields) -> ResponsePart {
    let status = StatusCode::from_u16(status).unwrap();
    ResponsePart::Head(ResponseHead {
        fields,
        ..ResponseHead::new(status)
    })
}

fn ok() -> ResponsePart {
    head(200, Fields::new())
}

fn data(text: &'static str) -> ResponsePart {
    ResponsePart::Data(text.into())
}

/// The behaviour of a component, by the path of its request.
fn by_path(request: &Request) -> impl Component<RequestPorts> + Send + use<> {
    let path = request.head.target.path().to_owned();
    let length = |value: &str| head(200, Fields::new().with("Content-Length", value));
    async move |io: &mut RequestPorts| {
        let parts = match &*path {
            "/small" => vec![ok(), data("one"), data(""), data("two")],
            "/empty" => vec![ok()],
            "/none" => vec![],
            "/headless" => vec![data("x"), ok()],
            "/two-heads" => vec![ok(), ok()],
            "/declared" => vec![length("3"), data("abc")],
            "/too-short" => vec![length("4"), data("abc")],
            "/no-length" => vec![length("+3"), data("abc")],
            "/early" => vec![head(103, Fields::new())],
            "/204" => vec![head(204, Fields::new()), data("lost")],
            "/304" => vec![head(304, Fields::new().with("ETag", "\"a\""))],
            "/304-sized" => vec![head(304, Fields::new().with("Content-Length", "9"))],
            "/failure" => vec![ResponsePart::Failure {
                status: StatusCode::CONFLICT,
                explanation: "no two of them".into(),
            }],
            "/fault" => return Err(End::fault("a secret")),
            "/late-fault" => {
                io.response.send(ok()).await?;
                io.response.send(data("some")).await?;
                kamea::time::sleep(Duration::from_millis(1)).await;
                return Err(End::fault("a secret"));
            }
            "/slow" => {
                io.response.send(ok()).await?;
                kamea::time::sleep(Duration::from_millis(1)).await;
                vec![data("abc")]
            }
            path => panic!("{path}"),
        };
        for part in parts {
            io.response.send(part).await?;
        }
        Ok(())
    }
}

#[test]
fn parts_become_a_response() {
    let served = served(by_path);
    let rows = [
        ("GET /small", "200", "Content-Length: 6\r\n", "onetwo"),
        ("GET /empty", "200", "Content-Length: 0\r\n", ""),
        ("GET /declared", "200", "Content-Length: 3\r\n", "abc"),
        (
            "GET /slow",
            "200",
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
        ),
        ("HEAD /declared", "200", "Content-Length: 3\r\n", ""),
        ("HEAD /small", "200", "Content-Length: 6\r\n", ""),
        ("GET /204", "204", "", ""),
        ("GET /304", "304", "ETag: \"a\"\r\n", ""),
        ("GET /304-sized", "304", "", ""),
    ];
    for (request, status, fields, content) in rows {
        let close = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = served.ask(&close);
        let (head, rest) = response.split_once("Connection: close\r\n\r\n").unwrap();
        let (status_line, head) = head.split_once("\r\n").unwrap();
        assert!(status_line.contains(status), "{request}: {response}");
        // Every response with a body forbids browsers to guess its type.
        let head = head.replacen("X-Content-Type-Options: nosniff\r\n", "", 1);
        assert_eq!(head, fields, "{request}");
        assert_eq!(rest, content, "{request}");
        // The connection can continue.
        let two = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n{close}");
        let responses = served.ask(&two);
        assert_eq!(responses.matches("HTTP/1.1 ").count(), 2, "{request}");
    }
}

#[test]
fn an_error_before_the_head_is_answered() {
    let served = served(by_path);
    for (path, status, explanation) in [
        ("/failure", "409", "no two of them"),
        ("/fault", "500", "failed"),
        ("/none", "500", "failed"),
        ("/headless", "500", "failed"),
        ("/two-heads", "500", "failed"),
        ("/too-short", "500", "failed"),
        ("/no-length", "500", "failed"),
        ("/early", "500", "failed"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n");
        let response = served.ask(&format!("{request}\r\n{request}Connection: close\r\n\r\n"));
        let status_line = format!("HTTP/1.1 {status} ");
        assert_eq!(response.matches(&status_line).count(), 2, "{response}");
        assert_eq!(response.matches(explanation).count(), 2, "{response}");
        assert!(!response.contains("secret"), "{response}");
    }
}

#[test]
fn an_error_behind_the_head_cuts_the_connection() {
    let response =
        served(by_path).ask("GET /late-fault HTTP/1.1\r\nHost: a\r\n\r\nGET /small HTTP/1.1\r\n");
    assert!(response.ends_with("\r\n\r\n4\r\nsome\r\n"), "{response}");
}

/// Returns the body in capitals, by two components.
fn capitals(_: &Request) -> Composite<RequestPorts> {
    let mut graph = Graph::new("capitals");
    let shout = graph.add("shout", async |io: &mut Pipe<Bytes, Bytes>| {
        while let Some(bytes) = io.inbox.next().await {
            io.outbox.send(bytes.to_ascii_uppercase().into()).await?;
        }
        Ok(())
    });
    let respond = graph.add("respond", async |io: &mut Pipe<Bytes, ResponsePart>| {
        io.outbox.send(ok()).await?;
        while let Some(bytes) = io.inbox.next().await {
            io.outbox.send(ResponsePart::Data(bytes)).await?;
        }
        Ok(())
    });
    graph.link(shout.outbox, respond.inbox);
    graph.expose(RequestPortsHandles {
        content: shout.inbox,
        response: respond.outbox,
    })
}

#[test]
fn content_goes_in_while_the_response_comes_out() {
    let served = served(capitals);
    let mut stream = served.connect();
    for _ in 0..2 {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        assert!(read_until(&mut stream, "\r\n\r\n").contains("chunked"));
        for (sent, received) in [("one", "3\r\nONE\r\n"), ("second", "6\r\nSECOND\r\n")] {
            write!(stream, "{:x}\r\n{sent}\r\n", sent.len()).unwrap();
            assert_eq!(read_until(&mut stream, received), received);
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        assert_eq!(read_until(&mut stream, "0\r\n\r\n"), "0\r\n\r\n");
    }
}

#[test]
fn content_that_breaks_off_drops_the_graph_and_is_answered() {
    let (guard, dropped) = tells();
    let served = served(move |_: &Request| {
        let guard = guard.clone();
        async move |io: &mut RequestPorts| {
            let _guard = &guard;
            while io.content.next().await.is_some() {}
            // An incomplete body must not get here.
            io.response.send(ok()).await?;
            Ok(())
        }
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let response = served.ask(&format!("{head}3\r\nabc\r\nnonsense\r\n"));
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.contains("Connection: close\r\n"), "{response}");
    dropped.wait();
}

/// Sends mebibytes, and counts them.
fn endless(
    sent: Arc<AtomicUsize>,
    guard: crate::gateway::testing::Tells,
) -> impl Component<RequestPorts> + Send {
    async move |io: &mut RequestPorts| {
        let _guard = &guard;
        io.response.send(ok()).await?;
        loop {
            let bytes = Bytes::from(vec![0; 1 << 20]);
            io.response.send(ResponsePart::Data(bytes)).await?;
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_graph_up_and_one_that_goes_ends_it() {
    let (guard, dropped) = tells();
    let sent = Arc::new(AtomicUsize::new(0));
    let served = served({
        let sent = sent.clone();
        move |_: &Request| endless(sent.clone(), guard.clone())
    });
    let mut stream = served.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1 << 16]).unwrap();
    // There is no signal that nothing more arrives.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(before < 64, "{before} MiB");
    let mut more = vec![0; 1 << 20];
    while sent.load(Ordering::Relaxed) == before {
        stream.read_exact(&mut more).unwrap();
    }
    drop(stream);
    dropped.wait();
}

#[test]
fn a_head_without_content_ends_an_endless_graph() {
    let (guard, dropped) = tells();
    let served = served(move |_: &Request| endless(Arc::default(), guard.clone()));
    let request = "HEAD / HTTP/1.1\r\nHost: a\r\n";
    let responses = served.ask(&format!("{request}\r\n{request}Connection: close\r\n\r\n"));
    assert_eq!(responses.matches(" 200 OK").count(), 2, "{responses}");
    dropped.wait();
}
