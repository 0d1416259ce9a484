//! Hostile frames: malformed ones, those out of place, and floods.

use std::time::{Duration, Instant};

use crate::{
    Closing, Frame, LARGEST_FRAME, LinkError, MessageId, Receipt, Received, Records, Session,
};

fn channel() -> MessageId {
    MessageId([3; 32])
}

fn with(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind][..], rest].concat()
}

#[test]
fn malformed_frames_are_refused() {
    let of_channel = |kind, rest: &[u8]| with(kind, &[&channel().0[..], rest].concat());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("a kind that there is not", with(0, b"")),
        ("a kind of a later version", with(13, &[0; 40])),
        ("a hello without a name", with(1, &[0, 1])),
        ("a hello whose name is cut", with(1, &[0, 1, 0, 9, b'a'])),
        ("a hello that is not UTF-8", with(1, &[0, 1, 0, 1, 0xff])),
        (
            "a hello with a huge name",
            with(1, &[&[0, 1, 1, 0][..], &[b'a'; 256]].concat()),
        ),
        ("a ping without its number", with(2, &[0; 7])),
        ("a pong with more than a number", with(3, &[0; 9])),
        ("a reason that there is not", with(4, &[99])),
        ("a message that is cut", with(6, &[0, 9, 1])),
        ("heads of a channel that is cut", with(7, &[3; 31])),
        (
            "more heads than there may be",
            of_channel(7, &[&[65][..], &[0; 65 * 32]].concat()),
        ),
        (
            "heads that are cut",
            of_channel(7, &[&[2][..], &[0; 33]].concat()),
        ),
        ("a tip that is cut", of_channel(8, &[0; 39])),
        (
            "more tips than there may be",
            of_channel(8, &[0; 1_001 * 40]),
        ),
        ("a place that is cut", of_channel(9, &[0; 7])),
        (
            "more to fetch than there may be",
            of_channel(10, &[&[65][..], &[0; 65 * 32]].concat()),
        ),
        ("a batch without its next place", of_channel(11, &[0; 7])),
        (
            "a batch with a message that is cut",
            of_channel(11, &[&[0; 8][..], &[0, 9, 1]].concat()),
        ),
        ("a receipt that is cut", of_channel(12, &[0; 15])),
    ];
    for (what, bytes) in &cases {
        assert!(Frame::decode(bytes).is_err(), "{what}");
    }
    assert!(cases.len() > 20);
}

#[test]
fn every_frame_comes_back_as_it_was_and_none_of_its_beginnings_is_a_frame() {
    let channel = channel();
    let frames = [
        Frame::Hello {
            version: 1,
            name: "ada".into(),
        },
        Frame::Ping(1),
        Frame::Pong(u64::MAX),
        Frame::Close(Closing::Silent),
        Frame::Announce("one".into()),
        Frame::Publish("two".into()),
        Frame::Heads {
            channel,
            heads: vec![channel; 64],
        },
        Frame::Fetch {
            channel,
            ids: vec![channel],
        },
        Frame::More { channel, from: 7 },
        Frame::Receipt {
            channel,
            receipt: Receipt { held: 2, read: 1 },
        },
    ];
    for frame in frames {
        let bytes = frame.encode();
        assert!(bytes.len() <= LARGEST_FRAME);
        assert_eq!(Frame::decode(&bytes), Ok(frame));
        for length in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..length]).is_err());
        }
    }
    // Tips and batches end with the frame.
    let batch = Frame::Batch {
        channel,
        messages: vec!["one".into(), "".into()],
        next: Some(3),
    };
    assert_eq!(Frame::decode(&batch.encode()), Ok(batch));
}

#[test]
fn records_that_are_too_long_are_refused_before_they_arrive() {
    let mut records = Records::default();
    records.feed(&[0xff, 0xff]);
    assert_eq!(records.next(256), Err(LinkError::Oversized));
}

fn open() -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::new(now);
    let hello = Session::greeting(&"eve".parse().unwrap());
    assert!(matches!(
        session.receive(hello, now),
        Ok(Received::Hello(_))
    ));
    (session, now)
}

#[test]
fn frames_out_of_place_end_the_link() {
    let hello = |version, name: &str| Frame::Hello {
        version,
        name: name.into(),
    };
    let cases = [
        ("no hello", Frame::Ping(1), Closing::Unexpected),
        (
            "a message before hello",
            Frame::Publish("x".into()),
            Closing::Unexpected,
        ),
        ("an older version", hello(0, "eve"), Closing::Version),
        ("a later version", hello(2, "eve"), Closing::Version),
        ("no name", hello(1, ""), Closing::Malformed),
        (
            "a name that looks like another one",
            hello(1, "аda"),
            Closing::Malformed,
        ),
        ("a name in capitals", hello(1, "Ada"), Closing::Malformed),
        (
            "a name with the mark of a second one",
            hello(1, "ada~1234"),
            Closing::Malformed,
        ),
        (
            "a name that writes backwards",
            hello(1, "a\u{202e}da"),
            Closing::Malformed,
        ),
        (
            "a name that is too long",
            hello(1, &"a".repeat(33)),
            Closing::Malformed,
        ),
    ];
    for (what, frame, expected) in cases {
        let now = Instant::now();
        let outcome = Session::new(now).receive(frame, now);
        assert_eq!(outcome, Err(expected), "{what}");
    }
    let (mut session, now) = open();
    let again = session.receive(hello(1, "eve"), now);
    assert_eq!(again, Err(Closing::Unexpected));
}

#[test]
fn floods_end_the_link_and_honest_peers_are_slower() {
    let channel = channel();
    let heads = Frame::Heads {
        channel,
        heads: vec![channel],
    };
    let cases = [
        ("pings", Frame::Ping(1), 4_000, 400),
        ("heads", heads, 4_000, 400),
        ("messages", Frame::Publish("x".into()), 2_000, 200),
        ("channels", Frame::Announce("x".into()), 2_000, 200),
    ];
    for (what, frame, most, rate) in cases {
        let (mut session, now) = open();
        let taken = (0..10_000).take_while(|_| session.receive(frame.clone(), now).is_ok());
        let taken = taken.count();
        assert!((most - 1..=most).contains(&taken), "{what}: {taken}");
        assert_eq!(session.receive(frame.clone(), now), Err(Closing::Flood));
        // In the long run, up to the rate.
        let (mut session, now) = open();
        for number in 0..20_000_u32 {
            let at = now + Duration::from_secs(1) * number / rate;
            assert!(session.receive(frame.clone(), at).is_ok(), "{what}");
            assert_eq!(session.pause(at), Duration::ZERO, "{what}");
        }
    }
}

#[test]
fn requests_for_history_wait_if_they_come_too_fast() {
    let channel = channel();
    let cases = [
        Frame::Pull {
            channel,
            tips: vec![],
        },
        Frame::More { channel, from: 1 },
        Frame::Fetch {
            channel,
            ids: vec![channel],
        },
    ];
    for frame in cases {
        let (mut session, start) = open();
        let (mut at, mut waits) = (start, 0);
        for _ in 0..1_000 {
            assert!(session.receive(frame.clone(), at).is_ok(), "{frame:?}");
            let pause = session.pause(at);
            at += pause;
            waits += u32::from(!pause.is_zero());
        }
        assert_eq!(waits, 600, "{frame:?}");
        // 400 at once, then 100 in each second.
        let took = (at - start).as_secs_f64();
        assert!((5.99..6.01).contains(&took), "{took}");
    }
}
