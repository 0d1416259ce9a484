//! Hostile connections: what comes before anybody is known, and what is done to records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kamea::time::{now, sleep};
use kamea::{Graph, Receiver, Sender, Simulation, link};

use crate::link::{Handshake, LinkError, Records, Role, Speaker, ToLink, Transport, peer_link};
use crate::{Closing, Frame, Identity, Input, simulated_random, system_random};

fn shake() -> (Transport, Transport) {
    let (ada, bob) = (
        Identity::from_secret([1; 32]),
        Identity::from_secret([2; 32]),
    );
    let mut one = Handshake::new(Role::Initiator, &ada, system_random).unwrap();
    let mut two = Handshake::new(Role::Responder, &bob, system_random).unwrap();
    two.receive(&one.send().unwrap().unwrap()).unwrap();
    one.receive(&two.send().unwrap().unwrap()).unwrap();
    two.receive(&one.send().unwrap().unwrap()).unwrap();
    (one.finish().unwrap().1, two.finish().unwrap().1)
}

#[test]
fn records_that_were_changed_repeated_left_out_or_swapped_are_refused() {
    type Attack = fn(&[Bytes; 2]) -> Vec<Bytes>;
    let attacks: [(&str, Attack); 6] = [
        ("changed", |records| {
            let mut changed = records[0].to_vec();
            changed[3] ^= 1;
            vec![changed.into()]
        }),
        ("repeated", |records| {
            vec![records[0].clone(), records[0].clone()]
        }),
        ("left out", |records| vec![records[1].clone()]),
        ("swapped", |records| {
            vec![records[1].clone(), records[0].clone()]
        }),
        ("cut", |records| {
            vec![records[0].slice(..records[0].len() - 1)]
        }),
        ("empty", |_| vec![Bytes::new()]),
    ];
    for (what, attack) in attacks {
        let (mut one, mut two) = shake();
        let records = [one.seal(b"first").unwrap(), one.seal(b"second").unwrap()];
        let opened: Result<Vec<_>, _> = attack(&records)
            .iter()
            .map(|record| two.open(record))
            .collect();
        assert_eq!(opened, Err(LinkError::Decryption), "{what}");
    }
    // A record of another link, or sent back to its author.
    let (mut one, _) = shake();
    let (_, mut other) = shake();
    let record = one.seal(b"first").unwrap();
    assert!(other.open(&record).is_err());
    assert!(one.open(&record).is_err());
}

#[test]
fn every_change_of_the_handshake_ends_it() {
    let (ada, bob) = (
        Identity::from_secret([1; 32]),
        Identity::from_secret([2; 32]),
    );
    for step in 0..3 {
        for place in [0, 10, 31, 32, 50, 80, 100, 150] {
            let mut one = Handshake::new(Role::Initiator, &ada, system_random).unwrap();
            let mut two = Handshake::new(Role::Responder, &bob, system_random).unwrap();
            let mut failed = false;
            for turn in 0..3 {
                let (from, to) = match turn {
                    1 => (&mut two, &mut one),
                    _ => (&mut one, &mut two),
                };
                let mut message = from.send().unwrap().unwrap().to_vec();
                if turn == step && place < message.len() {
                    message[place] ^= 1;
                } else if turn == step {
                    message.truncate(message.len() / 2);
                }
                failed = to.receive(&message).is_err();
                if failed {
                    break;
                }
            }
            assert!(failed, "step {step}, byte {place}");
        }
    }
}

/// What a link does with the bytes of a stranger: what it sends back, what the node hears, and how
/// long it takes.
#[derive(Debug, Default)]
struct Seen {
    back: Vec<Bytes>,
    inputs: Vec<String>,
    took: Duration,
}

/// Runs one link against a stranger.
fn meet(stranger: impl AsyncFnOnce(Sender<Bytes>, &mut Receiver<Bytes>) + Send + 'static) -> Seen {
    meet_with(stranger, async |_| {})
}

