//! The WebSocket servers of the rows, each on one thread: `websocket-peer kamea`, `fastwebsockets`
//! or `tungstenite`. `/echo` sends each message back, and `/chat` sends it to all clients.
//!
//! It listens on a free port of 127.0.0.1 and prints it. The two peers get their connections behind
//! the handshake, which is done here.

mod fast;
mod handshake;
mod kamea;
mod tungstenite;

type Error = Box<dyn std::error::Error>;

/// The largest message, in bytes.
const LARGEST: usize = 16 << 20;

/// How many messages of the chat may wait for a client of a peer.
const WAITING: usize = 64;

fn main() -> Result<(), Error> {
    match std::env::args().nth(1).as_deref() {
        Some("kamea") => kamea::serve(),
        Some("fastwebsockets") => fast::serve(),
        Some("tungstenite") => tungstenite::serve(),
        _ => Err("usage: websocket-peer kamea|fastwebsockets|tungstenite".into()),
    }
}
