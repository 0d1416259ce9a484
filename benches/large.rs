//! The rows of the large file: 1 GiB to one client, with throughput and memory.

use std::io::{Read, Write};
use std::time::Instant;

use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// The size of the large file in bytes.
pub(crate) const LARGE_LEN: u64 = 1 << 30;
pub(crate) const GIB: f64 = (1_u64 << 30) as f64;
const MIB: f64 = (1_u64 << 20) as f64;
const BUFFER_LEN: usize = 1 << 20;

/// The whole file, again and again, to one client.
pub(crate) fn large_file(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::Kamea, Kind::Nginx];
    let figures = || {
        kinds
            .iter()
            .map(|kind| Figure::new(kind.name()))
            .collect::<Vec<_>>()
    };
    let (mut throughput, mut growth) = (figures(), figures());
    for round in 0..=setting.rounds {
        for (index, kind) in kinds.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            let before = server.resident()?;
            let seconds = download(&server)?;
            // The first round only brings the file into the page cache.
            if round > 0 {
                throughput[index]
                    .rounds
                    .push(LARGE_LEN as f64 / GIB / seconds);
                growth[index]
                    .rounds
                    .push((server.peak_resident()? - before) / MIB);
            }
        }
    }
    Ok(vec![
        Row {
            what: "1 GiB file, one client",
            unit: "GiB/s",
            figures: throughput,
            targets: vec![Target::LeastOf(1.0, "nginx")],
        },
        Row {
            what: "1 GiB file, growth of resident memory",
            unit: "MiB",
            figures: growth,
            targets: vec![Target::Most(4.0)],
        },
    ])
}

/// The size of each range in bytes.
const RANGE_LEN: u64 = 16 << 20;

/// The same file, range by range, on one connection.
pub(crate) fn ranges(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::Kamea, Kind::Nginx];
    let mut figures = kinds.map(|kind| Figure::new(kind.name()));
    for round in 0..=setting.rounds {
        for (figure, kind) in figures.iter_mut().zip(kinds) {
            let seconds = download_ranges(&Server::start(kind, &setting.data)?)?;
            if round > 0 {
                figure.rounds.push(LARGE_LEN as f64 / GIB / seconds);
            }
        }
    }
    Ok(vec![Row {
        what: "1 GiB file in ranges of 16 MiB, one client",
        unit: "GiB/s",
        figures: figures.into(),
        targets: vec![Target::LeastOf(1.0, "nginx")],
    }])
}

/// Returns the seconds from the first request to the last byte.
fn download_ranges(server: &Server) -> Result<f64, Error> {
    let mut stream = server.connect()?;
    let mut buffer = vec![0; BUFFER_LEN];
    let start = Instant::now();
    for first in (0..LARGE_LEN).step_by(RANGE_LEN as usize) {
        let last = first + RANGE_LEN - 1;
        let request =
            format!("GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes={first}-{last}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut received = stream.read(&mut buffer)?;
        let head = buffer[..received]
            .windows(4)
            .position(|end| end == b"\r\n\r\n");
        let head = head.ok_or("the head of a part came in pieces")? + 4;
        if !buffer.starts_with(b"HTTP/1.1 206 ") {
            return Err(format!("{}: not a 206", server.kind.name()).into());
        }
        received -= head;
        let mut left = RANGE_LEN - received as u64;
        while left > 0 {
            match stream.read(&mut buffer)? {
                0 => return Err(format!("{}: a part breaks off", server.kind.name()).into()),
                count => left -= count as u64,
            }
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Returns the seconds from the request to the last byte.
fn download(server: &Server) -> Result<f64, Error> {
    let mut stream = server.connect()?;
    let mut buffer = vec![0; BUFFER_LEN];
    let request = "GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let start = Instant::now();
    stream.write_all(request.as_bytes())?;
    let mut received: u64 = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            count => received += count as u64,
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    // The file and a head with a size limit.
    if !(LARGE_LEN..LARGE_LEN + 4096).contains(&received) {
        return Err(format!("{}: {received} bytes of 1 GiB", server.kind.name()).into());
    }
    Ok(seconds)
}
