//! The rows of CGI: programs that answer requests. They show how many requests per second, the
//! effect on other requests, and the memory.
//!
//! The programs inherit the core of the server that starts them. So servers and programs together
//! have one core, and the load has the other. Requests per second measure the whole use of that
//! core, by server and programs together.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kamea_benches::http::body;

use crate::load::{self, Ask, Reuse};
use crate::requests::UNIT;
use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// All servers that run programs.
const KINDS: [Kind; 4] = [Kind::Kamea, Kind::Apache, Kind::Lighttpd, Kind::Fcgiwrap];

/// Sixteen clients of the small program.
const HELLO: Ask = Ask {
    path: "/cgi-bin/hello",
    field: None,
    body: None,
    script: None,
    connections: 16,
};
const GREETING: &str = "\n\r\nHello, world!\n";

/// The programs, in C, without any library to load.
pub(crate) fn build_programs(data: &Path) -> Result<(), Error> {
    let folder = data.join("cgi-bin");
    fs::create_dir_all(&folder)?;
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cgi"));
    for name in ["hello", "zeros"] {
        let source = sources.join(name).with_extension("c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-static", "-o"]).arg(folder.join(name));
        if !cc.arg(&source).status()?.success() {
            return Err(format!("cc cannot build {}", source.display()).into());
        }
    }
    Ok(())
}

/// As many requests as possible, each answered by a program.
pub(crate) fn hello(setting: &Setting) -> Result<Vec<Row>, Error> {
    let figures = || KINDS.map(|kind| Figure::new(kind.name()));
    let (mut rates, mut costs) = (figures(), figures());
    let start = |kind| Server::start(kind, &setting.data);
    let servers: Vec<_> = KINDS.into_iter().map(start).collect::<Result<_, _>>()?;
    for server in &servers {
        check_greeting(server)?;
        load::run(server, &HELLO, Reuse::KeepAlive, 1)?;
    }
    for _ in 0..setting.rounds {
        for ((server, rate), cost) in servers.iter().zip(&mut rates).zip(&mut costs) {
            let before = server.cpu_us()?;
            let load = load::run(server, &HELLO, Reuse::KeepAlive, setting.seconds)?;
            rate.rounds.push(load.per_second);
            cost.rounds
                .push((server.cpu_us()? - before) / load.requests);
        }
    }
    // Apache and fcgiwrap do not wait for their programs, so the system adds the programs' time to
    // no process.
    let [kamea, _, lighttpd, _] = costs;
    let peers = KINDS.iter().skip(1).map(|kind| kind.name());
    Ok(vec![
        Row {
            what: "CGI, 16 clients of a program in C",
            unit: "requests per second",
            figures: rates.into(),
            targets: peers.map(|peer| Target::LeastOf(1.2, peer)).collect(),
        },
        Row {
            what: "CGI, server and programs together",
            unit: UNIT,
            figures: vec![kamea, lighttpd],
            targets: vec![Target::MostOf(0.83, "lighttpd")],
        },
    ])
}

fn check_greeting(server: &Server) -> Result<(), Error> {
    let mut stream = server.connect()?;
    let request = format!("GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n", HELLO.path);
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.ends_with(GREETING) {
        return Ok(());
    }
    Err(format!("{}: not the greeting: {answer}", server.kind.name()).into())
}

/// How long a client rests between its requests.
const REST: Duration = Duration::from_millis(1);
/// How long the sixteen clients run before the measurement begins.
const RISING: Duration = Duration::from_millis(500);

/// How long a client that requests the small file now and then has to wait, while sixteen others
/// make the server run programs as fast as possible.
///
/// The programs share the server's core, as they share all cores of any machine once there are
/// enough of them. So the row measures how long a server waits for that core because of its own
/// programs. The client rests between its requests: without a rest, it would rarely send a request
/// in the bad moments.
pub(crate) fn storm(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut idle = ["idle", "idle"].map(Figure::new);
    let figures = || KINDS.map(|kind| Figure::new(kind.name()));
    let mut stormy = [figures(), figures()];
    for _ in 0..setting.rounds {
        for (index, kind) in KINDS.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            let calm = latencies(&server, setting.seconds)?;
            if kind == Kind::Kamea {
                for (figure, latency) in idle.iter_mut().zip(calm) {
                    figure.rounds.push(latency);
                }
            }
            let in_storm = thread::scope(|scope| {
                let storm = scope.spawn(|| {
                    let load = load::run(&server, &HELLO, Reuse::KeepAlive, setting.seconds + 1);
                    load.map_err(|error| error.to_string())
                });
                thread::sleep(RISING);
                let latencies = latencies(&server, setting.seconds);
                storm.join().map_err(|_| "the storm broke off")??;
                latencies
            })?;
            for (figures, latency) in stormy.iter_mut().zip(in_storm) {
                figures[index].rounds.push(latency);
            }
        }
    }
    let names = [
        "1 KiB file during a CGI storm, median",
        "1 KiB file during a CGI storm, 99 of 100",
    ];
    let rows = names.into_iter().zip(stormy).zip(idle);
    let row = |((what, figures), idle)| {
        let mut figures = Vec::from(figures);
        figures.insert(1, idle);
        Row {
            what,
            unit: "us of latency",
            figures,
            targets: vec![Target::MostOf(1.5, "idle")],
        }
    };
    Ok(rows.map(row).collect())
}

