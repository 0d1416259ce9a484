//! What a client may rely on: RFC 9110 and RFC 9112, and how files are served.

use std::fs;
use std::time::Instant;

use super::server::{PATIENCE, Server};

const GET: &str = "GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn a_file_is_served_with_what_describes_it() {
    let server = Server::start(&[]);
    let response = server.ask(GET);
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "hello\n")
    );
    assert_eq!(
        response.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(response.field("content-length"), Some("6"));
    for name in ["date", "last-modified"] {
        assert!(response.field(name).unwrap().ends_with(" GMT"), "{name}");
    }
    let etag = response.field("etag").unwrap();
    assert!(
        etag.starts_with('"') && etag.ends_with('"'),
        "a strong tag: {etag}"
    );
}

/// RFC 9112 section 9.3: "HTTP/1.1 defaults to the use of persistent connections".
#[test]
fn connections_persist() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(GET);
        let response = client.response(false);
        assert_eq!((response.status, response.closes()), (200, false));
    }
    client.send("GET /hello.txt HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(client.response(false).closes());
    assert_eq!(client.rest(), b"");
}

/// RFC 9112 section 9.3: HTTP/1.0 connections persist only with "keep-alive".
#[test]
fn http_1_0_closes_unless_asked() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(
        client.response(false).field("connection"),
        Some("keep-alive")
    );
    client.send("GET /hello.txt HTTP/1.0\r\n\r\n");
    assert_eq!(client.response(false).text(), "hello\n");
    assert_eq!(client.rest(), b"");
}

/// RFC 9112 section 9.3.2: a server "MUST send the corresponding responses in the same order that
/// the requests were received".
#[test]
fn pipelined_responses_come_in_order() {
    let server = Server::start(&[]);
    for index in 0..100 {
        fs::write(
            server.path().join(format!("{index}.txt")),
            format!("{index}"),
        )
        .unwrap();
    }
    let mut client = server.connect();
    // Errors, folders and files take different paths through the graph, some of them with disk
    // access.
    let requests: String = (0..300)
        .map(|index| match index % 3 {
            0 => format!("GET /{}.txt HTTP/1.1\r\nHost: test\r\n\r\n", index / 3),
            1 => "GET /missing HTTP/1.1\r\nHost: test\r\n\r\n".to_owned(),
            _ => "BREW / HTTP/1.1\r\nHost: test\r\n\r\n".to_owned(),
        })
        .collect();
    client.send(requests);
    for index in 0..300 {
        let response = client.response(false);
        match index % 3 {
            0 => assert_eq!(response.text(), (index / 3).to_string()),
            1 => assert_eq!(response.status, 404),
            _ => assert_eq!(response.status, 501),
        }
    }
}

/// RFC 9110 section 9.3.2: "The HEAD method is identical to GET except that the server MUST NOT
/// send content in the response."
#[test]
fn head_is_get_without_content() {
    let server = Server::start(&[]);
    for path in ["/hello.txt", "/", "/missing"] {
        let get = server.get(path);
        let mut client = server.connect();
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\n{GET}"));
        let head = client.response(true);
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-length", "content-type", "etag"] {
            assert_eq!(head.field(name), get.field(name), "{path} {name}");
        }
        assert_eq!(
            client.response(false).text(),
            "hello\n",
            "no content came between"
        );
    }
}

/// RFC 9110 section 10.1.1: "A server MAY omit sending a 100 (Continue) response if [...] it can
/// immediately respond with a final status code".
#[test]
fn expect_100_continue() {
    let program = "read -r line; printf 'Content-Type: text/plain\\n\\n%s' \"$line\"";
    let server = Server::with_programs(&["--writable"], &[("program", program)]);
    let expecting = |method: &str, path: &str| {
        let fields = "Host: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n";
        let mut client = server.connect();
        client.send(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n"));
        client
    };
    // An unwanted body is not requested. The client may still send it: so the connection is closed.
    for (method, path, status) in [
        ("POST", "/", 405),
        ("POST", "/hello.txt", 405),
        ("PUT", "/no/such", 409),
        ("DELETE", "/no-such", 404),
        ("POST", "/cgi-bin/no-such", 404),
        ("GET", "/no-such", 404),
        ("BREW", "/", 501),
    ] {
        let mut client = expecting(method, path);
        let response = client.response(false);
        assert_eq!(response.status, status, "{method} {path}");
        assert!(response.closes(), "{method} {path}");
        assert_eq!(client.rest(), b"", "{method} {path}");
    }
    for (method, path, status) in [("PUT", "/new", 201), ("POST", "/cgi-bin/program", 200)] {
        let mut client = expecting(method, path);
        assert_eq!(client.response(false).status, 100, "{method} {path}");
        client.send("body");
        assert_eq!(client.response(false).status, status, "{method} {path}");
        client.send(GET);
        assert_eq!(client.response(false).text(), "hello\n");
    }
    // A client that does not wait gets no 100.
    let mut client = server.connect();
    client.send(
        "PUT /newer HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
    );
    assert_eq!(client.response(false).status, 201);
    client.send(GET);
    assert_eq!(client.response(false).text(), "hello\n");
    let refused =
        server.ask("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 200-ok\r\n\r\n");
    assert_eq!(refused.status, 417);
}

#[test]
fn content_that_nobody_wants_is_read_past() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello\
         POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n\
         GET /hello.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc",
    );
    for _ in 0..2 {
        let response = client.response(false);
        // RFC 9110 section 15.5.6: "The origin server MUST generate an Allow header field in a 405
        // response".
        assert_eq!(
            (response.status, response.field("allow")),
            (405, Some("GET, HEAD, OPTIONS"))
        );
    }
    assert_eq!(client.response(false).text(), "hello\n");
    client.send(GET);
    assert_eq!(client.response(false).text(), "hello\n");
}