/// Runs one link against a stranger, with what the node does as soon as it is open.
fn meet_with(
    stranger: impl AsyncFnOnce(Sender<Bytes>, &mut Receiver<Bytes>) + Send + 'static,
    mut welcome: impl AsyncFnMut(ToLink) + Send + 'static,
) -> Seen {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (node, mut inputs) = link(64);
    let speaker = Speaker {
        name: "bob".parse().unwrap(),
        node,
    };
    let bob = Identity::from_secret([2; 32]);
    let mut graph = Graph::new("meeting");
    let part = peer_link(Role::Responder, bob, simulated_random, speaker);
    let part = graph.add("link", part);
    let (to, mut from) = (graph.feed(part.inbox), graph.take(part.outbox));
    let (of_stranger, of_node) = (seen.clone(), seen.clone());
    let report = Simulation::seed(1)
        .beside("stranger", async move || {
            let start = now();
            stranger(to, &mut from).await;
            while let Some(bytes) = from.next().await {
                of_stranger.lock().unwrap().back.push(bytes);
            }
            of_stranger.lock().unwrap().took = now() - start;
        })
        .beside("node", async move || {
            // The node keeps its links, or they would end.
            let mut kept = Vec::new();
            while let Some(input) = inputs.next().await {
                let name = match &input {
                    Input::Up(up) => format!("up {}", up.name),
                    Input::Down { offence, .. } => format!("down {offence:?}"),
                    other => format!("{other:?}"),
                };
                of_node.lock().unwrap().inputs.push(name);
                if let Input::Up(up) = &input {
                    welcome(up.to.clone()).await;
                }
                kept.push(input);
            }
        })
        .run(graph)
        .unwrap();
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    Arc::into_inner(seen).unwrap().into_inner().unwrap()
}

