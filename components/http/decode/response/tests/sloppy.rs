//! What a lenient decoder accepts, and a strict one refuses.

use super::*;
use crate::http::decode::response::check::decode_by;

/// Decodes a response to a GET leniently, whole and byte by byte.
fn lenient(input: &str) -> Outcome {
    let decoder = || ResponseDecoder::new(LIMITS).lenient();
    let whole = decode_by(decoder(), LIMITS, &[Method::GET], [input.as_bytes()]);
    let bytes = decode_by(
        decoder(),
        LIMITS,
        &[Method::GET],
        input.as_bytes().chunks(1),
    );
    assert_eq!(whole, bytes, "{input:?}");
    whole
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn what_curl_accepts_is_accepted() {
    let rows = [
        // RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator".
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "hi"),
        ("\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nhi", "hi"),
        ("HTTP/1.1 200\n\nhi", "hi"),
        // 5.1: "No whitespace is allowed between the field name and colon."
        ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", "hi"),
        // 5.2: "A user agent that receives an obs-fold [...] MUST replace each received obs-fold
        // with one or more SP octets".
        (
            "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\nContent-Length:\r\n 2\r\n\r\nhi",
            "hi",
        ),
        (
            "HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        (
            "HTTP/1.1 200 OK\r\nno field\r\nX Y: z\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        (
            "HTTP/1.1 200 OK\r\nA: \x01b\rc\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        // RFC 9110, 8.6: "a recipient of a Content-Length header field value consisting of the same
        // decimal value repeated as a comma-separated list [...] MAY [...] replace that".
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            "hi",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", "hi"),
        // RFC 9112, 6.3: "If a message is received with both a Transfer-Encoding and a
        // Content-Length header field, the Transfer-Encoding overrides the Content-Length."
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "hi",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "hi",
        ),
    ];
    for (input, body) in rows {
        assert_accepted(input, body);
    }
    for (chunks, body) in [
        ("2  \r\nhi\r\n0\r\n\r\n", "hi"),
        ("2\t \nhi\n0\n\n", "hi"),
        ("1\nh\r\n1;a\x01b\ni\n0 \r\n\n", "hi"),
        ("2\r\nhi\r\n0\r\nA : b\n c\n\r\n", "hi"),
        ("2\r\nhi\r\n0\r\nContent-Length: 3\r\n\r\n", "hi"),
    ] {
        assert_accepted(&format!("{CHUNKED}{chunks}"), body);
    }
}

fn assert_accepted(input: &str, body: &str) {
    let outcome = lenient(input);
    assert_eq!(outcome.end, Ok(()), "{input:?}");
    let data = outcome.replies.iter().find_map(|reply| match reply {
        Reply::Chunk(data) => Some(&data[..]),
        _ => None,
    });
    assert_eq!(data, Some(body.as_bytes()), "{input:?}");
    assert!(matches!(outcome.replies.last(), Some(Reply::End(_))));
}

#[test]
fn fields_are_what_was_meant() {
    let input = "HTTP/1.1 204\nA : b\n\tc\nD: e \x02f\n\n";
    let outcome = lenient(input);
    let Some(Reply::Head(head, ReplyBody::None)) = outcome.replies.first() else {
        panic!("{outcome:?}");
    };
    assert_eq!(head.fields.get("a"), Some(&b"b c"[..]));
    assert_eq!(head.fields.get("d"), Some(&b"e  f"[..]));
    let trailers = lenient(&format!("{CHUNKED}0\nA : b\n c\nHost: x\n\n"));
    let Some(Reply::End(fields)) = trailers.replies.last() else {
        panic!("{trailers:?}");
    };
    assert_eq!((fields.get("a"), fields.len()), (Some(&b"b c"[..]), 1));
}

#[test]
fn what_has_no_clear_meaning_is_refused() {
    for input in [
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "<html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi",
        "HTTP/1.1 20 OK\n\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
    ] {
        assert!(lenient(input).end.is_err(), "{input:?}");
    }
    for chunks in [
        "x\r\n",
        " 2\r\nhi\r\n",
        "2\r\nhello\r\n",
        "\n",
        "2 x\r\nhi\r\n",
        "2\r\nhi\r\n",
    ] {
        let input = format!("{CHUNKED}{chunks}");
        assert!(lenient(&input).end.is_err(), "{input:?}");
    }
    let large = format!("HTTP/1.1 200 OK\n{}", "A: b\n".repeat(8000));
    assert!(lenient(&large).end.is_err());
}

#[test]
fn a_strict_decoder_refuses_all_that() {
    for input in [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        assert!(respond(&Method::GET, input).end.is_err(), "{input:?}");
    }
    for chunks in [
        "2  \r\nhi\r\n0\r\n\r\n",
        "2\nhi\r\n0\r\n\r\n",
        "2\r\nhi\n0\r\n\r\n",
    ] {
        let input = format!("{CHUNKED}{chunks}");
        assert!(respond(&Method::GET, &input).end.is_err(), "{input:?}");
    }
}
