//! The rows of idle connections: the memory of 9,000 of them, and how much they slow 64 busy ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use kamea_benches::http::body;

use crate::load::{self, Ask, Reuse};
use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

pub(crate) const CONNECTIONS: usize = 9_000;
pub(crate) const KIB: f64 = 1024.0;

/// Each round has servers of its own, because resident memory rarely shrinks.
pub(crate) fn idle(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::Kamea, Kind::Nginx];
    let figures = || {
        kinds
            .iter()
            .map(|kind| Figure::new(kind.name()))
            .collect::<Vec<_>>()
    };
    let (mut memory, mut loss) = (figures(), figures());
    for _ in 0..setting.rounds {
        for (index, kind) in kinds.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            load::run(&server, &Ask::SMALL, Reuse::KeepAlive, 1)?;
            let alone = load::run(&server, &Ask::SMALL, Reuse::KeepAlive, setting.seconds)?;
            let before = settled(&server)?;
            let connections = open(&server)?;
            let growth = settled(&server)? - before;
            let beside = load::run(&server, &Ask::SMALL, Reuse::KeepAlive, setting.seconds)?;
            check_open(&connections)?;
            memory[index]
                .rounds
                .push(growth / connections.len() as f64 / KIB);
            let lost = 1.0 - beside.per_second / alone.per_second;
            loss[index].rounds.push(lost * 100.0);
        }
    }
    Ok(vec![
        Row {
            what: "an idle connection, of 9,000",
            unit: "KiB resident",
            figures: memory,
            targets: vec![Target::Most(2.0)],
        },
        Row {
            what: "64 busy connections beside 9,000 idle ones",
            unit: "% of the rate lost",
            figures: loss,
            targets: vec![Target::Most(10.0)],
        },
    ])
}

/// Opens the connections. Each has had one answer, and then stays open.
fn open(server: &Server) -> Result<Vec<TcpStream>, Error> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    let (mut buffer, body) = ([0; 4096], body());
    for _ in 0..CONNECTIONS {
        let mut stream = server.connect()?;
        stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut filled = 0;
        while !buffer[..filled].ends_with(&body) {
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(format!("{} closed a connection", server.kind.name()).into()),
                count => filled += count,
            }
        }
        connections.push(stream);
    }
    Ok(connections)
}

/// Fails if the server closed one of the connections while they were counted as idle.
pub(crate) fn check_open(connections: &[TcpStream]) -> Result<(), Error> {
    for stream in connections {
        stream.set_nonblocking(true)?;
        match stream.peek(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => return Err("an idle connection did not stay open".into()),
        }
    }
    Ok(())
}

/// The resident memory once it no longer changes.
pub(crate) fn settled(server: &Server) -> Result<f64, Error> {
    let mut last = server.resident()?;
    let mut same = 0;
    // Only the passage of time shows that a figure is steady.
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(50));
        let now = server.resident()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 5 {
            break;
        }
    }
    Ok(last)
}
