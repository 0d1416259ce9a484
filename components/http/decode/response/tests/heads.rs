//! The verdict on heads, sentence by sentence of RFC 9112.

use super::*;

/// Returns the error of the response to a GET.
fn fault(input: &str) -> Option<MalformedResponse> {
    respond(&Method::GET, input).end.err()
}

#[test]
fn valid_heads() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100));
    let rows = [
        ("HTTP/1.1 200 OK\r\n\r\n", "OK"),
        // RFC 9112, 4: "A server MUST send the space that separates the status-code from the
        // reason-phrase even when the reason-phrase is absent"; not all do, and nothing depends on
        // it.
        ("HTTP/1.1 200 \r\n\r\n", ""),
        ("HTTP/1.1 200\r\n\r\n", ""),
        (
            "HTTP/1.0 299 Not in any list\r\nA:\r\n\r\n",
            "Not in any list",
        ),
        ("HTTP/1.1 999 \u{e9}\tx\r\n\r\n", "\u{e9}\tx"),
        (
            "\r\n\r\nHTTP/1.1 200 OK\r\nObs: \u{e9}\t\"x\"\r\n\r\n",
            "OK",
        ),
        (&many, "OK"),
        // RFC 9110, 2.5: "A recipient that receives a message with a major version number that it
        // implements and a minor version number higher than what it implements SHOULD process the
        // message as if it was in the highest minor version".
        ("HTTP/1.2 200 OK\r\n\r\n", "OK"),
        ("HTTP/1.9 200\r\nA: b\r\n\r\n", ""),
    ];
    for (input, reason) in rows {
        let outcome = respond(&Method::GET, input);
        assert_eq!(outcome.end, Ok(()), "{input:?}");
        let [Reply::Head(head, _), Reply::End(_)] = &outcome.replies[..] else {
            panic!("{input:?}: {:?}", outcome.replies);
        };
        assert_eq!(head.reason, reason, "{input:?}");
    }
}

#[test]
fn malformed_heads() {
    use Malformed::{FieldName, FieldValue, HeadTooLarge, LineEnd, TooManyFields};
    use MalformedResponse::{IncompleteHead, StatusLine, StatusLineTooLong, Unanswered, Version};
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 {}", "x".repeat(8192));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(32 << 10));
    let rows: [(&str, MalformedResponse); 34] = [
        // RFC 9112, 4: "status-line = HTTP-version SP status-code SP [ reason-phrase ]",
        // "status-code = 3DIGIT".
        ("hello", StatusLine),
        ("<html>", StatusLine),
        (" HTTP/1.1 200 OK\r\n", StatusLine),
        ("http/1.1 200 OK\r\n", StatusLine),
        ("HTTP/1.1  200 OK\r\n", StatusLine),
        ("HTTP/1.1\t200 OK\r\n", StatusLine),
        ("HTTP/1.1\r\n", StatusLine),
        ("HTTP/1.1 \r\n", StatusLine),
        ("HTTP/1.1 20 OK\r\n", StatusLine),
        ("HTTP/1.1 2000 OK\r\n", StatusLine),
        ("HTTP/1.1 2x0 OK\r\n", StatusLine),
        ("HTTP/1.1 -20 OK\r\n", StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 200\tOK\r\n", StatusLine),
        ("HTTP/1.1 200 O\0K\r\n", StatusLine),
        ("HTTP/11 200 OK\r\n", StatusLine),
        ("HTTP/1 200 OK\r\n", StatusLine),
        ("\x15\x03\x01\x00\x02\x02\x16", StatusLine),
        // RFC 9110, 2.5: the major version says how the message is to be read.
        ("HTTP/2.0 200 OK\r\n", Version),
        ("HTTP/3.1 200 OK\r\n", Version),
        ("HTTP/0.9 200 OK\r\n", Version),
        // RFC 9112, 2.2: "A recipient of such a bare CR MUST consider that element to be invalid".
        ("HTTP/1.1 200 OK\rA: b\r\n\r\n", StatusLine),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", LineEnd.into()),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", LineEnd.into()),
        ("HTTP/1.1 200 OK\r\nA: b\rc: d\r\n\r\n", FieldValue.into()),
        // RFC 9112, 5.1 and 5.2: no white space before a colon, no folded lines.
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", FieldName.into()),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", FieldName.into()),
        ("HTTP/1.1 200 OK\r\nno field\r\n\r\n", FieldName.into()),
        (&many, TooManyFields.into()),
        (&long, StatusLineTooLong),
        (&large, HeadTooLarge.into()),
        ("", Unanswered),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", IncompleteHead),
        ("\r", IncompleteHead),
    ];
    for (input, expected) in rows {
        assert_eq!(fault(input), Some(expected), "{input:?}");
    }
}

#[test]
fn a_bad_head_is_refused_before_its_end() {
    for input in ["x", "HTTP/3", "HTTP/1.1 x", "HTTP/1.1 200 OK\r\nA B\r\n"] {
        let mut decoder = ResponseDecoder::new(LIMITS);
        decoder.expect(&Method::GET);
        decoder.feed(input.into());
        let refused = decoder.next().is_err();
        // Whether the major version is valid is known when the minor one has arrived.
        assert_eq!(refused, input != "HTTP/3", "{input:?}");
    }
}

#[test]
fn persistence() {
    // RFC 9112, 9.3, as for requests; the table is there.
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", false),
        ("HTTP/1.0 200 OK\r\n", false),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", true),
    ] {
        let outcome = respond(&Method::HEAD, &format!("{head}\r\n"));
        let Some(Reply::Head(head, _)) = outcome.replies.first() else {
            panic!("{head}");
        };
        assert_eq!(head.is_persistent(), expected, "{head:?}");
    }
}
