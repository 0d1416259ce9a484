use std::slice::from_ref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::{or, zip};
use kamea::time::sleep;
use kamea::{Graph, Pipe, Simulation, testing::block_on};

use super::*;
use crate::websocket::{
    Close, CloseCode, Decoder, Deflate, DeflateOptions, Encoder, Event, Limits, Role,
    WebSocketOptions, upgraded_websocket,
};

/// The largest piece, in bytes.
const LARGEST: usize = 64 << 10;

#[test]
fn any_cut_of_a_text_gives_whole_characters_and_the_same_text() {
    let text = "a\u{7ff}\u{e9}€ü\u{10ffff}z😀";
    for size in 1..=text.len() {
        let mut gatherer = Gatherer::new(Delivery::Pieces);
        let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
        let (mut joined, mut ends) = (String::new(), Vec::new());
        for (number, chunk) in chunks.iter().enumerate() {
            let is_last = number + 1 == chunks.len();
            let chunk = Bytes::copy_from_slice(chunk);
            if let Some(piece) = gatherer.add(Kind::Text, chunk, is_last).unwrap() {
                assert!(piece.is_last() || !piece.payload().is_empty(), "{size}");
                joined.push_str(piece.as_text().unwrap());
                ends.push(piece.is_last());
            }
        }
        assert_eq!(joined, text, "{size}");
        assert_eq!(ends.pop(), Some(true), "{size}");
        assert!(!ends.contains(&true), "{size}");
    }
}

#[test]
fn the_last_piece_of_a_message_may_be_empty() {
    let mut gatherer = Gatherer::new(Delivery::Pieces);
    let mut add = |bytes: &'static [u8], is_last| {
        gatherer.add(Kind::Binary, Bytes::from_static(bytes), is_last)
    };
    assert_eq!(add(b"", false), Ok(None));
    let piece = Message::binary(vec![0xe2, 0x82]).unfinished();
    assert_eq!(add(b"\xe2\x82", false), Ok(Some(piece)));
    assert_eq!(add(b"", true), Ok(Some(Message::binary(Vec::new()))));
}

fn pieces(message: u64) -> WebSocketOptions {
    let limits = Limits {
        frame: u64::MAX,
        message,
        fragments: u32::MAX,
        ..Limits::default()
    };
    WebSocketOptions {
        delivery: Delivery::Pieces,
        limits,
        ..WebSocketOptions::default()
    }
}

/// The pieces that an echo gets of these bytes of a client, and what it answers.
fn echo(
    options: &WebSocketOptions,
    deflate: Option<Deflate>,
    chunks: Vec<Bytes>,
) -> (Vec<Message>, Vec<Event>) {
    let (seen, mut events) = (Arc::new(Mutex::new(Vec::new())), Vec::new());
    let recorded = seen.clone();
    let part = kamea::map(move |piece: Message| {
        recorded.lock().unwrap().push(piece.clone());
        piece
    });
    let mut graph = Graph::new("echoing");
    let echo = graph.add("echo", upgraded_websocket(options, deflate, part));
    let (bytes, mut answers) = (graph.feed(echo.inbox), graph.take(echo.outbox));
    let feed = async move {
        for chunk in chunks {
            if bytes.send(chunk).await.is_err() {
                return;
            }
        }
    };
    let answered = async {
        let mut decoder = Decoder::new(Role::Client, options.limits, deflate);
        while let Some(bytes) = answers.next().await {
            decoder.feed(bytes);
            while let Some(event) = decoder.next().unwrap() {
                events.push(event);
            }
        }
    };
    block_on(async {
        let flow = graph.start().unwrap();
        zip(flow, zip(feed, answered)).await.0.unwrap();
    });
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (seen, events)
}

/// The frames of a client, in chunks.
fn sent(
    messages: &[Message],
    deflate: Option<Deflate>,
    close: CloseCode,
    size: usize,
) -> Vec<Bytes> {
    let deflate = deflate.map(|agreed| (agreed, DeflateOptions::default()));
    let (mut encoder, mut bytes) = (Encoder::new(Role::Client, deflate), BytesMut::new());
    for message in messages {
        assert_eq!(encoder.message(message, &mut bytes), None);
    }
    encoder.close(&Close::new(close, ""), &mut bytes);
    bytes.chunks(size).map(Bytes::copy_from_slice).collect()
}

fn joined(pieces: &[Message]) -> Vec<u8> {
    let payloads = pieces.iter().map(|piece| &piece.payload()[..]);
    payloads.collect::<Vec<_>>().concat()
}

fn echoed(events: &[Event]) -> Vec<u8> {
    let data = events.iter().filter_map(|event| match event {
        Event::Data { bytes, .. } => Some(&bytes[..]),
        _ => None,
    });
    data.collect::<Vec<_>>().concat()
}

