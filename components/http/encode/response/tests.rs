//! Heads and chunks as they are sent.

use super::*;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const V10: Version = Version::HTTP_10;
const V11: Version = Version::HTTP_11;

type Sent = (BodyFraming, Connection);

/// Returns the status line and the fields after the date, and the decisions of the encoder.
fn encode(
    version: Version,
    status: u16,
    fields: Fields,
    body: BodyFraming,
    connection: Connection,
) -> (String, Sent) {
    let status = StatusCode::from_u16(status).unwrap();
    let mut out = b"before".to_vec();
    let head = ResponseHead {
        fields,
        ..ResponseHead::new(status)
    };
    let sent = encode_head(&mut out, version, &head, body, connection, DATE);
    let text = String::from_utf8(out).unwrap();
    let text = text.replace("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "");
    let text = text.replace("X-Content-Type-Options: nosniff\r\n", "");
    (text.strip_prefix("before").unwrap().to_owned(), sent)
}

#[test]
fn framing_and_connection() {
    use BodyFraming::{Chunked, None, Sized, UntilClose};
    use Connection::{Close, KeepAlive};
    let length = |n: u64| format!("Content-Length: {n}\r\n");
    let (chunked, close) = ("Transfer-Encoding: chunked\r\n", "Connection: close\r\n");
    let keep = "Connection: keep-alive\r\n";
    let rows: [(Version, u16, BodyFraming, Connection, String, Sent); 21] = [
        (V11, 200, None, KeepAlive, length(0), (None, KeepAlive)),
        (
            V11,
            200,
            Sized(0),
            KeepAlive,
            length(0),
            (Sized(0), KeepAlive),
        ),
        (
            V11,
            200,
            Sized(1024),
            KeepAlive,
            length(1024),
            (Sized(1024), KeepAlive),
        ),
        (
            V11,
            200,
            Sized(u64::MAX),
            KeepAlive,
            length(u64::MAX),
            (Sized(u64::MAX), KeepAlive),
        ),
        (
            V11,
            200,
            Sized(9),
            Close,
            length(9) + close,
            (Sized(9), Close),
        ),
        (
            V10,
            200,
            Sized(9),
            KeepAlive,
            length(9) + keep,
            (Sized(9), KeepAlive),
        ),
        (
            V10,
            200,
            Sized(9),
            Close,
            length(9) + close,
            (Sized(9), Close),
        ),
        (
            V11,
            200,
            Chunked,
            KeepAlive,
            chunked.into(),
            (Chunked, KeepAlive),
        ),
        (
            V11,
            200,
            Chunked,
            Close,
            chunked.to_owned() + close,
            (Chunked, Close),
        ),
        // RFC 9112, 6.1: "A server MUST NOT send a response containing Transfer-Encoding unless
        // the corresponding request indicates HTTP/1.1 (or later minor revisions)."
        (
            V10,
            200,
            Chunked,
            KeepAlive,
            close.into(),
            (UntilClose, Close),
        ),
        (
            V11,
            200,
            UntilClose,
            KeepAlive,
            close.into(),
            (UntilClose, Close),
        ),
        (
            V10,
            200,
            UntilClose,
            Close,
            close.into(),
            (UntilClose, Close),
        ),
        // RFC 9110, 8.6: "A server MUST NOT send a Content-Length header field in any response
        // with a status code of 1xx (Informational) or 204 (No Content)."
        // RFC 9112, 6.1: "A server MUST NOT send a Transfer-Encoding header field in any response
        // with a status code of 1xx (Informational) or 204 (No Content)."
        (V11, 204, None, KeepAlive, String::new(), (None, KeepAlive)),
        (
            V11,
            204,
            Sized(5),
            KeepAlive,
            String::new(),
            (None, KeepAlive),
        ),
        (V11, 204, Chunked, Close, close.into(), (None, Close)),
        (
            V11,
            304,
            Sized(5),
            KeepAlive,
            String::new(),
            (None, KeepAlive),
        ),
        (
            V10,
            304,
            UntilClose,
            KeepAlive,
            keep.into(),
            (None, KeepAlive),
        ),
        // RFC 9110, 15.3.6: "a server MUST NOT generate content in a 205 response".
        (V11, 205, Sized(5), KeepAlive, length(0), (None, KeepAlive)),
        (
            V11,
            100,
            Sized(5),
            KeepAlive,
            String::new(),
            (None, KeepAlive),
        ),
        (V11, 103, Chunked, Close, String::new(), (None, Close)),
        (
            V11,
            404,
            Sized(5),
            KeepAlive,
            length(5),
            (Sized(5), KeepAlive),
        ),
    ];
    for (version, status, body, connection, lines, sent) in rows {
        let encoded = encode(version, status, Fields::new(), body, connection);
        let reason = StatusCode::from_u16(status).unwrap();
        assert_eq!(encoded, (format!("HTTP/1.1 {reason}\r\n{lines}\r\n"), sent));
    }
}

#[test]
fn fields_of_the_handler_cannot_change_the_framing() {
    let fields = Fields::new()
        .with("content-length", "3")
        .with("A", "1")
        .with("Transfer-Encoding", "chunked")
        .with("Connection", "keep-alive")
        .with("B", "2");
    let (text, sent) = encode(V11, 200, fields, BodyFraming::Sized(5), Connection::Close);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(sent, (BodyFraming::Sized(5), Connection::Close));
}

#[test]
fn a_handler_may_close_the_connection_and_set_the_date() {
    let fields = Fields::new()
        .with("Connection", "x, Close")
        .with("DATE", "then");
    let (text, sent) = encode(V11, 200, fields, BodyFraming::None, Connection::KeepAlive);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nDATE: then\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(sent.1, Connection::Close);
}

#[test]
fn switching_protocols_keeps_its_connection_field() {
    // RFC 9110, 7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option".
    let fields = Fields::new()
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket");
    let (text, _) = encode(V11, 101, fields, BodyFraming::None, Connection::KeepAlive);
    assert_eq!(
        text,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
}

#[test]
fn a_response_is_dated_unless_informational() {
    // RFC 9110, 6.6.1: "An origin server with a clock [...] MUST generate a Date header field in
    // all 2xx (Successful), 3xx (Redirection), and 4xx (Client Error) responses, and MAY generate a
    // Date header field in 1xx (Informational) and 5xx (Server Error) responses."
    for (status, is_dated) in [
        (100, false),
        (200, true),
        (304, true),
        (404, true),
        (503, true),
    ] {
        let mut out = Vec::new();
        let head = ResponseHead::new(StatusCode::from_u16(status).unwrap());
        encode_head(
            &mut out,
            V11,
            &head,
            BodyFraming::None,
            Connection::KeepAlive,
            DATE,
        );
        let text = String::from_utf8(out).unwrap();
        let line = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert_eq!(text.contains(line), is_dated, "{status}");
    }
}

#[test]
fn a_final_response_is_taken_for_what_it_says() {
    const NOSNIFF: &str = "X-Content-Type-Options: nosniff\r\n";
    let own = Fields::new().with("X-Content-Type-Options", "other");
    for (status, fields, count) in [
        (100, Fields::new(), 0),
        (200, Fields::new(), 1),
        (304, Fields::new(), 1),
        (
            404,
            Fields::new().with("X-Content-Type-Options", "nosniff"),
            1,
        ),
        (200, own, 0),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let (head, mut out) = (
            ResponseHead {
                fields,
                ..ResponseHead::new(status)
            },
            Vec::new(),
        );
        encode_head(
            &mut out,
            V11,
            &head,
            BodyFraming::None,
            Connection::KeepAlive,
            DATE,
        );
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches(NOSNIFF).count(), count, "{text}");
    }
}

#[test]
fn an_unknown_status_has_an_empty_reason() {
    // RFC 9112, 4: "A server MUST send the space that separates the status-code from the
    // reason-phrase even when the reason-phrase is absent".
    let (text, _) = encode(
        V11,
        299,
        Fields::new(),
        BodyFraming::None,
        Connection::KeepAlive,
    );
    assert!(text.starts_with("HTTP/1.1 299 \r\n"));
}

#[test]
fn chunk_sizes() {
    for size in [1, 9, 10, 15, 16, 255, 256, 4096, 65535, usize::MAX] {
        let mut out = Vec::new();
        encode_chunk_size(&mut out, size);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{size:x}\r\n"));
    }
}

#[test]
fn trailers_frame_nothing() {
    let trailers = Fields::new()
        .with("Digest", "x")
        .with("Content-Length", "3");
    let mut out = Vec::new();
    encode_last_chunk(&mut out, &trailers);
    assert_eq!(out, b"0\r\nDigest: x\r\n\r\n");
}

#[test]
fn continue_is_only_a_status_line() {
    let mut out = Vec::new();
    encode_continue(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
}
