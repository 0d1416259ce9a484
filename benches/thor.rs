//! The cost of generating load: `thor` beside wrk, over the same connections to the floor server.

use std::process::Command;

use crate::load::{self, Ask, Reuse};
use crate::server::{Kind, Server, program};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting, process};

/// CPU time of the client for each request, user and system.
pub(crate) fn thor(setting: &Setting) -> Result<Vec<Row>, Error> {
    let row = |what, reuse| -> Result<Row, Error> {
        Ok(Row {
            what,
            unit: "us of the client's CPU per request",
            figures: measure(setting, reuse)?,
            targets: vec![Target::MostOf(1.5, "wrk")],
        })
    };
    Ok(vec![
        row("load, 64 connections", Reuse::KeepAlive)?,
        row("load, 64 connections, 16 pipelined", Reuse::Pipelined)?,
    ])
}

fn measure(setting: &Setting, reuse: Reuse) -> Result<Vec<Figure>, Error> {
    let server = Server::start(Kind::Floor { close: false }, &setting.data)?;
    let mut figures = vec![Figure::new("Kamea"), Figure::new("wrk")];
    for _ in 0..setting.rounds {
        let by_wrk = || {
            let load = load::run(&server, &Ask::SMALL, reuse, setting.seconds)?;
            Ok(load.requests)
        };
        let by_thor = || by_thor(&server, reuse, setting.seconds);
        figures[0].rounds.push(cpu_per_request(by_thor)?);
        figures[1].rounds.push(cpu_per_request(by_wrk)?);
    }
    Ok(figures)
}

/// The CPU time of this process and its children for each request that one of them makes.
fn cpu_per_request(make: impl FnOnce() -> Result<f64, Error>) -> Result<f64, Error> {
    let before = process::cpu_us(std::process::id())?;
    let requests = make()?;
    Ok((process::cpu_us(std::process::id())? - before) / requests)
}

fn by_thor(server: &Server, reuse: Reuse, seconds: u32) -> Result<f64, Error> {
    let mut command = Command::new(program("thor")?);
    command.args(["-q", "-c", &Ask::SMALL.connections.to_string()]);
    command.args(["-d", &format!("{seconds}s")]);
    if let Reuse::Pipelined = reuse {
        command.args(["--pipeline", "16"]);
    }
    let url = format!("http://{}{}", server.address, Ask::SMALL.path);
    let output = command.arg(url).output()?;
    if !output.status.success() {
        return Err(format!("thor: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("requests "));
    let figure = row.and_then(|row| row.split_whitespace().next());
    let figure = figure.ok_or("thor did not tell how many requests it made")?;
    Ok(figure.replace(',', "").parse()?)
}
