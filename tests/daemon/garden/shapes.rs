//! The shapes of requests that servers have understood differently, and what the proxy does with
//! each: it refuses the request, or every server understands the same.
//!
//! `@` stands for the name of the shape, so that its requests are found in the records, and `¶` for
//! an `@`.

/// What the proxy does with a shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// It answers with this status, and no backend sees anything.
    Refused(u16),
    /// It forwards these requests: methods, targets and bodies.
    Passed(&'static [(&'static str, &'static str, &'static str)]),
}

use Expected::{Passed, Refused};

/// The bytes of a client, and what the proxy does with them.
pub(super) struct Shape {
    /// What stands for `@`.
    pub(super) name: String,
    pub(super) bytes: String,
    pub(super) expected: Expected,
}

/// What follows on a connection, for those who find the end of a message too early.
const NEXT: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Request lines that are refused, with their status.
const LINES: [(u16, &str); 35] = [
    (400, "GET"),
    (400, "GET /@"),
    (400, "GET  /@ HTTP/1.1"),
    (400, "GET /@  HTTP/1.1"),
    (400, "GET /@ HTTP/1.1 "),
    (400, " GET /@ HTTP/1.1"),
    (400, "\tGET /@ HTTP/1.1"),
    (400, "GET\t/@\tHTTP/1.1"),
    (400, "GET /@\tHTTP/1.1"),
    (400, "GET\x0b/@ HTTP/1.1"),
    (400, "G\x01T /@ HTTP/1.1"),
    (400, "G(T /@ HTTP/1.1"),
    (400, "GET: /@ HTTP/1.1"),
    (400, "GET /@ http/1.1"),
    (400, "GET /@ HTTP/1"),
    (400, "GET /@ HTTP/1.x"),
    (400, "GET /@ HTTP/01.1"),
    (400, "GET /@ HTTP/1.10"),
    (400, "GET /@ HTTP 1.1"),
    (400, "GET /@ HTTP/1,1"),
    (400, "GET /@ HTTP"),
    (400, "GET /@ XTTP/1.1"),
    (400, "GET /@ a HTTP/1.1"),
    (400, "GET /@\0 HTTP/1.1"),
    (400, "GET /@\x7f HTTP/1.1"),
    (400, "GET /@#x HTTP/1.1"),
    (400, "GET @ HTTP/1.1"),
    (400, "GET http:// HTTP/1.1"),
    (400, "GET http://u¶a/@ HTTP/1.1"),
    (400, "GET a:80 HTTP/1.1"),
    (400, "GET * HTTP/1.1"),
    (400, "/@ GET HTTP/1.1"),
    (405, "CONNECT a:80 HTTP/1.1"),
    (505, "GET /@ HTTP/2.0"),
    (505, "PRI * HTTP/2.0"),
];