fn closed(events: &[Event]) -> CloseCode {
    match events.last() {
        Some(Event::Close(close)) => close.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_large_message_passes_through_in_small_pieces_compressed_or_not() {
    let binary: Vec<u8> = (0..4 << 20).map(|place| (place % 251) as u8).collect();
    let text = "a sentence with ä, € and 😀; ".repeat(100_000);
    for message in [Message::binary(binary), Message::text(text)] {
        for deflate in [None, Some(Deflate::default())] {
            let chunks = sent(from_ref(&message), deflate, CloseCode::NORMAL, LARGEST);
            let (seen, events) = echo(&pieces(u64::MAX), deflate, chunks);
            let largest = seen.iter().map(|piece| piece.payload().len()).max();
            assert!(largest <= Some(LARGEST + 3), "{largest:?}");
            let (last, others) = seen.split_last().unwrap();
            assert!(last.is_last() && others.iter().all(|piece| !piece.is_last()));
            assert!(seen.iter().all(|piece| piece.kind() == message.kind()));
            assert!(joined(&seen) == *message.payload(), "received");
            assert!(echoed(&events) == *message.payload(), "sent back");
            assert_eq!(closed(&events), CloseCode::NORMAL);
        }
    }
}

#[test]
fn several_messages_stay_apart() {
    let messages = ["one", "", "three", ""].map(Message::text);
    for size in [1, 2, 7, 1000] {
        let chunks = sent(&messages, None, CloseCode::NORMAL, size);
        let (seen, events) = echo(&pieces(100), None, chunks);
        let split = seen.split_inclusive(Message::is_last).map(joined);
        let expected = messages.iter().map(|message| message.payload().to_vec());
        assert!(split.eq(expected), "by {size}: {seen:?}");
        let data = events.iter().filter_map(|event| match event {
            Event::Data { is_last, .. } => Some(is_last),
            _ => None,
        });
        assert_eq!(data.filter(|is_last| **is_last).count(), 4, "by {size}");
    }
}

/// The part can tell: the messages end, and the last piece was not the last one of its message.
#[test]
fn a_message_that_is_broken_off_has_no_last_piece() {
    let limit = 100_000;
    let long = Message::binary(vec![7; 300_000]);
    let deflate = Some(Deflate::default());
    // A frame of 100 bytes of which 50 come; a first fragment, and a close frame; a character that
    // goes wrong; a message over the limit.
    let half: Vec<u8> = [&[0x82, 0x80 | 100, 0, 0, 0, 0][..], &[7; 50]].concat();
    let rows = [
        (None, vec![half.into()], 50, None),
        (
            None,
            vec![Bytes::from_static(
                b"\x01\x83\0\0\0\0abc\x88\x82\0\0\0\0\x03\xe9",
            )],
            3,
            Some(CloseCode::GOING_AWAY),
        ),
        (
            None,
            vec![Bytes::from_static(
                b"\x01\x85\0\0\0\0abc\xe2\x82\x80\x81\0\0\0\0(",
            )],
            3,
            Some(CloseCode::INVALID_DATA),
        ),
        (
            deflate,
            sent(from_ref(&long), deflate, CloseCode::NORMAL, 10_000),
            98_304,
            Some(CloseCode::TOO_BIG),
        ),
    ];
    for (deflate, chunks, received, code) in rows {
        let (seen, events) = echo(&pieces(limit), deflate, chunks);
        assert!(seen.iter().all(|piece| !piece.is_last()), "{code:?}");
        // What had come was answered before the close frame. Without one, nobody hears the answer,
        // so the part may end before it has taken the last piece.
        if let Some(code) = code {
            assert_eq!(joined(&seen).len(), received, "{code:?}");
            assert_eq!(echoed(&events).len(), received, "{code:?}");
            assert_eq!(closed(&events), code);
        }
    }
    // Without compression, the head of the frame says that the message is too large.
    let chunks = sent(&[long], None, CloseCode::NORMAL, 1000);
    let (seen, events) = echo(&pieces(limit), None, chunks);
    assert_eq!((seen, closed(&events)), (vec![], CloseCode::TOO_BIG));
}

/// A part that stops taking pieces holds the peer back, in the middle of a message, and nothing is
/// lost once it goes on.
#[test]
fn a_part_that_waits_holds_the_peer_back() {
    const CHUNK: usize = 16 << 10;
    const COUNT: usize = 300;
    Simulation::seeds(0..10).check(|simulation| {
        let (go_on, mut may_go_on) = kamea::link::<()>(1);
        let (tell, mut told) = kamea::link(1);
        let part = async move |io: &mut Pipe<Message, Message>| {
            may_go_on.next().await;
            let mut length = 0;
            while let Some(piece) = io.inbox.next().await {
                length += piece.payload().len();
                if piece.is_last() {
                    tell.send(length).await?;
                }
            }
            Ok(())
        };
        let mut graph = Graph::new("waiting");
        let options = pieces(u64::MAX);
        let waiting = graph.add("waiting", upgraded_websocket(&options, None, part));
        let (bytes, mut answers) = (graph.feed(waiting.inbox), graph.take(waiting.outbox));
        let peer = async move || {
            let message = Message::binary(vec![7; CHUNK * COUNT]);
            let mut chunks = sent(&[message], None, CloseCode::NORMAL, CHUNK).into_iter();
            let (mut count, mut left) = (0, None);
            for chunk in chunks.by_ref() {
                let send = async { bytes.send(chunk.clone()).await.is_ok() };
                let held = async {
                    sleep(Duration::from_secs(1)).await;
                    false
                };
                if !or(send, held).await {
                    left = Some(chunk);
                    break;
                }
                count += 1;
            }
            // What the links hold: 16 pieces, and what is read ahead.
            assert!(
                left.is_some() && count < 64,
                "{count} chunks are held in memory"
            );
            go_on.send(()).await.unwrap();
            for chunk in left.into_iter().chain(chunks) {
                bytes.send(chunk).await.unwrap();
            }
            assert_eq!(told.next().await, Some(CHUNK * COUNT));
        };
        let reader = async move || while answers.next().await.is_some() {};
        let simulation = simulation.time_out(Duration::from_secs(60));
        simulation
            .beside("peer", peer)
            .beside("reader", reader)
            .run(graph)
    });
}
