//! Handlers, through a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_lite::stream;
use http::StatusCode;

use super::*;
use crate::gateway::testing::serve;
use crate::web::{Response, Route};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nConnection: close\r\n\r\n")
}

async fn fail(_: Request) -> Result<Reply, std::io::Error> {
    Err(std::io::Error::other("a secret"))
}

#[test]
fn replies_are_made_of_many_things() {
    let failure = |_: Request| async {
        let failure = Reply::failure(StatusCode::NOT_FOUND, "nobody is here");
        failure.with("X-Field", "kept")
    };
    let served = serve(|server| {
        let all = |path| Route::path(path);
        server
            .handle("text", all("/text"), async |_: Request| "text")
            .handle("string", all("/string"), async |request: Request| {
                request.head.target.path().to_owned()
            })
            .handle("bytes", all("/bytes"), async |_: Request| {
                Bytes::from_static(b"\xff")
            })
            .handle("status", all("/status"), async |_: Request| {
                StatusCode::NO_CONTENT
            })
            .handle("both", all("/both"), async |_: Request| {
                (StatusCode::CREATED, "made")
            })
            .handle("result", all("/result"), async |_: Request| {
                Ok::<_, BoxError>(Response::html("<p>").with("X-Field", "1"))
            })
            .handle("stream", all("/stream"), async |_: Request| {
                Reply::stream(stream::iter([Ok::<_, BoxError>("a"), Ok("b")]))
            })
            .handle("failure", all("/failure"), failure)
            .handle("refused", all("/refused"), async |request: Request| {
                let failure = request.refuse(StatusCode::GONE, "it moved away");
                Err::<StatusCode, _>(failure.with("X-Field", "kept"))
            })
            .handle("fail", all("/fail"), fail)
    });
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    for (path, status, field, content) in [
        ("/text", 200, text, "text"),
        ("/string", 200, text, "/string"),
        ("/bytes", 200, "application/octet-stream", "\u{fffd}"),
        ("/status", 204, "", ""),
        ("/both", 201, text, "made"),
        ("/result", 200, "X-Field: 1\r\n", "<p>"),
        ("/result", 200, "text/html; charset=utf-8\r\n", "<p>"),
        ("/stream", 200, "Content-Length: 2\r\n", "ab"),
        ("/failure", 404, "X-Field: kept\r\n", "nobody is here\n"),
        ("/refused", 410, "X-Field: kept\r\n", "it moved away\n"),
        ("/fail", 500, "", "what serves this has failed\n"),
    ] {
        let response = served.ask(&get(path));
        let (head, rest) = response.split_once("\r\n\r\n").unwrap();
        let head = format!("{head}\r\n");
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        assert!(head.contains(field), "{path}: {response}");
        assert!(rest.ends_with(content), "{path}: {response}");
        assert!(!response.contains("secret"), "{path}: {response}");
    }
}

/// RFC 9110, 9.3.2: "The server SHOULD send the same header fields in response to a HEAD request as
/// it would have sent if the request method had been GET."
#[test]
fn head_is_answered_with_the_fields_of_get() {
    let served = serve(|server| {
        let typed = async |_: Request| Response::typed("text/css", "p {}").with("X-Field", "1");
        let text = async |_: Request| (StatusCode::CREATED, "made");
        let server = server.handle("typed", Route::path("/typed"), typed);
        server.handle("text", Route::path("/text"), text)
    });
    for path in ["/typed", "/text"] {
        let got = served.ask(&get(path));
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(
            !body.is_empty() && head.contains("Content-Length: 4"),
            "{got}"
        );
        let asked = served.ask(&get(path).replace("GET", "HEAD"));
        assert_eq!(asked, format!("{head}\r\n\r\n"));
    }
}

#[test]
fn content_that_is_too_much_or_breaks_off_has_a_status_of_its_own() {
    let echo =
        async |mut request: Request| -> Result<Bytes, Failure> { request.read_content(3).await };
    let served = serve(|server| server.handle("echo", Route::any_path(), echo));
    for (content, status) in [
        ("Content-Length: 3\r\n\r\nabc", 200),
        ("\r\n", 200),
        ("Content-Length: 4\r\n\r\nabcd", 413),
        ("Transfer-Encoding: chunked\r\n\r\nx", 400),
    ] {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
        let response = served.ask(&format!("{post}{content}"));
        let status_line = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&status_line), "{content}: {response}");
    }
}

/// A handler with state.
#[derive(Default)]
struct Count(AtomicUsize);

impl Handler for Count {
    async fn handle(&self, _: Request) -> Result<Reply, BoxError> {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(count.to_string().into())
    }
}

#[test]
fn state_is_that_of_all_connections() {
    let shared = Arc::new(AtomicUsize::new(0));
    let closure = {
        let shared = shared.clone();
        async move |_: Request| {
            shared.fetch_add(1, Ordering::Relaxed);
            StatusCode::OK
        }
    };
    let served = serve(|server| {
        let server = server.handle("count", Route::path("/count"), Count::default());
        server.handle("closure", Route::any_path(), closure)
    });
    for count in 1..=3 {
        let response = served.ask(&get("/count"));
        assert!(response.ends_with(&format!("\r\n\r\n{count}")));
        served.ask(&get("/closure"));
    }
    assert_eq!(shared.load(Ordering::Relaxed), 3);
}

#[test]
fn a_request_that_is_not_read_leaves_the_connection_usable() {
    let served =
        serve(|server| server.handle("deaf", Route::any_path(), async |_: Request| StatusCode::OK));
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let responses = served.ask(&format!("{post}{post}{}", get("/")));
    assert_eq!(responses.matches("HTTP/1.1 200 ").count(), 3, "{responses}");
}