/// RFC 9112 section 3.2.2: "a server MUST accept the absolute-form in requests".
#[test]
fn absolute_form() {
    let server = Server::start(&[]);
    assert_eq!(
        server
            .ask("GET http://test/hello.txt HTTP/1.1\r\nHost: test\r\n\r\n")
            .text(),
        "hello\n"
    );
    assert_eq!(
        server
            .ask("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n")
            .status,
        204
    );
}

#[test]
fn folders() {
    let server = Server::start(&[]);
    fs::create_dir_all(server.path().join("with/sub")).unwrap();
    fs::create_dir(server.path().join("without")).unwrap();
    fs::write(server.path().join("with/index.html"), "<p>index").unwrap();
    fs::write(server.path().join("without/a <b>.txt"), "x").unwrap();
    let redirect = server.get("/with?a=b");
    assert_eq!(
        (redirect.status, redirect.field("location")),
        (301, Some("/with/?a=b"))
    );
    let index = server.get("/with/");
    assert_eq!(
        (index.text().as_str(), index.field("content-type")),
        ("<p>index", Some("text/html; charset=utf-8"))
    );
    let listing = server.get("/without/").text();
    assert!(
        listing.contains("a%20%3Cb%3E.txt") && !listing.contains("<b>"),
        "{listing}"
    );
    assert_eq!(server.get("/without/a%20%3Cb%3E.txt").text(), "x");
}

#[test]
fn not_modified() {
    let server = Server::start(&[]);
    let first = server.ask(GET);
    let (etag, modified) = (
        first.field("etag").unwrap(),
        first.field("last-modified").unwrap(),
    );
    let with = |field: String| {
        server.ask(&format!(
            "GET /hello.txt HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"
        ))
    };
    for field in [
        format!("If-None-Match: {etag}"),
        format!("If-None-Match: \"x\", W/{etag}"),
        "If-None-Match: *".to_owned(),
        format!("If-Modified-Since: {modified}"),
    ] {
        let response = with(field.clone());
        assert_eq!(
            (response.status, response.field("etag")),
            (304, Some(etag)),
            "{field}"
        );
    }
    // RFC 9110 section 13.2.2: If-None-Match takes precedence over If-Modified-Since.
    assert_eq!(
        with(format!(
            "If-None-Match: \"x\"\r\nIf-Modified-Since: {modified}"
        ))
        .status,
        200
    );
    assert_eq!(
        with("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT".to_owned()).status,
        200
    );
}

#[test]
fn errors_are_pages_with_a_drawing() {
    let server = Server::start(&["--max-body", "10"]);
    let long = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(9000));
    let large = format!(
        "GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    for (request, status) in [
        ("GET /missing HTTP/1.1\r\nHost: test\r\n\r\n", 404),
        ("DELETE / HTTP/1.1\r\nHost: test\r\n\r\n", 405),
        ("BREW / HTTP/1.1\r\nHost: test\r\n\r\n", 501),
        ("GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505),
        (
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\n",
            413,
        ),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (long.as_str(), 414),
        (large.as_str(), 431),
    ] {
        let response = server.ask(request);
        assert_eq!(response.status, status);
        assert_eq!(
            response.field("content-type"),
            Some("text/html; charset=utf-8"),
            "{status}"
        );
        assert!(
            response.text().contains("<svg") && response.text().contains(&status.to_string()),
            "{status}"
        );
        server.assert_well();
    }
}

#[test]
fn a_changed_file_is_noticed_within_a_second() {
    let server = Server::start(&[]);
    for round in 0..4 {
        server.get("/hello.txt");
        let content = format!("changed {round}");
        if round % 2 == 0 {
            fs::write(server.path().join("hello.txt"), &content).unwrap();
        } else {
            fs::write(server.path().join("new"), &content).unwrap();
            fs::rename(server.path().join("new"), server.path().join("hello.txt")).unwrap();
        }
        let changed = Instant::now();
        while server.get("/hello.txt").text() != content {
            assert!(changed.elapsed() < PATIENCE, "not noticed");
        }
    }
    fs::remove_file(server.path().join("hello.txt")).unwrap();
    let removed = Instant::now();
    while server.get("/hello.txt").status != 404 {
        assert!(removed.elapsed() < PATIENCE, "not noticed");
    }
}

#[test]
fn dot_files_are_served_only_when_asked_for() {
    for (options, status) in [(&[][..], 404), (&["--hidden"][..], 200)] {
        let server = Server::start(options);
        fs::write(server.path().join(".secret"), "x").unwrap();
        assert_eq!(server.get("/.secret").status, status);
    }
}
