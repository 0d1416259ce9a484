//! The decoder as a whole: its events, their order, and its memory.

mod bodies;
mod heads;
mod splits;

use http::{Method, Version};

use super::*;

/// Decodes a whole input; returns its events, and the verdict at its end.
fn decode(limits: Limits, input: &[u8]) -> (Vec<Event>, Result<(), Malformed>) {
    let mut decoder = RequestDecoder::new(limits);
    decoder.feed(Bytes::copy_from_slice(input));
    let mut events = Vec::new();
    while let Ok(Some(event)) = decoder.next() {
        events.push(event);
    }
    (events, decoder.finish())
}

#[test]
fn a_request_is_sliced_not_copied() {
    let input = Bytes::from_static(b"GET /1k.bin?x HTTP/1.1\r\nHost: a\r\nX: \t y \r\n\r\n");
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(input.clone());
    let Ok(Some(Event::Head(head, BodyKind::None))) = decoder.next() else {
        panic!("no head");
    };
    assert_eq!(head.method, Method::GET);
    assert_eq!(head.version, Version::HTTP_11);
    assert_eq!(head.target.path(), "/1k.bin");
    assert_eq!(head.target.query(), Some("x"));
    assert_eq!(head.fields.as_bytes(), b"Host: a\r\nX: \t y \r\n");
    assert_eq!(head.fields.get("x"), Some(&b"y"[..]));
    assert_eq!(head.target.as_bytes().as_ptr(), input[4..].as_ptr());
    assert_eq!(head.fields.as_bytes().as_ptr(), input[24..].as_ptr());
    assert!(decoder.is_empty());
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed("GET /\r\n\r\n".into());
    assert_eq!(decoder.next(), Err(Malformed::RequestLine));
    decoder.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into());
    assert_eq!(decoder.next(), Err(Malformed::RequestLine));
    assert_eq!(decoder.finish(), Err(Malformed::RequestLine));
    assert!(decoder.is_empty());
}

#[test]
fn pipelined_requests_come_out_one_by_one() {
    let input = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
        \r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\
        GET /4 HTTP/1.0\r\n\r\n";
    let (events, end) = decode(Limits::default(), input);
    assert_eq!(end, Ok(()));
    let summary = events.iter().map(|event| match event {
        Event::Head(head, body) => format!("{} {body:?}", head.target),
        Event::Chunk(data) => format!("{data:?}"),
        Event::End(trailers) => format!("end {}", trailers.len()),
    });
    assert_eq!(
        summary.collect::<Vec<_>>(),
        [
            "/1 Sized(3)",
            "b\"abc\"",
            "end 0",
            "/2 None",
            "/3 Chunked",
            "b\"x\"",
            "end 0",
            "/4 None",
        ]
    );
}

#[test]
fn phases() {
    let mut decoder = RequestDecoder::new(Limits::default());
    let steps = [
        ("", Phase::BetweenRequests),
        // A peer that sends only empty lines has as much time as for a head.
        ("\r\n", Phase::InHead),
        ("P", Phase::InHead),
        (
            "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r",
            Phase::InHead,
        ),
        ("\n", Phase::InBody),
        ("x", Phase::BetweenRequests),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            Phase::InBody,
        ),
        ("1\r\nx\r\n0\r\n", Phase::InBody),
        ("\r\n", Phase::BetweenRequests),
    ];
    for (piece, phase) in steps {
        decoder.feed(piece.into());
        while decoder.next().unwrap().is_some() {}
        assert_eq!(decoder.phase(), phase, "after {piece:?}");
        let may_end = phase == Phase::BetweenRequests || piece == "\r\n";
        assert_eq!(decoder.finish().is_ok(), may_end, "after {piece:?}");
        // An empty line before a request is read at once.
        let is_read = phase != Phase::InHead || piece == "\r\n";
        assert_eq!(decoder.is_empty(), is_read, "after {piece:?}");
    }
}

#[test]
fn what_follows_an_upgrade_can_be_taken_out() {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n\x01\x02".into());
    assert!(matches!(decoder.next(), Ok(Some(Event::Head(..)))));
    assert_eq!(decoder.rest(), "\x01\x02");
    assert!(decoder.is_empty());
}
