use super::*;
use crate::websocket::{Assembler, CloseCode, DeflateOptions, Encoder, Message};

/// What a server makes of the bytes of a client: whole messages and control frames, and how it
/// ended.
#[derive(Debug, PartialEq)]
enum Seen {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    Close(Close),
}

fn decode(
    role: Role,
    limits: Limits,
    deflate: Option<Deflate>,
    bytes: &[u8],
    size: usize,
) -> (Vec<Seen>, Result<(), Violation>) {
    let mut decoder = Decoder::new(role, limits, deflate);
    let (mut assembler, mut seen) = (Assembler::default(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(Event::Data {
                    kind,
                    bytes,
                    is_last,
                })) => match assembler.add(kind, bytes, is_last) {
                    Ok(message) => seen.extend(message.map(Seen::Message)),
                    Err(violation) => return (seen, Err(violation)),
                },
                Ok(Some(Event::Ping(payload))) => seen.push(Seen::Ping(payload)),
                Ok(Some(Event::Pong(payload))) => seen.push(Seen::Pong(payload)),
                Ok(Some(Event::Close(close))) => seen.push(Seen::Close(close)),
                Err(violation) => return (seen, Err(violation)),
            }
        }
    }
    (seen, decoder.finish())
}

/// A frame of a client with the key 0, which leaves the payload as it is.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..=125 => bytes.push(0x80 | length as u8),
        length @ ..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    let frames = frames
        .iter()
        .map(|(first, payload)| masked(*first, payload));
    frames.collect::<Vec<_>>().concat()
}

const ALL: usize = usize::MAX;

fn serve(bytes: &[u8], size: usize) -> (Vec<Seen>, Result<(), Violation>) {
    decode(Role::Server, Limits::default(), None, bytes, size)
}

/// RFC 6455 section 5.7, the examples.
#[test]
fn the_examples_of_the_rfc() {
    let text = |text: &'static str| vec![Seen::Message(Message::text(text))];
    let rows: [(Role, &[u8], Vec<Seen>); 5] = [
        (
            Role::Client,
            &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
            text("Hello"),
        ),
        (
            Role::Server,
            &[
                0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
            ],
            text("Hello"),
        ),
        (
            Role::Client,
            &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f],
            text("Hello"),
        ),
        (
            Role::Client,
            &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
            vec![Seen::Ping("Hello".into())],
        ),
        (
            Role::Server,
            &[
                0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
            ],
            vec![Seen::Pong("Hello".into())],
        ),
    ];
    for (role, bytes, expected) in rows {
        for size in 1..=bytes.len() {
            let (seen, end) = decode(role, Limits::default(), None, bytes, size);
            assert_eq!(
                (seen, end),
                (expected.clone_all(), Ok(())),
                "{bytes:?} by {size}"
            );
        }
    }
}

trait CloneAll {
    fn clone_all(&self) -> Vec<Seen>;
}

impl CloneAll for Vec<Seen> {
    fn clone_all(&self) -> Vec<Seen> {
        let clone = |seen: &Seen| match seen {
            Seen::Message(message) => Seen::Message(message.clone()),
            Seen::Ping(payload) => Seen::Ping(payload.clone()),
            Seen::Pong(payload) => Seen::Pong(payload.clone()),
            Seen::Close(close) => Seen::Close(close.clone()),
        };
        self.iter().map(clone).collect()
    }
}

/// RFC 6455 section 5.4: "Control frames MAY be injected in the middle of a fragmented message."
#[test]
fn control_frames_stand_between_fragments() {
    let bytes = frames(&[
        (0x01, b"a"),
        (0x89, b"ping"),
        (0x00, b""),
        (0x8a, b""),
        (0x80, b"b"),
    ]);
    let expected = vec![
        Seen::Ping("ping".into()),
        Seen::Pong("".into()),
        Seen::Message(Message::text("ab")),
    ];
    for size in 1..=bytes.len() {
        assert_eq!(
            serve(&bytes, size),
            (expected.clone_all(), Ok(())),
            "by {size}"
        );
    }
}

