//! The verdict on heads, sentence by sentence of RFC 9112.

use super::*;

/// Returns the error of an input, with the default limits.
fn fault(input: &str) -> Option<Malformed> {
    decode(Limits::default(), input.as_bytes()).1.err()
}

#[test]
fn valid_heads() {
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(99));
    let rows = [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "AVERYLONGMETHODNAMEINDEED / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nObs: \u{e9}\t\"x\"\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &many,
    ];
    for input in rows {
        let (events, end) = decode(Limits::default(), input.as_bytes());
        assert_eq!(end, Ok(()), "{input:?}");
        assert!(
            matches!(events[..], [Event::Head(_, BodyKind::None)]),
            "{input:?}"
        );
    }
}

#[test]
fn malformed_heads() {
    use Malformed::{
        EmptyLines, FieldName, FieldValue, InvalidHost, LineEnd, MissingHost, RequestLine, Target,
        TooManyFields, Truncated, Version,
    };
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "A: b\r\n".repeat(100)
    );
    let rows: [(&str, Malformed); 57] = [
        // The request line (RFC 9112, 3).
        ("GET\r\n\r\n", RequestLine),
        ("GET /\r\n", RequestLine),
        ("GET / \r\nHost: a\r\n\r\n", RequestLine),
        (" GET / HTTP/1.1\r\n", RequestLine),
        ("GET  / HTTP/1.1\r\n", RequestLine),
        ("GET\t/\tHTTP/1.1\r\n", RequestLine),
        ("GET /  HTTP/1.1\r\n", RequestLine),
        ("GET /a b HTTP/1.1\r\n", RequestLine),
        ("G(T / HTTP/1.1\r\n", RequestLine),
        ("/ HTTP/1.1\r\n", RequestLine),
        ("GET / http/1.1\r\n", RequestLine),
        ("GET / HTTPS/1.1\r\n", RequestLine),
        ("GET / HTTP/11\r\n", RequestLine),
        ("GET / HTTP/2\r\n", RequestLine),
        ("GET / HTTP/12.0\r\n", RequestLine),
        ("GET / HTTP/1.1 \r\n", LineEnd),
        ("GET / HTTP/1.10\r\n", LineEnd),
        ("GET /\0 HTTP/1.1\r\n", RequestLine),
        ("\x16\x03\x01\x02", RequestLine),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /# HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        // RFC 9110, 15.6.6: "the server does not support [...] the major version of HTTP".
        ("GET / HTTP/2.0\r\n", Version),
        ("GET / HTTP/0.9\r\n", Version),
        ("GET / HTTP/9.1\r\n", Version),
        // A later minor version does not change the error.
        ("GET / HTTP/1.2\r\n\r\n", MissingHost),
        ("GET / HTTP/1.20\r\n", LineEnd),
        ("GET / HTTP/1.2\r\nHost : a\r\n\r\n", FieldName),
        // RFC 9110, 4.2.1: "A sender MUST NOT generate an "http" URI with an empty host identifier.
        // A recipient that processes such a URI reference MUST reject it as invalid."
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", InvalidHost),
        ("GET / HTTP/1.1\r\nHost: \t\r\n\r\n", InvalidHost),
        ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", InvalidHost),
        ("GET / HTTP/1.0\r\nHost:\r\n\r\n", InvalidHost),
        ("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", InvalidHost),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
        // RFC 9112, 2.2: "A recipient of such a bare CR MUST consider that element to be invalid".
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", LineEnd),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc: d\r\n\r\n",
            FieldValue,
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", FieldValue),
        ("\rGET / HTTP/1.1\r\n", LineEnd),
        // RFC 9112, 2.2: a recipient "MAY recognize a single LF as a line terminator"; we do not.
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", LineEnd),
        ("GET / HTTP/1.0\n\n", LineEnd),
        ("\nGET / HTTP/1.1\r\n", LineEnd),
        ("\r\n\r\n\r\n\r\n\r\nGET", EmptyLines),
        // RFC 9112, 5.1: "A server MUST reject, with a response status code of 400 (Bad Request),
        // any received request message that contains whitespace between a header field name and
        // colon."
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", FieldName),
        // RFC 9112, 2.2: "white space between the start-line and the first header field".
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FieldName),
        // RFC 9112, 5.2: "A server that receives an obs-fold in a request message [...] MUST either
        // reject the message by sending a 400 (Bad Request) [...] or replace".
        ("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", FieldName),
        ("GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", FieldValue),
        ("GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n", FieldValue),
        (&many, TooManyFields),
        ("GET / HTTP/1.1\r\nHost: a\r\n", Truncated),
        ("G", Truncated),
    ];
    for (input, expected) in rows {
        assert_eq!(fault(input), Some(expected), "{input:?}");
        check_split_invariance(input.as_bytes());
    }
}