#[test]
fn strangers_who_do_not_speak_the_protocol_reach_no_node() {
    let cases: [(&str, &[u8]); 6] = [
        ("a browser", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a record that is too long", b"\xff\xff"),
        ("an empty record", b"\0\0"),
        ("a short key", b"\0\x05short"),
        (
            "a payload in the first message",
            &[&[0, 33][..], &[9; 33]].concat(),
        ),
        ("noise", &[0x01; 300]),
    ];
    for (what, bytes) in cases {
        let bytes = Bytes::copy_from_slice(bytes);
        let seen = meet(async move |to: Sender<Bytes>, _: &mut Receiver<Bytes>| {
            to.send(bytes).await.unwrap();
            // It waits until the link has given up.
            to.closed().await;
        });
        assert_eq!(seen.inputs, [""; 0], "{what}");
        assert!(
            seen.took <= Duration::from_secs(11),
            "{what}: {:?}",
            seen.took
        );
    }
    let silent = meet(async |to: Sender<Bytes>, _: &mut Receiver<Bytes>| to.closed().await);
    assert!(silent.inputs.is_empty() && silent.took <= Duration::from_secs(11));
}

/// A stranger that does the handshake properly, and then sends these frames.
fn eve(frames: Vec<Bytes>, stays: bool) -> Seen {
    let then = if stays { Then::Stays } else { Then::Leaves };
    eve_with(frames, then, async |_| {})
}

/// What a stranger does at last.
#[derive(Clone, Copy)]
enum Then {
    Leaves,
    Stays,
    /// It stays, and sends a byte of an unfinished record now and then.
    Drips,
}

/// As [`eve`], with what the node does as soon as the link is open.
fn eve_with(
    frames: Vec<Bytes>,
    then: Then,
    welcome: impl AsyncFnMut(ToLink) + Send + 'static,
) -> Seen {
    let stranger = async move |to: Sender<Bytes>, from: &mut Receiver<Bytes>| {
        let eve = Identity::from_secret([3; 32]);
        let mut handshake = Handshake::new(Role::Initiator, &eve, simulated_random).unwrap();
        let mut records = Records::default();
        while !handshake.is_finished() {
            if let Some(message) = handshake.send().unwrap() {
                to.send(Records::write(&message)).await.unwrap();
            }
            while !handshake.is_finished() {
                match records.next(1000).unwrap() {
                    Some(record) => {
                        handshake.receive(&record).unwrap();
                        break;
                    }
                    None => records.feed(&from.next().await.unwrap()),
                }
            }
        }
        let (_, mut transport) = handshake.finish().unwrap();
        for frame in frames {
            let record = transport.seal(&frame).unwrap();
            if to.send(Records::write(&record)).await.is_err() {
                return;
            }
        }
        match then {
            Then::Stays => to.closed().await,
            Then::Leaves => sleep(Duration::from_secs(1)).await,
            Then::Drips => {
                while to.send(Bytes::from_static(b"\x01")).await.is_ok() {
                    sleep(Duration::from_millis(900)).await;
                }
            }
        }
    };
    meet_with(stranger, welcome)
}

fn hello() -> Bytes {
    Frame::Hello {
        version: 1,
        name: "eve".into(),
    }
    .encode()
}

#[test]
fn peers_that_break_the_protocol_are_reported_and_left() {
    let forged = Frame::Publish(Bytes::from_static(b"not signed by anybody")).encode();
    let channel = crate::MessageId([3; 32]);
    let next = None;
    let messages = vec![Bytes::from_static(b"x"); 50];
    let forged_batch = Frame::Batch {
        channel,
        messages,
        next,
    }
    .encode();
    let cases = [
        (
            "garbage in a frame",
            vec![hello(), Bytes::from_static(b"\x63")],
            Closing::Malformed,
        ),
        (
            "an empty frame",
            vec![hello(), Bytes::new()],
            Closing::Malformed,
        ),
        (
            "a forged message",
            vec![hello(), forged],
            Closing::Malformed,
        ),
        (
            "a batch of forged messages",
            vec![hello(), forged_batch],
            Closing::Malformed,
        ),
        ("two hellos", vec![hello(), hello()], Closing::Unexpected),
        (
            "a flood of pings",
            [vec![hello()], vec![Frame::Ping(1).encode(); 4_100]].concat(),
            Closing::Flood,
        ),
    ];
    for (what, frames, closing) in cases {
        let seen = eve(frames, true);
        let expected = ["up eve".to_owned(), format!("down {:?}", Some(closing))];
        let ends: Vec<_> = seen
            .inputs
            .iter()
            .filter(|input| !input.contains("Rtt"))
            .collect();
        assert_eq!(ends, expected.iter().collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn peers_that_fall_silent_are_left_without_a_reproach() {
    let silent_from_the_start = eve(vec![], true);
    assert!(silent_from_the_start.inputs.is_empty());
    assert!(silent_from_the_start.took <= Duration::from_secs(12));
    let seen = eve(vec![hello()], true);
    assert_eq!(seen.inputs, ["up eve", "down None"]);
    assert!(seen.took <= Duration::from_secs(17), "{:?}", seen.took);
}

/// A peer that catches up asks as fast as it gets answers.
#[test]
fn requests_that_come_too_fast_wait_and_are_no_offence() {
    let channel = crate::MessageId([3; 32]);
    let more = Frame::More { channel, from: 1 }.encode();
    let seen = eve([vec![hello()], vec![more; 1_000]].concat(), true);
    let count = |what: &str| {
        let found = seen.inputs.iter().filter(|input| input.starts_with(what));
        found.count()
    };
    assert_eq!(count("Frame"), 1_000);
    assert_eq!(count("down None"), 1, "{:?}", seen.inputs.last());
    // 400 at once, and 100 in each second; then it is silent for 15 s.
    let took = seen.took.as_secs_f64();
    assert!((20.0..24.0).contains(&took), "{took}");
}

#[test]
fn a_link_to_a_peer_that_does_not_read_is_closed_at_once() {
    for then in [Then::Stays, Then::Drips] {
        let seen = eve_with(vec![hello()], then, async |to| {
            // Until nothing moves any more.
            while to.send(Frame::Ping(1)) {
                sleep(Duration::from_millis(1)).await;
            }
            to.close(Closing::Duplicate);
        });
        assert_eq!(seen.inputs.last().unwrap(), "down None");
        assert!(seen.took <= Duration::from_secs(4), "{:?}", seen.took);
    }
}
