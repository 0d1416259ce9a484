//! WebSockets of a server under many seeds: clients that fragment, are slow, or vanish, and a
//! server that is stopped meanwhile.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_lite::future::{or, zip};
use kamea::time::sleep;
use kamea::{Simulation, random};
use kamea_components::net::Socket;
use kamea_components::server::{Site, WebServer};
use kamea_components::simulated::{Conditions, Network};
use kamea_components::stream::echo;
use kamea_components::websocket::{
    Assembler, Close, CloseCode, Decoder, Delivery, Encoder, Event, Limits, Message, Role,
    WebSocketOptions,
};

const REQUEST: &[u8] = b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    is_open: bool,
    messages: Vec<Message>,
    close: Option<Close>,
    /// Whether it has left, or its connection was lost.
    has_vanished: bool,
}

/// The messages of a client, each known by its number.
fn draw_messages() -> Vec<Message> {
    let count = random::usize(..12);
    let draw = |number| {
        let text = format!("{number} {}", "x".repeat(random::usize(..3000)));
        match random::chance(0.5) {
            true => Message::text(text),
            false => Message::binary(text.into_bytes()),
        }
    };
    (0..count).map(draw).collect()
}

async fn write(socket: &Socket, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let piece = (1 + random::usize(..bytes.len())).min(bytes.len());
        match socket.write(&bytes[..piece], false).await {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => return false,
        }
        if random::chance(0.2) {
            sleep(random::duration(Duration::from_millis(300))).await;
        }
    }
    true
}

/// Sends the handshake, often with messages at once, the messages, and a close frame.
async fn talk(socket: &Socket, messages: &[Message]) {
    let mut bytes = BytesMut::from(REQUEST);
    let mut encoder = Encoder::new(Role::Client, None);
    for message in messages {
        if random::chance(0.5) && !write(socket, &bytes.split()).await {
            return;
        }
        if let Some(rest) = encoder.message(message, &mut bytes) {
            bytes.extend_from_slice(&rest);
        }
    }
    encoder.close(&Close::new(CloseCode::NORMAL, "bye"), &mut bytes);
    write(socket, &bytes).await;
}

/// Reads until the server closes.
async fn listen(socket: &Socket, seen: &mut Seen) {
    let (mut head, mut buffer) = (Vec::new(), [0; 700]);
    // What the server passes on in pieces comes back in as many frames.
    let limits = Limits {
        fragments: u32::MAX,
        ..Limits::default()
    };
    let mut decoder = Decoder::new(Role::Client, limits, None);
    let mut assembler = Assembler::default();
    loop {
        let count = match socket.read(&mut buffer).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(_) => {
                seen.has_vanished = true;
                return;
            }
        };
        if seen.is_open {
            decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
        } else {
            head.extend_from_slice(&buffer[..count]);
            let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else {
                continue;
            };
            if !head.starts_with(b"HTTP/1.1 101 ") {
                assert!(head.starts_with(b"HTTP/1.1 503 "), "only while it stops");
                continue;
            }
            seen.is_open = true;
            decoder.feed(Bytes::from(head.split_off(end + 4)));
        }
        while let Some(event) = decoder.next().unwrap() {
            match event {
                Event::Data {
                    kind,
                    bytes,
                    is_last,
                } => {
                    assert!(seen.close.is_none(), "a message behind the close frame");
                    let message = assembler.add(kind, bytes, is_last).unwrap();
                    seen.messages.extend(message);
                }
                Event::Close(close) => seen.close = Some(close),
                Event::Ping(_) | Event::Pong(_) => {}
            }
        }
    }
}

type Client = (Vec<Message>, Seen);

fn serve(mut simulation: Simulation, stop: f64) -> Result<(), Box<dyn Error>> {
    let is_lossy = random::chance(0.2);
    let network = Network::new(move || match is_lossy {
        true => Conditions::drawn().and_lost(),
        false => Conditions::drawn(),
    });
    let address = "192.0.2.1:80".parse()?;
    let mut options = WebSocketOptions::default();
    if random::chance(0.3) {
        options.delivery = Delivery::Pieces;
    }
    let server = WebServer::new(Site::new("."));
    let server = server.websocket_with("/echo", options, |_| echo);
    let server = server.over(network.accept(address))?;
    let clients = Arc::new(Mutex::new(Vec::<Client>::new()));
    for _ in 0..1 + random::usize(..3) {
        let (network, clients) = (network.clone(), clients.clone());
        let (messages, vanishes) = (draw_messages(), random::chance(0.2));
        simulation = simulation.beside("client", async move || {
            let mut seen = Seen::default();
            sleep(random::duration(Duration::from_secs(1))).await;
            let Ok(socket) = network.connect(address).await else {
                return;
            };
            drop(network);
            let talk = async {
                zip(talk(&socket, &messages), listen(&socket, &mut seen)).await;
                false
            };
            let vanish = async {
                match vanishes {
                    true => sleep(random::duration(Duration::from_secs(3))).await,
                    false => sleep(Duration::from_secs(2000)).await,
                }
                true
            };
            let vanished = or(talk, vanish).await;
            seen.has_vanished |= vanished;
            assert!(
                vanishes || is_lossy || !vanished,
                "the server does not let go"
            );
            clients.lock().unwrap().push((messages, seen));
        });
    }
    drop(network);
    let is_stopped = random::chance(stop);
    if is_stopped {
        simulation = simulation.stop_after(random::duration(Duration::from_secs(4)));
    }
    let report = simulation.time_out(Duration::from_secs(3600)).run(server)?;
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    for (messages, seen) in clients.lock().unwrap().iter() {
        check(messages, seen, is_stopped, is_lossy);
    }
    Ok(())
}

/// Messages come back whole and in order; all of them, unless the connection was lost or the server
/// was stopped; and then comes a close frame.
fn check(messages: &[Message], seen: &Seen, is_stopped: bool, is_lossy: bool) {
    assert!(seen.messages.len() <= messages.len());
    assert_eq!(seen.messages, messages[..seen.messages.len()]);
    if seen.has_vanished || is_lossy {
        return;
    }
    let code = seen.close.as_ref().map(|close| close.code);
    if is_stopped {
        let expected = [None, Some(CloseCode::NORMAL), Some(CloseCode::GOING_AWAY)];
        assert!(expected.contains(&code), "{seen:?}");
        assert!(!seen.is_open || code.is_some(), "{seen:?}");
    } else {
        assert_eq!(seen.messages, messages);
        assert_eq!(code, Some(CloseCode::NORMAL));
    }
}

/// How many seeds: 2,000 in each run of the tests, 10,000 by `make websockets`.
fn seeds() -> u64 {
    std::env::var("KAMEA_WEBSOCKETS").map_or(2_000, |count| count.parse().unwrap())
}

#[test]
fn messages_come_back_in_order_and_then_a_close_frame() {
    Simulation::seeds(0..seeds()).check(|simulation| serve(simulation, 0.1));
}

#[test]
fn a_stop_says_goodbye_to_every_websocket() {
    Simulation::seeds(0..seeds() / 4).check(|simulation| serve(simulation, 1.0));
}
