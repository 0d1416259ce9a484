//! The verdict on requests, sentence by sentence of the RFCs.

use http::{Method, Version};

use super::*;

const HOST: &str = "Host: a\r\n";

/// Decodes a whole input: its events, and the verdict at its end.
fn decode(limits: Limits, input: &[u8]) -> (Vec<Event>, Result<(), Malformed>) {
    let mut decoder = RequestDecoder::new(limits);
    decoder.feed(Bytes::copy_from_slice(input));
    let mut events = Vec::new();
    while let Ok(Some(event)) = decoder.next() {
        events.push(event);
    }
    (events, decoder.finish())
}

/// What is wrong with an input, by the default limits.
fn fault(input: impl AsRef<[u8]>) -> Option<Malformed> {
    decode(Limits::default(), input.as_ref()).1.err()
}

/// The body and the trailers of a request that is valid and the only one.
fn body(input: &str) -> (String, Fields) {
    let (events, end) = decode(Limits::default(), input.as_bytes());
    assert_eq!(end, Ok(()), "{input:?}");
    let mut text = String::new();
    let mut trailers = None;
    for event in &events[1..] {
        match event {
            Event::Chunk(data) => text.push_str(str::from_utf8(data).unwrap()),
            Event::End(fields) => trailers = Some(fields.clone()),
            Event::Head(..) => panic!("a second head in {input:?}"),
        }
    }
    (text, trailers.unwrap_or_default())
}

#[test]
fn a_simple_request_is_sliced_not_copied() {
    let input = Bytes::from_static(b"GET /1k.bin?x HTTP/1.1\r\nHost: a\r\nX: \t y \r\n\r\n");
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(input.clone());
    let Ok(Some(Event::Head(head, BodyKind::None))) = decoder.next() else {
        panic!("no head");
    };
    assert_eq!(
        (&head.method, head.version),
        (&Method::GET, Version::HTTP_11)
    );
    assert_eq!(
        (head.target.path(), head.target.query()),
        ("/1k.bin", Some("x"))
    );
    assert_eq!(head.fields.as_bytes(), b"Host: a\r\nX: \t y \r\n");
    assert_eq!(head.fields.get("x"), Some(&b"y"[..]));
    assert_eq!(head.target.as_bytes().as_ptr(), input[4..].as_ptr());
    assert_eq!(head.fields.as_bytes().as_ptr(), input[24..].as_ptr());
    assert!(decoder.is_empty());
}
