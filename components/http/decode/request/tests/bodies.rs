//! The chunked coding, trailers, and the limit of a body; Content-Length has its table in
//! `framing`.

use super::*;

/// Returns the verdict on a chunked body.
fn decode_chunks(limits: Limits, chunks: &str) -> Result<(String, Fields), Malformed> {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (events, end) = decode(limits, format!("{head}{chunks}").as_bytes());
    end?;
    let mut body = String::new();
    for event in &events[1..] {
        match event {
            Event::Chunk(data) => body.push_str(str::from_utf8(data).unwrap()),
            Event::End(trailers) => return Ok((body, trailers.clone())),
            Event::Head(..) => panic!("a head inside a body"),
        }
    }
    Err(Malformed::Truncated)
}

#[test]
fn chunked_bodies() {
    let rows = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n1\r\n!\r\n000\r\n\r\n", "hello!"),
        (
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "01234567890123456789",
        ),
        ("0000000000000001\r\nx\r\n0\r\n\r\n", "x"),
        // RFC 9112, 7.1.1: "A recipient MUST ignore unrecognized chunk extensions."
        ("1;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
        ("1 \t; a=\"b;\\\"c\"\r\nx\r\n0\r\n\r\n", "x"),
        ("3\r\n\r\n\0\r\n0\r\n\r\n", "\r\n\0"),
    ];
    for (chunks, body) in rows {
        let decoded = decode_chunks(Limits::default(), chunks);
        assert_eq!(decoded, Ok((body.to_owned(), Fields::new())), "{chunks:?}");
    }
}

#[test]
fn malformed_chunks() {
    use Malformed::{ChunkEnd, ChunkExtension, ChunkSize, LineEnd, Truncated};
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(256));
    let rows: [(&str, Malformed); 28] = [
        ("\r\n", ChunkSize),
        ("\n", ChunkSize),
        ("x\r\n", ChunkSize),
        (" 1\r\nx\r\n", ChunkSize),
        ("+1\r\nx\r\n", ChunkSize),
        ("-1\r\nx\r\n", ChunkSize),
        ("0x1\r\nx\r\n", ChunkSize),
        ("1_0\r\nx\r\n", ChunkSize),
        ("1 \r\nx\r\n", ChunkSize),
        ("1 0\r\nx\r\n", ChunkSize),
        (";a\r\nx\r\n", ChunkSize),
        ("\u{ff11}\r\nx\r\n", ChunkSize),
        ("00000000000000001\r\nx\r\n", ChunkSize),
        ("10000000000000005\r\nhello\r\n", ChunkSize),
        ("1\nx\r\n", LineEnd),
        ("1\rx\r\n", LineEnd),
        ("1\r\rx\r\n", LineEnd),
        ("1;a\nx\r\n", LineEnd),
        ("1;a\rx\r\n", LineEnd),
        ("1;\0\r\nx\r\n", ChunkExtension),
        (&long, ChunkExtension),
        ("1\r\nxy\r\n", ChunkEnd),
        ("1\r\nx\n0\r\n\r\n", ChunkEnd),
        ("1\r\nx\r0\r\n\r\n", ChunkEnd),
        ("1\r\nx0\r\n\r\n", ChunkEnd),
        ("5\r\nhel", Truncated),
        ("5\r\nhello\r\n", Truncated),
        ("0\r\n", Truncated),
    ];
    for (chunks, expected) in rows {
        assert_eq!(
            decode_chunks(Limits::default(), chunks),
            Err(expected),
            "{chunks:?}"
        );
    }
}

