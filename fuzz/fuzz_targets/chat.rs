//! Whatever a peer of the chat sends, and however it is cut: records are the same, a frame has one form, and
//! nothing panics.

#![no_main]

use kamea_chat::{Frame, Handshake, Identity, Message, Records, Role};
use libfuzzer_sys::fuzz_target;

/// The records up to the end, or up to one that is too long.
fn records<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<bytes::Bytes>, bool) {
    let (mut records, mut found) = (Records::default(), Vec::new());
    for piece in pieces {
        records.feed(piece);
        loop {
            match records.next(20_000) {
                Ok(Some(record)) => found.push(record),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

fn zeros(bytes: &mut [u8]) {
    bytes.fill(7);
}

fuzz_target!(|data: &[u8]| {
    let (found, is_wrong) = records([data].into_iter());
    assert_eq!(records(data.chunks(1)), (found.clone(), is_wrong), "by one byte");
    for bytes in found.iter().map(|record| &record[..]).chain([data]) {
        if let Ok(frame) = Frame::decode(bytes) {
            assert_eq!(frame.encode(), bytes);
            let _ = frame.verify();
        }
        let _ = Message::decode(bytes::Bytes::copy_from_slice(bytes));
    }
    let identity = Identity::from_secret([1; 32]);
    for role in [Role::Initiator, Role::Responder] {
        let mut handshake = Handshake::new(role, &identity, zeros).expect("a new handshake");
        let _ = handshake.send();
        let _ = handshake.receive(data);
        assert!(!handshake.is_finished());
    }
});
