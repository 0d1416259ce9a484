//! RFC 9112, HTTP/1.1: framing. The table of refused requests is in
//! [`malformed`](super::malformed).

use super::server::Server;

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    // 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least
    // one empty line (CRLF) received prior to the request-line."
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("\r\nGET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response(false).text(), "hello\n");
    }
}

#[test]
fn a_request_without_host_is_refused() {
    // 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
    // message that lacks a Host header field and to any request message that contains more than one
    // Host header field line".
    let server = Server::start(&[]);
    for (fields, status) in [
        ("", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        // RFC 9110, 4.2.1: "A sender MUST NOT generate an "http" URI with an empty host
        // identifier."
        ("Host:\r\n", 400),
        ("Host: :80\r\n", 400),
        ("Host: a\r\n", 200),
    ] {
        let response = server.ask(&format!("GET /hello.txt HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(response.status, status, "{fields}");
    }
}

#[test]
fn a_chunked_request_has_extensions_and_trailers() {
    // 7.1.1: "A recipient MUST ignore unrecognized chunk extensions." 7.1.2: trailers are
    // "discarded" by recipients that do not use them.
    let server = Server::start(&["--writable"]);
    let mut client = server.connect();
    client.send(
        "PUT /new HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         5;name=\"value\"\r\nhello\r\n0;last\r\nExpires: never\r\n\r\nGET /new HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(client.response(false).status, 201);
    let read = client.response(false);
    assert_eq!(
        (read.text().as_str(), read.field("expires")),
        ("hello", None)
    );
}

#[test]
fn requests_that_change_something_are_served_one_after_another() {
    // 9.3.2: "A server MAY process a sequence of pipelined requests in parallel if they all have
    // safe methods".
    let server = Server::start(&["--writable"]);
    let mut client = server.connect();
    for round in 0..50 {
        let put = |n: u32| {
            format!(
                "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n{:08}",
                2 * round + n
            )
        };
        let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        client.send(
            [
                &put(0),
                get,
                get,
                &put(1),
                get,
                "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
                get,
            ]
            .concat(),
        );
        let statuses = [
            (201, 0),
            (200, 0),
            (200, 0),
            (204, 0),
            (200, 1),
            (204, 0),
            (404, 0),
        ];
        for (status, n) in statuses {
            let response = client.response(false);
            assert_eq!(response.status, status);
            if status == 200 {
                assert_eq!(response.text(), format!("{:08}", 2 * round + n));
            }
        }
    }
}

#[test]
fn a_coding_of_transfer_that_is_not_known_is_501() {
    // 6.1: "A server that receives a request message with a transfer coding it does not understand
    // SHOULD respond with 501 (Not Implemented)."
    let server = Server::start(&[]);
    let response = server.ask_with("POST", "/", "Transfer-Encoding: gzip, chunked\r\n");
    assert_eq!((response.status, response.closes()), (501, true));
}

#[test]
fn length_and_chunks_together_are_refused() {
    // 6.3: "If a message is received with both a Transfer-Encoding and a Content-Length header
    // field [...] Such a message might indicate an attempt to perform request smuggling [...] and
    // ought to be handled as an error."
    let server = Server::start(&[]);
    let fields = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    let response = server.ask_with("POST", "/", fields);
    assert_eq!((response.status, response.closes()), (400, true));
}

#[test]
fn a_server_that_closes_says_so() {
    // 9.6: "A server that does not wish to process any more requests on a connection SHOULD send a
    // "close" connection option".
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.response(false).closes());
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_response_of_unknown_length_is_chunked() {
    // 6.1: "the sending of a message body whose length is not known" is what chunked is for (7.1).
    let server = Server::start(&[]);
    std::fs::write(
        server.path().join("large.txt"),
        "to and fro, ".repeat(20_000),
    )
    .unwrap();
    let response = server.ask_with("GET", "/large.txt", "Accept-Encoding: gzip\r\n");
    assert_eq!(response.field("transfer-encoding"), Some("chunked"));
    // 6.2: "A sender MUST NOT send a Content-Length header field in any message that contains a
    // Transfer-Encoding header field."
    assert_eq!(response.field("content-length"), None);
    assert!(response.body.starts_with(&[0x1f, 0x8b]));
}
