//! The row of a message to 1,000 clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::{Fastwebsockets, Kamea, Node, Python, Tungstenite, start};
use crate::server::Server;
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// The clients of the chat.
const CLIENTS: usize = 1000;

/// CPU of the server for each delivery of a message of 20 bytes to 1,000 clients.
pub(crate) fn broadcast(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders = [Kamea, Fastwebsockets, Tungstenite, Node, Python];
    let mut figures = contenders.map(|which| Figure::new(which.name()));
    for (which, figure) in contenders.into_iter().zip(&mut figures) {
        let server = start(which, setting)?;
        let mut room = Room::enter(&server)?;
        room.run(Duration::from_secs(1))?;
        for _ in 0..setting.rounds {
            let before = server.cpu_us()?;
            let deliveries = room.run(Duration::from_secs(setting.seconds.into()))?;
            figure.rounds.push((server.cpu_us()? - before) / deliveries);
        }
    }
    Ok(vec![Row {
        what: "20 B to 1,000 WebSockets",
        unit: "us of CPU per delivery",
        figures: figures.into(),
        targets: vec![Target::MostOfLeast(1.0)],
    }])
}

/// A message of 20 bytes. The mask is 0, which leaves the payload as it is.
const SAID: &[u8] = b"\x81\x94\0\0\0\0a message of 20 byte";

/// Its frame from the server.
const HEARD: &[u8; 22] = b"\x81\x14a message of 20 byte";

/// The clients of a chat.
struct Room(Vec<TcpStream>);

impl Room {
    fn enter(server: &Server) -> Result<Self, Error> {
        let clients = (0..CLIENTS).map(|_| server.open_websocket("/chat"));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        // A client hears what is said once it has subscribed, and no answer tells when that is.
        thread::sleep(Duration::from_millis(500));
        Ok(Self(clients))
    }

    /// Says one message after another, each once all clients have heard the one before. Returns how
    /// many were heard.
    fn run(&mut self, lasts: Duration) -> Result<f64, Error> {
        let (until, mut heard) = (Instant::now() + lasts, 0.0);
        while Instant::now() < until {
            self.0[0].write_all(SAID)?;
            for client in &mut self.0 {
                let mut frame = [0; HEARD.len()];
                client.read_exact(&mut frame)?;
                if &frame != HEARD {
                    return Err("a client of the chat heard something else".into());
                }
                heard += 1.0;
            }
        }
        Ok(heard)
    }
}