/// The median and the 99th percentile of one client's waiting time, in microseconds.
fn latencies(server: &Server, seconds: u32) -> Result<[f64; 2], Error> {
    let (mut stream, body) = (server.connect()?, body());
    let (mut latencies, mut buffer) = (Vec::new(), [0; 4096]);
    let until = Instant::now() + Duration::from_secs(seconds.into());
    while Instant::now() < until {
        let asked = Instant::now();
        stream.write_all(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut filled = 0;
        while !buffer[..filled].ends_with(&body) {
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(format!("{} closed a connection", server.kind.name()).into()),
                count => filled += count,
            }
        }
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
        thread::sleep(REST);
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied();
    match (at(50), at(99)) {
        (Some(median), Some(most)) => Ok([median, most]),
        _ => Err("no request was answered".into()),
    }
}

/// The size of the large answer in bytes: the program's constant.
const LARGE_LEN: usize = 1 << 30;
/// How many bytes at its end report the program's memory.
const LAST_LEN: usize = 32;
const GIB: f64 = (1_u64 << 30) as f64;
const MIB: f64 = (1_u64 << 20) as f64;
const KIB: f64 = 1024.0;

/// A program writes 1 GiB to one client, which reads as fast as it can.
pub(crate) fn large(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::Kamea, Kind::Apache, Kind::Fcgiwrap];
    let figures = || kinds.map(|kind| Figure::new(kind.name()));
    let (mut throughput, mut growth, mut program) = (figures(), figures(), figures());
    for _ in 0..setting.rounds {
        for (index, kind) in kinds.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            let before = server.resident()?;
            let (seconds, resident) = download(&server)?;
            throughput[index]
                .rounds
                .push(LARGE_LEN as f64 / GIB / seconds);
            let grown = server.peak_resident()? - before;
            growth[index].rounds.push(grown / MIB);
            program[index].rounds.push(resident / MIB);
        }
    }
    Ok(vec![
        Row {
            what: "1 GiB of a program, one client",
            unit: "GiB/s",
            figures: throughput.into(),
            targets: vec![
                Target::LeastOf(1.0, "Apache"),
                Target::LeastOf(1.0, "nginx+fcgiwrap"),
            ],
        },
        Row {
            what: "1 GiB of a program, growth of the server's resident memory",
            unit: "MiB",
            figures: growth.into(),
            targets: vec![Target::Most(4.0)],
        },
        Row {
            what: "1 GiB of a program, the program's resident memory",
            unit: "MiB",
            figures: program.into(),
            targets: vec![Target::Most(4.0)],
        },
    ])
}

/// Returns the duration in seconds, and the peak resident memory of the program in bytes.
fn download(server: &Server) -> Result<(f64, f64), Error> {
    let mut stream = server.connect()?;
    let (mut buffer, mut last, mut received) = (vec![0; 1 << 20], Vec::new(), 0);
    let start = Instant::now();
    stream.write_all(b"GET /cgi-bin/zeros HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        received += count;
        last.extend_from_slice(&buffer[count.saturating_sub(LAST_LEN)..count]);
        last.drain(..last.len().saturating_sub(LAST_LEN));
    }
    let seconds = start.elapsed().as_secs_f64();
    // The document and a head with a size limit.
    if !(LARGE_LEN..LARGE_LEN + 4096).contains(&received) {
        return Err(format!("{}: {received} bytes of 1 GiB", server.kind.name()).into());
    }
    let kilobytes: f64 = str::from_utf8(&last)?.trim().parse()?;
    Ok((seconds, kilobytes * KIB))
}
