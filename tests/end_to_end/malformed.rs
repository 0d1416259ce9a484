//! Invalid requests: each gets its status, its connection ends, and the server still works.

use super::server::Server;

/// Request line and fields, without the part that makes each case.
fn with_field(field: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n").into_bytes()
}

fn chunked(content: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{content}")
        .into_bytes()
}

fn table() -> Vec<(Vec<u8>, u16)> {
    let mut table = Vec::new();
    let mut lines = |status: u16, lines: &[&str]| {
        table.extend(
            lines
                .iter()
                .map(|line| (format!("{line}\r\nHost: test\r\n\r\n").into_bytes(), status)),
        );
    };
    lines(
        400,
        &[
            "GET",
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "G\x01T / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1",
            "GET / HTTP/1.x",
            "GET / HTTP",
            "GET / XTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /a\x7fb HTTP/1.1",
            "GET /\x01 HTTP/1.1",
            "GET a HTTP/1.1",
            "GET * HTTP/1.1",
            "GET /#x HTTP/1.1",
            "CONNECT / HTTP/1.1",
            "/ GET HTTP/1.1",
            "{} / HTTP/1.1",
            "GET http:// HTTP/1.1",
            "GET /%zz HTTP/1.1",
            "GET /%0 HTTP/1.1",
            "GET /%00 HTTP/1.1",
            "GET /a%2fb HTTP/1.1",
            "GET /../x HTTP/1.1",
        ],
    );
    lines(
        505,
        &[
            "GET / HTTP/2.0",
            "GET / HTTP/3.0",
            "GET / HTTP/3.2",
            "PRI * HTTP/2.0",
            "GET / HTTP/9.9",
        ],
    );
    lines(
        501,
        &["BREW / HTTP/1.1", "get / HTTP/1.1", "PROPFIND / HTTP/1.1"],
    );
    let mut fields = |status: u16, fields: &[&str]| {
        table.extend(fields.iter().map(|field| (with_field(field), status)));
    };
    fields(
        400,
        &[
            "Host: other",
            "Name",
            ": value",
            "Na me: x",
            "Name : x",
            "Name\t: x",
            "N\x01: x",
            "N(: x",
            "A: b\x01c",
            "A: b\0c",
            "A: b\rc",
            "A: b\nB: c",
            " A: b",
            "A: b\r\n folded",
            "A: b\r\n\tfolded",
            "Content-Length: -1",
            "Content-Length: +1",
            "Content-Length: 1 1",
            "Content-Length: 0x1",
            "Content-Length: 1,1",
            "Content-Length:",
            "Content-Length: a",
            "Content-Length: 99999999999999999999999",
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:\x0bchunked",
        ],
    );
    fields(501, &["Transfer-Encoding: foo, chunked"]);
    fields(417, &["Expect: something"]);
    for content in [
        "0x1\r\na\r\n0\r\n\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "\r\n",
        "g\r\n",
        "1\na\n0\n\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "1;\na\r\n",
        "00000000000000000000000000000001\r\na",
        "0\r\nBad Trailer: x\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
    ] {
        table.push((chunked(content), 400));
    }
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: test\n\n", 400),
        ("GET / HTTP/1.1\rHost: test\r\r", 400),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: tes", 400),
    ] {
        table.push((request.as_bytes().to_vec(), status));
    }
    table
}

#[test]
fn each_gets_its_answer_and_the_server_is_well() {
    let server = Server::start(&[]);
    let table = table();
    assert!(table.len() >= 80, "{}", table.len());
    for (request, status) in table {
        let shown = String::from_utf8_lossy(&request).into_owned();
        let mut client = server.connect();
        client.send(&request);
        client.finish();
        let response = client.response(false);
        assert_eq!(response.status, status, "{shown:?}");
        assert_eq!(client.rest(), b"", "one answer, then the end: {shown:?}");
        server.assert_well();
    }
}

/// RFC 9112 section 6.3: what follows a request whose length is in doubt must never be taken for
/// another request.
#[test]
fn nothing_is_smuggled() {
    let server = Server::start(&[]);
    for first in [
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
    ] {
        let mut client = server.connect();
        client.send(format!(
            "{first}GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n"
        ));
        assert_eq!(client.response(false).status, 400, "{first:?}");
        assert_eq!(client.rest(), b"", "{first:?}");
    }
}
