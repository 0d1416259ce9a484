//! The rows of CPU per request: a file of 1 KiB, requested in three ways.

use crate::load::{self, Ask, Reuse};
use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

pub(crate) const UNIT: &str = "us of CPU per request";

/// One request after another on each connection.
pub(crate) fn keep_alive(setting: &Setting) -> Result<Vec<Row>, Error> {
    let targets = vec![Target::MostOf(1.2, "floor"), Target::MostOf(0.75, "nginx")];
    let figures = measure(setting, Reuse::KeepAlive, false)?;
    Ok(vec![row("1 KiB file, keep-alive", figures, targets)])
}

/// Sixteen requests at a time.
pub(crate) fn pipelined(setting: &Setting) -> Result<Vec<Row>, Error> {
    let figures = measure(setting, Reuse::Pipelined, false)?;
    let targets = vec![Target::MostOf(1.0, "hyper")];
    Ok(vec![row("1 KiB file, 16 pipelined", figures, targets)])
}

/// A new connection for each request.
pub(crate) fn close(setting: &Setting) -> Result<Vec<Row>, Error> {
    let figures = measure(setting, Reuse::Close, true)?;
    let targets = vec![Target::MostOf(1.0, "nginx")];
    Ok(vec![row("1 KiB file, a connection each", figures, targets)])
}

fn row(what: &'static str, figures: Vec<Figure>, targets: Vec<Target>) -> Row {
    Row {
        what,
        unit: UNIT,
        figures,
        targets,
    }
}

/// All servers serve the small file.
fn measure(setting: &Setting, reuse: Reuse, close: bool) -> Result<Vec<Figure>, Error> {
    let kinds = [Kind::Kamea, Kind::Floor { close }, Kind::Hyper, Kind::Nginx];
    let contenders = kinds.map(|kind| (kind.name(), kind, Ask::SMALL));
    cpu_per_request(setting, &contenders, reuse)
}

/// All servers run at once and take turns, so that disturbances of the machine affect them alike.
pub(crate) fn cpu_per_request(
    setting: &Setting,
    contenders: &[(&'static str, Kind, Ask)],
    reuse: Reuse,
) -> Result<Vec<Figure>, Error> {
    let start = |(_, kind, _): &(_, Kind, _)| Server::start(*kind, &setting.data);
    let servers: Vec<_> = contenders.iter().map(start).collect::<Result<_, _>>()?;
    let asked: Vec<_> = servers
        .iter()
        .zip(contenders)
        .map(|(server, (name, _, ask))| (*name, server, ask.clone()))
        .collect();
    cpu_of(setting, &asked, reuse)
}

/// The same, of servers that run already.
pub(crate) fn cpu_of(
    setting: &Setting,
    asked: &[(&'static str, &Server, Ask)],
    reuse: Reuse,
) -> Result<Vec<Figure>, Error> {
    for (_, server, ask) in asked {
        load::run(server, ask, reuse, 1)?;
    }
    let names = asked.iter().map(|(name, ..)| Figure::new(name));
    let mut figures: Vec<_> = names.collect();
    for _ in 0..setting.rounds {
        for ((_, server, ask), figure) in asked.iter().zip(&mut figures) {
            let before = server.cpu_us()?;
            let load = load::run(server, ask, reuse, setting.seconds)?;
            figure
                .rounds
                .push((server.cpu_us()? - before) / load.requests);
        }
    }
    Ok(figures)
}