/// Fields that are refused in a request with a body of three bytes.
const FIELDS: [(u16, &str); 66] = [
    // Two ways to find the end of the body.
    (400, "Content-Length: 3\r\nTransfer-Encoding: chunked"),
    (400, "Transfer-Encoding: chunked\r\nContent-Length: 3"),
    (400, "Content-Length: 0\r\nTransfer-Encoding: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding: identity"),
    (400, "Content-Length: 3\r\nTransfer-Encoding: gzip, chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding: xchunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding:"),
    (400, "Content-Length: 3\r\nTransfer-Encoding : chunked"),
    (400, "Content-Length: 3\r\n Transfer-Encoding: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding\t: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding:\x0bchunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding\0: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding: chunked\0"),
    (400, "Content-Length: 3\r\n\0Transfer-Encoding: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding: \x0cchunked"),
    (400, "Content-Length: 3\r\nX: y\nTransfer-Encoding: chunked"),
    (400, "Content-Length: 3\r\nX: y\rTransfer-Encoding: chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding:\n chunked"),
    (400, "Content-Length: 3\r\nTransfer-Encoding:\r\n chunked"),
    (
        400,
        "Content-Length: 3\r\nX: y\r\n Transfer-Encoding: chunked",
    ),
    (400, "Content-Length: 3\r\nTransfer Encoding: chunked"),
    // Codings.
    (400, "Transfer-Encoding: chunked, identity"),
    (400, "Transfer-Encoding: chunked, chunked"),
    (
        400,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ),
    (
        400,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ),
    (
        501,
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    ),
    (400, "Transfer-Encoding: chunked, gzip"),
    (400, "Transfer-Encoding: chunked;a=b"),
    (400, "Transfer-Encoding: \"chunked\""),
    (400, "Transfer-Encoding: 'chunked'"),
    (400, "Transfer-Encoding: chunk"),
    (400, "Transfer-Encoding: chunkedx"),
    (400, "Transfer-Encoding: c hunked"),
    (501, "Transfer-Encoding: gzip, chunked"),
    (400, "Transfer-Encoding: identity"),
    (400, "Transfer-Encoding:"),
    (400, "Transfer-Encoding: \u{441}hunked"),
    // Lengths.
    (400, "Content-Length: 3\r\nContent-Length: 3"),
    (400, "Content-Length: 3\r\nContent-Length: 0"),
    (400, "Content-Length: 0\r\nContent-Length: 3"),
    (400, "Content-Length: 3, 3"),
    (400, "Content-Length: 3,0"),
    (400, "Content-Length: 3,"),
    (400, "Content-Length: 3;"),
    (400, "Content-Length: +3"),
    (400, "Content-Length: -3"),
    (400, "Content-Length: -0"),
    (400, "Content-Length: 0x3"),
    (400, "Content-Length: 3_0"),
    (400, "Content-Length: 3.0"),
    (400, "Content-Length: 3e0"),
    (400, "Content-Length: 3 0"),
    (400, "Content-Length: \"3\""),
    (400, "Content-Length: \x0b3"),
    (400, "Content-Length:"),
    (400, "Content-Length: \u{663}"),
    (400, "Content-Length: 18446744073709551616"),
    (400, "Content-Length: 18446744073709551619"),
    (400, "Content-Length: 99999999999999999999999999999"),
    (400, "Content-Length : 3"),
    (400, "Content-Length: 3\r\n Content-Length: 0"),
    // Others.
    (400, "Content-Length: 3\r\nNo colon"),
    (400, "Content-Length: 3\r\n: no name"),
    (400, "Content-Length: 3\r\nA B: c"),
    (400, "Content-Length: 3\r\nA: b\x01c"),
    (417, "Content-Length: 3\r\nExpect: something"),
];

/// Fields that are refused in a request without a body, in place of `Host: a`.
const HOSTS: [(u16, &str); 12] = [
    (400, "X: y"),
    (400, "Host: a\r\nHost: a"),
    (400, "Host: a\r\nHost: b"),
    (400, "Host: b\r\nX: y\r\nHost: a"),
    (400, "Host: a, b"),
    (400, "Host: a b"),
    (400, "Host : a"),
    (400, " Host: a"),
    (400, "Host: a\r\n b"),
    (400, "Host: a/b"),
    (400, "Host: a%b"),
    (400, "Host: a:b"),
];

/// Chunked bodies that are refused.
const CHUNKS: [&str; 41] = [
    "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
    "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\nabc\r\n0\r\nHost: b\r\n\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "+3\r\nabc\r\n0\r\n\r\n",
    "-3\r\nabc\r\n0\r\n\r\n",
    "3_\r\nabc\r\n0\r\n\r\n",
    " 3\r\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "3\t\r\nabc\r\n0\r\n\r\n",
    "3\x0b\r\nabc\r\n0\r\n\r\n",
    "3\0\r\nabc\r\n0\r\n\r\n",
    "3,\r\nabc\r\n0\r\n\r\n",
    "3x\r\nabc\r\n0\r\n\r\n",
    "3 x\r\nabc\r\n0\r\n\r\n",
    "3.0\r\nabc\r\n0\r\n\r\n",
    "g\r\nabc\r\n0\r\n\r\n",
    "\r\nabc\r\n0\r\n\r\n",
    ";a=b\r\nabc\r\n0\r\n\r\n",
    "3\nabc\n0\n\n",
    "3\nabc\r\n0\r\n\r\n",
    "3\rabc\r\n0\r\n\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "3\r\nabc\r0\r\n\r\n",
    "3\r\nabc0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nab\r\n0\r\n\r\n",
    "3\r\nabcxx0\r\n\r\n",
    "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n",
    "3;a\nabc\r\n0\r\n\r\n",
    "3;a\rb\r\nabc\r\n0\r\n\r\n",
    "3;a\0b\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\n\n",
    "3\r\nabc\r\n0\r\n\n",
    "3\r\nabc\r\n0\r\nA : b\r\n\r\n",
    "3\r\nabc\r\n0\r\nNo colon\r\n\r\n",
    "3\r\nabc\r\n0\r\nA: b\nC: d\r\n\r\n",
    "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
];

