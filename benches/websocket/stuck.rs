//! The row of clients that never read, beside others that do.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use super::{Kamea, Thor, start};
use crate::server::Server;
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// 8,900 connections with a message a second each.
const OTHERS: &[&str] = &["-c", "8900", "--rate", "8900"];

/// One in a hundred connections is stuck.
const STUCK: usize = 90;

/// The latency of 8,900 connections, alone and beside 90 that send and never read.
pub(crate) fn stuck(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut figures = [Figure::new("Kamea"), Figure::new("none stuck")];
    for _ in 0..setting.rounds {
        let server = start(Kamea, setting)?;
        let alone = Thor::run(&server, OTHERS, &[], setting.seconds)?;
        figures[1].rounds.push(alone.late);
        let never_read = (0..STUCK).map(|_| fill(&server));
        let never_read = never_read.collect::<Result<Vec<_>, Error>>()?;
        let beside = Thor::run(&server, OTHERS, &[], setting.seconds)?;
        figures[0].rounds.push(beside.late);
        drop(never_read);
    }
    Ok(vec![Row {
        what: "8,900 WebSockets with a message a second beside 90 that never read, 99th of 100",
        unit: "ms",
        figures: figures.into(),
        targets: vec![Target::MostOf(1.2, "none stuck")],
    }])
}

/// Opens a connection, and sends messages until the server takes no more, because nobody reads its
/// answers.
fn fill(server: &Server) -> Result<TcpStream, Error> {
    const LENGTH: usize = 16 << 10;
    let mut stream = server.open_websocket("/echo")?;
    let mut frame = vec![0x82, 0xfe];
    frame.extend_from_slice(&(LENGTH as u16).to_be_bytes());
    frame.resize(frame.len() + 4 + LENGTH, 0);
    // The server may be reading still when the buffer of the system is full for a moment.
    stream.set_write_timeout(Some(std::time::Duration::from_millis(500)))?;
    loop {
        match stream.write(&frame) {
            // The rest of a frame that was sent in part will never be sent.
            Ok(count) if count == frame.len() => {}
            Ok(_) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(stream),
            Err(error) => return Err(error.into()),
        }
    }
}
