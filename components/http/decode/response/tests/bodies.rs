//! Where a response ends, rule by rule of RFC 9112 section 6.3.

use super::*;

#[test]
fn no_body_whatever_the_fields() {
    // "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No
    // Content), or 304 (Not Modified) status code is always terminated by the first empty line
    // after the header fields, regardless of the header fields present in the message, and thus
    // cannot contain a message body or trailer section."
    let fields = [
        "",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: x\r\n",
    ];
    let next = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    for fields in fields {
        for (method, status) in [
            (Method::HEAD, 200),
            (Method::HEAD, 404),
            (Method::GET, 204),
            (Method::GET, 304),
            (Method::POST, 304),
        ] {
            let input = format!("HTTP/1.1 {status} X\r\n{fields}\r\n{next}");
            let outcome = decode(LIMITS, &[method, Method::GET], [input.as_bytes()]);
            let first = format!("{status} None");
            let expected = [&first, "end 0", "200 Sized(1)", "b\"x\"", "end 0"];
            assert_eq!(summary(&outcome.replies), expected, "{input:?}");
        }
        let input = format!("HTTP/1.1 102 X\r\n{fields}\r\n{next}");
        let outcome = respond(&Method::GET, &input);
        let expected = ["interim 102", "200 Sized(1)", "b\"x\"", "end 0"];
        assert_eq!(summary(&outcome.replies), expected, "{input:?}");
    }
}

#[test]
fn framing_by_the_fields() {
    use Malformed::{
        ChunkedNotLast, CodingInHttp10, ContentLength, LengthAndCoding, RepeatedContentLength,
    };
    let rows = [
        // "If a valid Content-Length header field is present without Transfer-Encoding, its decimal
        // value defines the expected message body length in octets."
        ("1.1", "Content-Length: 5", Ok(ReplyBody::Sized(5))),
        ("1.0", "Content-Length: 05", Ok(ReplyBody::Sized(5))),
        ("1.1", "Content-Length: 0", Ok(ReplyBody::None)),
        // "If a message is received without Transfer-Encoding and with an invalid Content-Length
        // header field, then the message framing is invalid and the recipient MUST treat it as an
        // unrecoverable error".
        ("1.1", "Content-Length: -5", Err(ContentLength)),
        ("1.1", "Content-Length: 5 5", Err(ContentLength)),
        (
            "1.1",
            "Content-Length: 18446744073709551616",
            Err(ContentLength),
        ),
        // A list of equal values "MUST either [be rejected] as invalid or replace[d]" (RFC 9110,
        // 8.6).
        ("1.1", "Content-Length: 5, 5", Err(ContentLength)),
        (
            "1.1",
            "Content-Length: 5\r\nContent-Length: 5",
            Err(RepeatedContentLength),
        ),
        // "If a Transfer-Encoding header field is present and the chunked transfer coding is the
        // final encoding, the message body length is determined by reading and decoding the chunked
        // data".
        ("1.1", "Transfer-Encoding: Chunked", Ok(ReplyBody::Chunked)),
        (
            "1.1",
            "Transfer-Encoding: gzip, chunked",
            Ok(ReplyBody::Chunked),
        ),
        (
            "1.1",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            Ok(ReplyBody::Chunked),
        ),
        // "If a Transfer-Encoding header field is present in a response and the chunked transfer
        // coding is not the final encoding, the message body length is determined by reading the
        // connection until it is closed by the server."
        ("1.1", "Transfer-Encoding: gzip", Ok(ReplyBody::UntilClose)),
        (
            "1.1",
            "Transfer-Encoding: chunked, gzip",
            Ok(ReplyBody::UntilClose),
        ),
        ("1.1", "Transfer-Encoding:", Ok(ReplyBody::UntilClose)),
        // "A sender MUST NOT apply the chunked transfer coding more than once to a message body"
        // (6.1).
        (
            "1.1",
            "Transfer-Encoding: chunked, chunked",
            Err(ChunkedNotLast),
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked, gzip, chunked",
            Err(ChunkedNotLast),
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked, chunked, gzip",
            Err(ChunkedNotLast),
        ),
        // "Such a message might indicate an attempt to perform request smuggling [...] or response
        // splitting [...] and ought to be handled as an error."
        (
            "1.1",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            Err(LengthAndCoding),
        ),
        (
            "1.1",
            "Transfer-Encoding: gzip\r\nContent-Length: 5",
            Err(LengthAndCoding),
        ),
        // "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding
        // header field MUST treat the message as if the framing is faulty" (6.1).
        ("1.0", "Transfer-Encoding: chunked", Err(CodingInHttp10)),
        // "Otherwise, this is a response message without a declared message body length, so the
        // message body length is determined by the number of octets received prior to the server
        // closing the connection."
        ("1.1", "A: b", Ok(ReplyBody::UntilClose)),
        ("1.0", "Connection: keep-alive", Ok(ReplyBody::UntilClose)),
        // A host or an expectation in a response has no meaning.
        (
            "1.1",
            "Host: a/b\r\nHost:\r\nExpect: x\r\nContent-Length: 5",
            Ok(ReplyBody::Sized(5)),
        ),
    ];
    for (version, fields, expected) in rows {
        let mut decoder = ResponseDecoder::new(LIMITS);
        decoder.expect(&Method::GET);
        decoder.feed(format!("HTTP/{version} 200 OK\r\n{fields}\r\n\r\n").into());
        let found = decoder.next().map(|reply| match reply {
            Some(Reply::Head(_, body)) => body,
            reply => panic!("{fields:?}: {reply:?}"),
        });
        assert_eq!(
            found,
            expected.map_err(MalformedResponse::from),
            "{fields:?}"
        );
    }
}