/// Whole messages that are refused.
const WHOLE: [(u16, &str); 8] = [
    (400, "GET /@ HTTP/1.1\nHost: a\n\n"),
    (400, "GET /@ HTTP/1.1\rHost: a\r\r"),
    (400, "GET /@ HTTP/1.1\r\nHost: a\n\r\n"),
    (400, "GET /@ HTTP/1.1\r\nHost: a\r\n\n"),
    (400, "GET /@ HTTP/1.1\r\n\r\n"),
    (
        400,
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET /@ HTTP/1.1\r\n",
    ),
    (400, "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n"),
    (
        400,
        "POST /@ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
];

/// Method, target and body of each request.
type Understood = &'static [(&'static str, &'static str, &'static str)];

/// Unusual, but there is one way to understand them.
const GOOD: [(&str, Understood); 34] = [
    (
        "GET /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "\r\nGET /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    ("GET /@ HTTP/1.0\r\nHost: a\r\n\r\n", &[("GET", "/@", "")]),
    (
        "GET /@ HTTP/1.9\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "GET /@ HTTP/1.1\r\nhOST:a\r\nCONNECTION:CLOSE\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "GET /@ HTTP/1.1\r\nHost: \t a \t\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "GET /@?a=b&c?d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@?a=b&c?d", "")],
    ),
    (
        "GET http://a/@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "GET http://a/@ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    (
        "GET http://a/@?b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@?b", "")],
    ),
    (
        "GET /@//b;c=%41 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@//b;c=%41", "")],
    ),
    // Fields that only look like the dangerous ones.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\nContent_Length: 0\r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\nTransfer_Encoding: chunked\r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\nX: Transfer-Encoding: chunked\r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    // The fields of the framing are not of one connection, whatever it says.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length\r\nContent-Length: 3\r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    (
        "GET /@ HTTP/1.1\r\nHost: a\r\nConnection: close, Host\r\n\r\n",
        &[("GET", "/@", "")],
    ),
    // Lengths.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0003\r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \t3\t \r\n\r\nabc",
        &[("POST", "/@", "abc")],
    ),
    (
        "GET /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        &[("GET", "/@", "abc")],
    ),
    (
        "DELETE /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        &[("DELETE", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        &[("POST", "/@", "")],
    ),
    (
        "PUT /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        &[("PUT", "/@", "abc")],
    ),
    // Chunks.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: \tchunked\t\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0003;a=b;c=\"d;e\"\r\nabc\r\n000\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
        &[("POST", "/@", "0123456789")],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    // An empty element of a list means nothing (RFC 9110 section 5.6.1), and is not passed on.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: ,chunked,\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[("POST", "/@", "abc")],
    ),
    // The body is no request, and what follows it is one.
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET /@/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[
            ("POST", "/@", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("GET", "/@/2", ""),
        ],
    ),
    (
        "POST /@ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n23\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\nGET /@/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[
            ("POST", "/@", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("GET", "/@/2", ""),
        ],
    ),
    (
        "GET /@ HTTP/1.1\r\nHost: a\r\n\r\nGET /@/2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /@/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        &[
            ("GET", "/@", ""),
            ("GET", "/@/2", ""),
            ("POST", "/@/3", "x"),
        ],
    ),
    // A protocol that nobody wants. To let it pass would let everything pass that follows.
    (
        "GET /@ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nGET /@/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        &[("GET", "/@", ""), ("GET", "/@/2", "")],
    ),
];

/// All shapes.
pub(super) fn all() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut add = |bytes: String, expected| {
        let name = format!("shape-{}", shapes.len());
        let bytes = bytes.replace('@', &name).replace('¶', "@");
        shapes.push(Shape {
            name,
            bytes,
            expected,
        });
    };
    for (status, line) in LINES {
        add(format!("{line}\r\nHost: a\r\n\r\n{NEXT}"), Refused(status));
    }
    for (status, fields) in FIELDS {
        let bytes = format!("POST /@ HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{NEXT}");
        add(bytes, Refused(status));
    }
    for (status, fields) in HOSTS {
        let bytes = format!("GET /@ HTTP/1.1\r\n{fields}\r\n\r\n{NEXT}");
        add(bytes, Refused(status));
    }
    for chunks in CHUNKS {
        let head = "POST /@ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        add(format!("{head}{chunks}{NEXT}"), Refused(400));
    }
    for (status, bytes) in WHOLE {
        add(format!("{bytes}{NEXT}"), Refused(status));
    }
    for (bytes, requests) in GOOD {
        add(bytes.to_owned(), Passed(requests));
    }
    shapes
}
