//! The decoder as a whole: its replies, their order, and its memory.

mod bodies;
mod heads;
mod sloppy;
mod splits;

use super::check::{Outcome, decode};
use super::*;
use crate::http::Malformed;

/// No limit for bodies, as in clients.
const LIMITS: Limits = Limits {
    request_line: 8192,
    head_bytes: 32 << 10,
    fields: 100,
    body: u64::MAX,
    chunk_extensions: 256,
    chunk_framing: 16 << 10,
    empty_lines: 4,
};

/// Decodes the bytes that follow one request with this method.
fn respond(method: &Method, input: &str) -> Outcome {
    decode(LIMITS, std::slice::from_ref(method), [input.as_bytes()])
}

/// The replies of a decoder, in few words.
fn summary(replies: &[Reply]) -> Vec<String> {
    let words = |reply: &Reply| match reply {
        Reply::Interim(head) => format!("interim {}", head.status.as_u16()),
        Reply::Head(head, body) => format!("{} {body:?}", head.status.as_u16()),
        Reply::Chunk(data) => format!("{data:?}"),
        Reply::End(trailers) => format!("end {}", trailers.len()),
    };
    replies.iter().map(words).collect()
}

#[test]
fn a_response_is_sliced_not_copied() {
    let input =
        Bytes::from_static(b"HTTP/1.1 404 Not  Here\r\nX: \t y \r\nContent-Length: 3\r\n\r\nabc");
    let mut decoder = ResponseDecoder::new(LIMITS);
    decoder.expect(&Method::GET);
    decoder.feed(input.clone());
    let Ok(Some(Reply::Head(head, ReplyBody::Sized(3)))) = decoder.next() else {
        panic!("no head");
    };
    assert_eq!(head.version, http::Version::HTTP_11);
    assert_eq!(head.status, StatusCode::NOT_FOUND);
    assert_eq!(head.reason, "Not  Here");
    assert_eq!(head.fields.as_bytes(), b"X: \t y \r\nContent-Length: 3\r\n");
    assert_eq!(head.fields.get("x"), Some(&b"y"[..]));
    assert_eq!(head.reason.as_ptr(), input[13..].as_ptr());
    assert_eq!(head.fields.as_bytes().as_ptr(), input[24..].as_ptr());
    let Ok(Some(Reply::Chunk(data))) = decoder.next() else {
        panic!("no body");
    };
    assert_eq!(data.as_ptr(), input[input.len() - 3..].as_ptr());
    assert_eq!(decoder.unread(), 0);
}

#[test]
fn pipelined_responses_are_those_to_the_requests_in_their_order() {
    // RFC 9112, 9.3.2: a client "MUST correctly associate each received response message on that
    // connection to the first outstanding request that has not yet received a final (non-1xx)
    // response" (9.2).
    let input = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
        HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n\
        HTTP/1.0 304 Not Modified\r\n\r\n\
        HTTP/1.0 200 OK\r\n\r\nall the rest";
    let requests = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::GET,
        Method::GET,
    ];
    let outcome = decode(LIMITS, &requests, [input.as_bytes()]);
    assert_eq!(outcome.end, Ok(()));
    assert_eq!(
        summary(&outcome.replies),
        [
            "200 Sized(3)",
            "b\"abc\"",
            "end 0",
            "200 None",
            "end 0",
            "interim 103",
            "interim 100",
            "200 Chunked",
            "b\"x\"",
            "end 1",
            "304 None",
            "end 0",
            "200 UntilClose",
            "b\"all the rest\"",
            "end 0",
        ]
    );
}

#[test]
fn a_response_without_a_request_is_none() {
    // RFC 9112, 9.2: "If a client receives data on a connection that does not have outstanding
    // requests, the client MUST NOT consider that data to be a response to a not-yet-issued
    // request; the client SHOULD close the connection, since message delimitation is now ambiguous,
    // unless the data consists only of one or more CRLF (which can be discarded per Section 2.2)."
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let rows = [
        (format!("{ok}\r\n\r\n"), Ok(())),
        (format!("{ok}{ok}"), Err(MalformedResponse::Unawaited)),
        (format!("{ok}\r\n\r\nx"), Err(MalformedResponse::Unawaited)),
        (
            format!("{ok}{}", "\r\n".repeat(5)),
            Err(Malformed::EmptyLines.into()),
        ),
        (format!("{ok}\n"), Err(Malformed::LineEnd.into())),
    ];
    for (input, expected) in rows {
        assert_eq!(respond(&Method::GET, &input).end, expected, "{input:?}");
    }
    let mut decoder = ResponseDecoder::new(LIMITS);
    decoder.feed("\r\n\r".into());
    assert_eq!((decoder.next(), decoder.unread()), (Ok(None), 1));
    decoder.feed("\n".into());
    decoder.expect(&Method::GET);
    decoder.feed(ok.into());
    assert!(
        matches!(decoder.next(), Ok(Some(Reply::Head(..)))),
        "an earlier CRLF is discarded"
    );
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = ResponseDecoder::new(LIMITS);
    decoder.expect(&Method::GET);
    for input in ["hello\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        decoder.feed(input.into());
        assert_eq!(decoder.next(), Err(MalformedResponse::StatusLine));
        assert_eq!(decoder.finish(), Err(MalformedResponse::StatusLine));
    }
    assert_eq!(decoder.awaited(), 1);
}

#[test]
fn a_tunnel_is_left_alone() {
    // RFC 9112, 6.3: "Any 2xx (Successful) response to a CONNECT request implies that the
    // connection will become a tunnel immediately after the empty line that concludes the header
    // fields. A client MUST ignore any Content-Length or Transfer-Encoding header fields received
    // in such a message." RFC 9110, 15.2.2: 101 "indicates that the server understands and is
    // willing to comply with the client's request [...] for a change in the application protocol
    // being used on this connection [...] immediately after the empty line".
    let rows = [
        (
            Method::CONNECT,
            "200 Yes\r\nContent-Length: 1, 2\r\nTransfer-Encoding: x",
        ),
        (Method::CONNECT, "204 Yes\r\nX: y"),
        (Method::GET, "101 Switching Protocols\r\nUpgrade: x"),
    ];
    for (method, head) in rows {
        let outcome = respond(&method, &format!("HTTP/1.1 {head}\r\n\r\n\x01\r\n\x02"));
        let status = &head[..3];
        let expected = [
            &format!("{status} Tunnel"),
            "b\"\\x01\\r\\n\\x02\"",
            "end 0",
        ];
        assert_eq!(summary(&outcome.replies), expected);
        assert_eq!(outcome.end, Ok(()));
    }
    let refused = respond(
        &Method::CONNECT,
        "HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx",
    );
    assert_eq!(
        summary(&refused.replies),
        ["407 Sized(1)", "b\"x\"", "end 0"]
    );
}