#[test]
fn trailers() {
    let (body, trailers) =
        decode_chunks(Limits::default(), "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n").unwrap();
    assert_eq!(body, "x");
    assert_eq!(trailers.as_bytes(), b"A: b\r\nC:\r\n");
    let many = format!("0\r\n{}\r\n", "A: b\r\n".repeat(101));
    let large = format!("0\r\nA: {}", "b".repeat(40_000));
    let rows = [
        ("0\r\nA : b\r\n\r\n", Malformed::FieldName),
        ("0\r\n A: b\r\n\r\n", Malformed::FieldName),
        ("0\r\nA: b\r\n c\r\n\r\n", Malformed::FieldName),
        ("0\r\nA: \0\r\n\r\n", Malformed::FieldValue),
        ("0\r\nA: b\n\r\n", Malformed::LineEnd),
        ("0\r\nA: b\r\n\n", Malformed::LineEnd),
        ("0\r\n\n", Malformed::LineEnd),
        ("0\r\n\rx", Malformed::LineEnd),
        // RFC 9110, 6.5.1: fields "necessary for message framing, routing" are not trailers.
        ("0\r\nContent-Length: 3\r\n\r\n", Malformed::Trailer),
        (
            "0\r\ntransfer-encoding: chunked\r\n\r\n",
            Malformed::Trailer,
        ),
        ("0\r\nHost: b\r\n\r\n", Malformed::Trailer),
        (&many, Malformed::TooManyFields),
        (&large, Malformed::HeadTooLarge),
        ("0\r\nA: b\r\n", Malformed::Truncated),
    ];
    for (chunks, expected) in rows {
        assert_eq!(
            decode_chunks(Limits::default(), chunks),
            Err(expected),
            "{chunks:?}"
        );
    }
}

/// RFC 9112 section 7.1.1: "A server ought to limit the total length of chunk extensions received
/// in a request".
#[test]
fn extensions_and_trailers_have_a_limit_together() {
    let limits = Limits {
        chunk_framing: 100,
        ..Limits::default()
    };
    // Each of them has 31 bytes with its semicolon.
    let chunks = |count| format!("1;{}\r\nx\r\n", "e".repeat(30)).repeat(count);
    let with = |count, rest: &str| {
        decode_chunks(limits, &format!("{}{rest}", chunks(count))).map(|(body, _)| body)
    };
    assert_eq!(with(3, "0\r\n\r\n"), Ok("xxx".to_owned()));
    assert_eq!(with(4, "0\r\n\r\n"), Err(Malformed::ChunkExtension));
    assert_eq!(
        with(3, "0;12345678\r\n\r\n"),
        Err(Malformed::ChunkExtension)
    );
    assert_eq!(
        with(2, "0\r\nA: 012345678901234567\r\n\r\n"),
        Ok("xx".to_owned())
    );
    assert_eq!(with(3, "0\r\nA: b\r\n\r\n"), Err(Malformed::HeadTooLarge));
    let spaces = format!("1{};\r\nx\r\n", " ".repeat(101));
    assert_eq!(
        decode_chunks(limits, &spaces),
        Err(Malformed::ChunkExtension)
    );
}

/// The bytes that wait for a handler are as large as the data, not as the framing around it.
#[test]
fn short_chunks_are_joined() {
    let count = 10_000;
    for chunk in ["1\r\nx\r\n", "1;\r\nx\r\n", "0001\r\nx\r\n"] {
        let mut decoder = RequestDecoder::new(Limits::default());
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        decoder.feed(format!("{head}{}0\r\n\r\n", chunk.repeat(count)).into());
        assert!(matches!(decoder.next(), Ok(Some(Event::Head(..)))));
        let (mut pieces, mut bytes) = (0, 0);
        while let Some(Event::Chunk(data)) = decoder.next().unwrap() {
            pieces += 1;
            bytes += data.len();
        }
        assert_eq!((pieces, bytes), (1, count), "{chunk:?}");
    }
}

#[test]
fn a_body_has_a_limit() {
    let limits = Limits {
        body: 5,
        ..Limits::default()
    };
    let sized = |length: u64| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        decode(limits, head.as_bytes()).1
    };
    assert_eq!(sized(5), Err(Malformed::Truncated));
    assert_eq!(sized(6), Err(Malformed::BodyTooLarge));
    let verdict = |chunks| decode_chunks(limits, chunks).map(|(body, _)| body);
    assert_eq!(
        verdict("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        Ok("abcde".to_owned())
    );
    assert_eq!(verdict("3\r\nabc\r\n3\r\n"), Err(Malformed::BodyTooLarge));
    assert_eq!(
        verdict("ffffffffffffffff\r\n"),
        Err(Malformed::BodyTooLarge)
    );
    let unlimited = Limits {
        body: u64::MAX,
        ..limits
    };
    let verdict = decode_chunks(unlimited, "1\r\na\r\nffffffffffffffff\r\n");
    assert_eq!(
        verdict,
        Err(Malformed::BodyTooLarge),
        "the total would overflow"
    );
}
