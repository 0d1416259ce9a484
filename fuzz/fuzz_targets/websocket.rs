//! Whatever a client sends, and however it is cut, the decoder of WebSockets says the same, with compression and
//! without; and without, it reads the same messages as tungstenite.

#![no_main]

use std::io::{self, Cursor, Read, Write};

use kamea_components::websocket::{Assembler, Decoder, Deflate, Event, Limits, Message, Role};
use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};

/// Reads the bytes of a client; answers go nowhere.
struct Stream<'a>(Cursor<&'a [u8]>);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The messages up to the end, a close frame or a violation, and whether there was one of the latter.
fn ours<'a>(pieces: impl Iterator<Item = &'a [u8]>, deflate: Option<Deflate>) -> (Vec<Message>, bool) {
    let limits = Limits { fragments: u32::MAX, ..Limits::default() };
    let (mut decoder, mut assembler) = (Decoder::new(Role::Server, limits, deflate), Assembler::default());
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(bytes::Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(Event::Data { kind, bytes, is_last })) => match assembler.add(kind, bytes, is_last) {
                    Ok(message) => messages.extend(message),
                    Err(_) => return (messages, true),
                },
                Ok(Some(Event::Close(_))) => return (messages, false),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

fn theirs(data: &[u8]) -> Vec<Message> {
    let config = WebSocketConfig::default().max_message_size(Some(1 << 20)).max_frame_size(Some(16 << 20));
    let mut socket = WebSocket::from_raw_socket(Stream(Cursor::new(data)), TheirRole::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => messages.push(Message::text(text.as_str().to_owned())),
            Ok(tungstenite::Message::Binary(bytes)) => messages.push(Message::binary(bytes)),
            Ok(tungstenite::Message::Close(_)) | Err(_) => return messages,
            Ok(_) => {}
        }
    }
}

/// The verdict on all bytes at once, which every cut must give.
fn any_cut(data: &[u8], deflate: Option<Deflate>) -> (Vec<Message>, bool) {
    let whole = ours([data].into_iter(), deflate);
    assert_eq!(ours(data.chunks(1), deflate), whole, "by one byte");
    assert_eq!(ours(data.chunks(data.len() / 3 + 1), deflate), whole, "in thirds");
    whole
}

fuzz_target!(|data: &[u8]| {
    any_cut(data, Some(Deflate::default()));
    let (messages, is_violation) = any_cut(data, None);
    let theirs = theirs(data);
    // We notice some violations earlier: within a frame, and in close codes. Until then both read the same.
    let common = messages.len().min(theirs.len());
    assert_eq!(messages[..common], theirs[..common]);
    if !is_violation {
        assert_eq!(messages, theirs);
    }
});