#[test]
fn a_later_minor_version_is_taken_as_1_1() {
    // RFC 9110, 2.5: "A recipient that receives a message with a major version number that it
    // implements and a minor version number higher than what it implements SHOULD process the
    // message as if it was in the highest minor version within that major version to which the
    // recipient is conformant."
    for version in ["1.2", "1.5", "1.9"] {
        let input = format!(
            "POST /a?b HTTP/{version}\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\nx\r\n0\r\n\r\n"
        );
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(input.clone().into());
        let Ok(Some(Event::Head(head, BodyKind::Chunked))) = decoder.next() else {
            panic!("{version}");
        };
        assert_eq!(head.version, Version::HTTP_11);
        assert_eq!(head.target.as_bytes(), b"/a?b");
        assert_eq!(head.fields.get("host"), Some(&b"c"[..]));
        assert!(head.is_persistent());
        check_split_invariance(input.as_bytes());
    }
}

#[test]
fn an_absolute_target_names_its_host_itself() {
    // RFC 9112, 3.2.2: "When an origin server receives a request with an absolute-form of
    // request-target, the origin server MUST ignore the received Host header field (if any) and
    // instead use the host information of the request-target."
    let input = "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n";
    assert_eq!(fault(input), None);
}

#[test]
fn every_fault_has_its_status() {
    let rows = [
        (Malformed::RequestLine, 400),
        (Malformed::BodyTooLarge, 413),
        (Malformed::RequestLineTooLong, 414),
        (Malformed::Expectation, 417),
        (Malformed::HeadTooLarge, 431),
        (Malformed::TooManyFields, 431),
        (Malformed::TransferCoding, 501),
        (Malformed::Version, 505),
        (Malformed::Truncated, 400),
    ];
    for (malformed, status) in rows {
        assert_eq!(malformed.status().as_u16(), status, "{malformed}");
    }
}

#[test]
fn limits_are_exact() {
    let limits = Limits {
        request_line: 20,
        head_bytes: 60,
        fields: 3,
        ..Limits::default()
    };
    let head = |target: usize, value: usize| {
        let (target, value) = ("t".repeat(target), "v".repeat(value));
        format!("GET /{target} HTTP/1.1\r\nHost: a\r\nV: {value}\r\n\r\n")
    };
    let verdict = |input: &str| decode(limits, input.as_bytes()).1;
    // "GET /" and " HTTP/1.1" are 14 bytes; with "Host: a" and "V: ", and four CRLF, 32.
    assert_eq!(verdict(&head(6, 0)), Ok(()));
    assert_eq!(verdict(&head(7, 0)), Err(Malformed::RequestLineTooLong));
    assert_eq!(verdict(&head(0, 28)), Ok(()));
    assert_eq!(verdict(&head(0, 29)), Err(Malformed::HeadTooLarge));
    let fields = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A:b\r\n".repeat(count));
    assert_eq!(verdict(&fields(3)), Ok(()));
    assert_eq!(verdict(&fields(4)), Err(Malformed::TooManyFields));
}

#[test]
fn more_fields_than_usual_if_the_limit_allows() {
    let limits = Limits {
        fields: 500,
        ..Limits::default()
    };
    let input = format!("GET / HTTP/1.0\r\n{}\r\n", "A:b\r\n".repeat(500));
    let (events, end) = decode(limits, input.as_bytes());
    assert_eq!(end, Ok(()));
    assert!(matches!(&events[..], [Event::Head(head, _)] if head.fields.len() == 500));
    let input = format!("GET / HTTP/1.0\r\n{}\r\n", "A:b\r\n".repeat(501));
    assert_eq!(
        decode(limits, input.as_bytes()).1,
        Err(Malformed::TooManyFields)
    );
}

#[test]
fn a_bad_head_is_refused_before_its_end() {
    let long_line = "GET /".to_owned() + &"a".repeat(9000);
    let large_head = "GET / HTTP/1.1\r\nA: ".to_owned() + &"a".repeat(40_000);
    let rows = [
        ("\x16\x03\x01", Malformed::RequestLine),
        ("GET / HTTP/2.0\r\n", Malformed::Version),
        (&long_line, Malformed::RequestLineTooLong),
        (&large_head, Malformed::HeadTooLarge),
    ];
    for (input, expected) in rows {
        for pieces in [input.len(), 1000, 1] {
            let mut decoder = RequestDecoder::new(Limits::default());
            let verdict = input.as_bytes().chunks(pieces).find_map(|piece| {
                decoder.feed(Bytes::copy_from_slice(piece));
                decoder.next().err()
            });
            assert_eq!(verdict, Some(expected), "in pieces of {pieces}");
        }
    }
}
