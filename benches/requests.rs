//! The rows of CPU per request: a file of 1 KiB, asked for in three manners.

use crate::load::{self, Manner};
use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

const UNIT: &str = "us of CPU per request";

/// One request after another on each connection.
pub(crate) fn keep_alive(setting: &Setting) -> Result<Vec<Row>, Error> {
    let targets = vec![Target::MostOf(1.2, "floor"), Target::MostOf(0.75, "nginx")];
    let figures = measure(setting, Manner::KeepAlive, false)?;
    Ok(vec![row("1 KiB file, keep-alive", figures, targets)])
}

/// Sixteen requests at a time.
pub(crate) fn pipelined(setting: &Setting) -> Result<Vec<Row>, Error> {
    let figures = measure(setting, Manner::Pipelined, false)?;
    let targets = vec![Target::MostOf(1.0, "hyper")];
    Ok(vec![row("1 KiB file, 16 pipelined", figures, targets)])
}

/// A new connection for each request.
pub(crate) fn close(setting: &Setting) -> Result<Vec<Row>, Error> {
    let figures = measure(setting, Manner::Close, true)?;
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

/// All servers run at once and take turns, so that what disturbs the machine disturbs them alike.
fn measure(setting: &Setting, manner: Manner, close: bool) -> Result<Vec<Figure>, Error> {
    let kinds = [Kind::Kamea, Kind::Floor { close }, Kind::Hyper, Kind::Nginx];
    let servers: Vec<_> = kinds
        .into_iter()
        .map(|kind| Server::start(kind, &setting.data))
        .collect::<Result<_, _>>()?;
    for server in &servers {
        load::run(server, manner, 1)?;
    }
    let mut figures: Vec<_> = kinds.iter().map(|kind| Figure::new(kind.name())).collect();
    for _ in 0..setting.rounds {
        for (server, figure) in servers.iter().zip(&mut figures) {
            let before = server.cpu_us()?;
            let load = load::run(server, manner, setting.seconds)?;
            figure
                .rounds
                .push((server.cpu_us()? - before) / load.requests);
        }
    }
    Ok(figures)
}