#[test]
fn lengths_at_the_edges_come_through() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; length];
        for size in [1000, ALL] {
            let (seen, end) = serve(&masked(0x82, &payload), size);
            assert_eq!(seen, [Seen::Message(Message::binary(payload.clone()))]);
            assert_eq!(end, Ok(()));
        }
    }
}

#[test]
fn malformed_frames_have_their_close_code() {
    use Violation::*;
    let long = [b'x'; 126];
    let mut rows: Vec<(Vec<u8>, Violation, u16)> = vec![
        // RFC 6455, 5.1: "The server MUST close the connection upon receiving a frame that is not
        // masked."
        (vec![0x81, 0x01, b'a'], NotMasked, 1002),
        (vec![0x89, 0x00], NotMasked, 1002),
        // 5.2: "MUST be 0 unless an extension is negotiated"
        (frames(&[(0xc1, b"")]), ReservedBit, 1002),
        (frames(&[(0xa1, b"")]), ReservedBit, 1002),
        (frames(&[(0x91, b"")]), ReservedBit, 1002),
        (frames(&[(0xf1, b"")]), ReservedBit, 1002),
        (frames(&[(0xc9, b"")]), ReservedBit, 1002),
        (frames(&[(0xc8, b"")]), ReservedBit, 1002),
        (frames(&[(0x01, b"a"), (0xc0, b"b")]), ReservedBit, 1002),
        // 5.2: "the minimal number of bytes MUST be used to encode the length"
        (
            vec![0x82, 0x80 | 126, 0, 125, 0, 0, 0, 0],
            InvalidLength,
            1002,
        ),
        (vec![0x82, 0x80 | 126, 0, 0], InvalidLength, 1002),
        (
            vec![0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            InvalidLength,
            1002,
        ),
        (
            vec![0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1],
            InvalidLength,
            1002,
        ),
        // "the most significant bit MUST be 0"
        (
            vec![0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            InvalidLength,
            1002,
        ),
        (
            vec![
                0x82,
                0x80 | 127,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
            ],
            InvalidLength,
            1002,
        ),
        // 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
        // fragmented."
        (frames(&[(0x89, &long)]), ControlTooLong, 1002),
        (frames(&[(0x8a, &long)]), ControlTooLong, 1002),
        (frames(&[(0x88, &long)]), ControlTooLong, 1002),
        (vec![0x89, 0x80 | 127], ControlTooLong, 1002),
        (frames(&[(0x09, b"")]), FragmentedControl, 1002),
        (frames(&[(0x0a, b"")]), FragmentedControl, 1002),
        (frames(&[(0x08, b"")]), FragmentedControl, 1002),
        // 5.4
        (frames(&[(0x80, b"a")]), UnexpectedContinuation, 1002),
        (frames(&[(0x00, b"a")]), UnexpectedContinuation, 1002),
        (
            frames(&[(0x81, b"a"), (0x80, b"b")]),
            UnexpectedContinuation,
            1002,
        ),
        (
            frames(&[(0x01, b"a"), (0x81, b"b")]),
            ExpectedContinuation,
            1002,
        ),
        (
            frames(&[(0x01, b"a"), (0x02, b"b")]),
            ExpectedContinuation,
            1002,
        ),
        (
            frames(&[(0x01, b"a"), (0x00, b"b"), (0x82, b"c")]),
            ExpectedContinuation,
            1002,
        ),
        // 5.5.1 and 7.4
        (frames(&[(0x88, b"\x03")]), CloseTooShort, 1002),
        (frames(&[(0x88, b"\x03\xe8\xff")]), InvalidUtf8, 1007),
        (frames(&[(0x88, b"\x03\xe8\xc3")]), InvalidUtf8, 1007),
        // 8.1
        (frames(&[(0x81, b"\xff")]), InvalidUtf8, 1007),
        (frames(&[(0x81, b"\xc3")]), InvalidUtf8, 1007),
        (frames(&[(0x01, b"\xc3"), (0x80, b"(")]), InvalidUtf8, 1007),
        (
            frames(&[(0x01, b"\xf0\x9f"), (0x00, b""), (0x80, b"")]),
            InvalidUtf8,
            1007,
        ),
        (frames(&[(0x81, b"\xed\xa0\x80")]), InvalidUtf8, 1007),
        (frames(&[(0x81, b"\xf4\x90\x80\x80")]), InvalidUtf8, 1007),
        (frames(&[(0x81, b"\xc0\xaf")]), InvalidUtf8, 1007),
    ];
    for opcode in (3..=7).chain(11..=15) {
        rows.push((
            frames(&[(0x80 | opcode, b"")]),
            ReservedOpcode { opcode },
            1002,
        ));
        rows.push((frames(&[(opcode, b"")]), ReservedOpcode { opcode }, 1002));
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16,
    ] {
        let frame = frames(&[(0x88, &code.to_be_bytes())]);
        rows.push((frame, InvalidCloseCode { code }, 1002));
    }
    // 8.1, whole and in fragments: bytes that begin nothing, overlong forms, surrogates, and ends
    // within a character.
    let wrong: [&[u8]; 8] = [
        b"\x80",
        b"\xfe",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xed\xbf\xbf",
        b"\xe2\x82",
        b"good, then \xf0\x9f\x98",
    ];
    for text in wrong {
        rows.push((frames(&[(0x81, text)]), InvalidUtf8, 1007));
        let (first, last) = text.split_at(text.len() - 1);
        rows.push((frames(&[(0x01, first), (0x80, last)]), InvalidUtf8, 1007));
    }
    // 5.1, for every kind of frame.
    for first in [0x82, 0x01, 0x8a, 0x88] {
        rows.push((vec![first, 0], NotMasked, 1002));
    }
    assert!(rows.len() >= 80, "{}", rows.len());
    for (bytes, violation, code) in rows {
        for size in 1..=bytes.len().min(20) {
            let (_, end) = serve(&bytes, size);
            assert_eq!(end, Err(violation), "{bytes:?} by {size}");
            assert_eq!(violation.close_code(), CloseCode(code));
        }
    }
}

#[test]
fn limits_have_their_close_code() {
    let limits = Limits {
        frame: 100,
        message: 150,
        fragments: 3,
        ..Limits::default()
    };
    let many = [b'x'; 101];
    let half = [b'x'; 80];
    let rows: [(Vec<u8>, Violation, u16); 6] = [
        (
            frames(&[(0x82, &many)]),
            Violation::FrameTooBig { limit: 100 },
            1009,
        ),
        (
            vec![
                0x82,
                0x80 | 127,
                0x7f,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0,
                0,
                0,
                0,
            ],
            Violation::FrameTooBig { limit: 100 },
            1009,
        ),
        (
            frames(&[(0x02, &half), (0x80, &half)]),
            Violation::MessageTooBig { limit: 150 },
            1009,
        ),
        (
            frames(&[(0x01, &half), (0x00, &half[..70]), (0x80, b"x")]),
            Violation::MessageTooBig { limit: 150 },
            1009,
        ),
        (
            frames(&[(0x01, b""), (0x00, b""), (0x00, b""), (0x00, b"")]),
            Violation::TooManyFragments { limit: 3 },
            1008,
        ),
        (
            frames(&[(0x02, b"1"), (0x00, b"2"), (0x00, b"3"), (0x80, b"4")]),
            Violation::TooManyFragments { limit: 3 },
            1008,
        ),
    ];
    for (bytes, violation, code) in rows {
        for size in [1, 7, ALL] {
            let (_, end) = decode(Role::Server, limits, None, &bytes, size);
            assert_eq!(end, Err(violation), "{bytes:?} by {size}");
            assert_eq!(violation.close_code(), CloseCode(code));
        }
    }
    // A frame that is too large is refused by its head: nothing of it needs to come.
    let mut decoder = Decoder::new(Role::Server, limits, None);
    decoder.feed(masked(0x82, &many)[..8].to_vec().into());
    assert_eq!(decoder.next(), Err(Violation::FrameTooBig { limit: 100 }));
}

#[test]
fn nothing_follows_a_close_frame() {
    let rows: [(&[u8], u16, &str); 4] = [
        (b"", 1005, ""),
        (b"\x03\xe8", 1000, ""),
        (b"\x0f\xa0bye", 4000, "bye"),
        ("\u{3}\u{f1}ö".as_bytes(), 0, ""),
    ];
    for (payload, code, reason) in &rows[..3] {
        let bytes = frames(&[(0x88, payload), (0x81, b"late"), (0xff, b"")]);
        for size in 1..=bytes.len() {
            let (seen, end) = serve(&bytes, size);
            assert_eq!(seen, [Seen::Close(Close::new(CloseCode(*code), *reason))]);
            assert_eq!(end, Ok(()));
        }
    }
}

#[test]
fn an_end_inside_a_frame_or_a_message_is_noticed() {
    let whole = frames(&[(0x01, b"ab"), (0x80, b"cd")]);
    for end in 1..whole.len() {
        assert_eq!(
            serve(&whole[..end], 3).1,
            Err(Violation::Truncated),
            "{end}"
        );
    }
    assert_eq!(serve(&whole, 3).1, Ok(()));
    assert_eq!(serve(b"", 1).1, Ok(()));
}

#[test]
fn a_wrong_byte_is_refused_before_its_frame_is_complete() {
    // Autobahn 6.4.3: fail fast inside a frame.
    let mut bytes = masked(0x81, "κόσμε".as_bytes());
    bytes[1] = 0x80 | 100;
    bytes.extend(b"\xf4\x90");
    let (_, end) = serve(&bytes, 1);
    assert_eq!(end, Err(Violation::InvalidUtf8));
}

// Compression.

fn agreed(bits: u8, forgets: bool) -> Deflate {
    Deflate {
        server_no_context_takeover: forgets,
        client_no_context_takeover: forgets,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    }
}

fn texts() -> Vec<Message> {
    let line = "the quick brown fox jumps over the lazy dog; ";
    let mut messages: Vec<_> = (0..20).map(|n| Message::text(line.repeat(n * 7))).collect();
    messages.push(Message::binary(vec![0; 200_000]));
    messages.push(Message::binary(
        (0..60_000_u32).map(|n| (n * n) as u8).collect::<Vec<_>>(),
    ));
    messages.push(Message::text(""));
    messages
}

#[test]
fn what_one_end_compresses_the_other_reads() {
    for bits in 9..=15 {
        for forgets in [false, true] {
            for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                let agreed = agreed(bits, forgets);
                let options = DeflateOptions::default();
                let mut encoder = Encoder::new(sender, Some((agreed, options)));
                let (mut bytes, mut plain) = (BytesMut::new(), 0);
                for (number, message) in texts().iter().enumerate() {
                    if let Some(more) = encoder.message(message, &mut bytes) {
                        bytes.extend_from_slice(&more);
                    }
                    if number % 5 == 4 {
                        // A sender may begin again at any time.
                        encoder.rest();
                    }
                    plain += message.payload().len();
                }
                assert!(bytes.len() < plain / 2, "{} of {plain}", bytes.len());
                for size in [1, 1000, ALL] {
                    let limits = Limits::default();
                    let (seen, end) = decode(receiver, limits, Some(agreed), &bytes, size);
                    assert_eq!(end, Ok(()), "{bits} {forgets} {receiver:?} by {size}");
                    let expected = texts().into_iter().map(Seen::Message).collect::<Vec<_>>();
                    assert_eq!(seen, expected);
                }
            }
        }
    }
}

#[test]
fn a_shared_message_is_compressed_once_and_read_by_all() {
    let shared = Message::text("news for everybody ".repeat(50)).shared();
    let own = Message::text("what only one reads ".repeat(50));
    let options = DeflateOptions::default();
    let mut frames = Vec::new();
    for deflate in [
        None,
        Some(agreed(15, false)),
        Some(agreed(15, true)),
        Some(agreed(10, false)),
    ] {
        let mut encoder = Encoder::new(Role::Server, deflate.map(|agreed| (agreed, options)));
        let mut bytes = BytesMut::new();
        for message in [&own, &shared, &own, &shared] {
            if let Some(more) = encoder.message(message, &mut bytes) {
                frames.push((deflate.is_some(), more.clone()));
                bytes.extend_from_slice(&more);
            }
        }
        let (seen, end) = decode(Role::Client, Limits::default(), deflate, &bytes, ALL);
        assert_eq!(end, Ok(()));
        let expected = [&own, &shared, &own, &shared].map(|it| Seen::Message(it.clone()));
        assert_eq!(seen, expected, "{deflate:?}");
    }
    let compressed = frames.iter().filter(|(_, frame)| frame[0] & 0x40 != 0);
    let addresses: std::collections::HashSet<_> =
        compressed.map(|(_, frame)| frame.as_ptr()).collect();
    assert_eq!(addresses.len(), 1, "one compression");
}

/// RFC 7692 section 7.2.3, the examples.
#[test]
fn the_examples_of_compression() {
    let rows: [&[u8]; 6] = [
        // 7.2.3.1: one block, and the same in fragments.
        &[0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[
            0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00,
        ],
        // 7.2.3.3: no compression.
        &[
            0xc1, 0x0b, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ],
        // 7.2.3.4: a block with BFINAL set.
        &[0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        // 7.2.3.5: two blocks.
        &[
            0xc1, 0x0d, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07,
            0x00,
        ],
        // Not compressed, though it might be.
        &[0x81, 0x05, b'H', b'e', b'l', b'l', b'o'],
    ];
    for row in rows {
        for size in 1..=row.len() {
            let deflate = Some(Deflate::default());
            let (seen, end) = decode(Role::Client, Limits::default(), deflate, row, size);
            assert_eq!(end, Ok(()), "{row:?} by {size}");
            assert_eq!(seen, [Seen::Message(Message::text("Hello"))]);
        }
    }
    // 7.2.3.2: the second message refers to the first.
    let twice = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let shared = [0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00];
    let bytes = [&twice[..], &shared].concat();
    let deflate = Some(Deflate::default());
    let (seen, _) = decode(Role::Client, Limits::default(), deflate, &bytes, ALL);
    let hello = || Seen::Message(Message::text("Hello"));
    assert_eq!(seen, [hello(), hello()]);
}

#[test]
fn bombs_and_bad_streams_are_refused() {
    let mut encoder = Encoder::new(
        Role::Client,
        Some((
            Deflate::default(),
            DeflateOptions {
                level: 9,
                ..DeflateOptions::default()
            },
        )),
    );
    let mut bomb = BytesMut::new();
    encoder.message(&Message::binary(vec![0; 64 << 20]), &mut bomb);
    assert!(bomb.len() < 100_000);
    let deflate = Some(Deflate::default());
    let (seen, end) = decode(Role::Server, Limits::default(), deflate, &bomb, ALL);
    assert_eq!(
        (seen.len(), end),
        (0, Err(Violation::MessageTooBig { limit: 1 << 20 }))
    );

    let rows: [&[u8]; 2] = [b"\xff\xff\xff\xff", b"\x07"];
    for row in rows {
        for size in [1, ALL] {
            let bytes = masked(0xc2, row);
            let (_, end) = decode(Role::Server, Limits::default(), deflate, &bytes, size);
            assert_eq!(end, Err(Violation::InvalidDeflate), "{row:?} by {size}");
        }
    }
}