#[test]
fn incomplete_bodies() {
    use MalformedResponse::{IncompleteBody, IncompleteChunks, Unanswered};
    let rows = [
        // RFC 9112, 6.3: "If the sender closes the connection or the recipient times out before the
        // indicated number of octets are received, the recipient MUST consider the message to be
        // incomplete and close the connection."
        (
            "Content-Length: 5\r\n\r\nabc",
            Err(IncompleteBody { missing: 2 }),
        ),
        (
            "Content-Length: 5\r\n\r\n",
            Err(IncompleteBody { missing: 5 }),
        ),
        // RFC 9112, 8: "A message body that uses the chunked transfer coding is incomplete if the
        // zero-sized chunk that terminates the encoding has not been received."
        ("Transfer-Encoding: chunked\r\n\r\n", Err(IncompleteChunks)),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
            Err(IncompleteChunks),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            Err(IncompleteChunks),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\n",
            Err(IncompleteChunks),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
            Err(IncompleteChunks),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\nA b",
            Err(Malformed::FieldName.into()),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\nx",
            Err(Malformed::ChunkSize.into()),
        ),
        // RFC 9112, 8: "A response that has neither chunked transfer coding nor Content-Length is
        // terminated by closure of the connection and, if the header section was received intact,
        // is considered complete".
        ("A: b\r\n\r\n", Ok(())),
        ("A: b\r\n\r\nabc", Ok(())),
    ];
    for (rest, expected) in rows {
        let input = format!("HTTP/1.1 200 OK\r\n{rest}");
        assert_eq!(respond(&Method::GET, &input).end, expected, "{rest:?}");
    }
    // A request behind a response that ended with the connection has no response.
    let requests = [Method::GET, Method::GET];
    for head in ["", "Content-Length: 0\r\n"] {
        let input = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
        let outcome = decode(LIMITS, &requests, [input.as_bytes()]);
        assert_eq!(
            (outcome.end, outcome.awaited),
            (Err(Unanswered), 1),
            "{head:?}"
        );
    }
}

#[test]
fn a_body_has_a_limit() {
    let limits = Limits { body: 3, ..LIMITS };
    let rows = [
        ("Content-Length: 3\r\n\r\nabc", Ok(()), "abc"),
        (
            "Content-Length: 4\r\n\r\n",
            Err(Malformed::BodyTooLarge),
            "",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Ok(()),
            "abc",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\n",
            Err(Malformed::BodyTooLarge),
            "abc",
        ),
        ("\r\nabc", Ok(()), "abc"),
        ("\r\nabcd", Err(Malformed::BodyTooLarge), "abc"),
    ];
    for (rest, expected, body) in rows {
        let input = format!("HTTP/1.1 200 OK\r\n{rest}");
        let outcome = decode(limits, &[Method::GET], [input.as_bytes()]);
        assert_eq!(
            outcome.end,
            expected.map_err(MalformedResponse::from),
            "{rest:?}"
        );
        let chunks = outcome.replies.iter().filter_map(|reply| match reply {
            Reply::Chunk(data) => Some(&data[..]),
            _ => None,
        });
        assert_eq!(
            chunks.collect::<Vec<_>>().concat(),
            body.as_bytes(),
            "{rest:?}"
        );
    }
}
