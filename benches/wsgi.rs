//! The row of WSGI: an application that answers at once, behind Kamea, gunicorn's sync worker and
//! Granian, each with one Python process.

use std::fs;

use crate::load::{self, Ask, Reuse};
use crate::python::{environment, make_environment};
use crate::server::{Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// The application, which answers with the small file.
const APPLICATION: &str = "\
with open('small.txt', 'rb') as file:
    BODY = file.read()

HEADERS = [('Content-Type', 'text/plain'), ('Content-Length', str(len(BODY)))]

def app(environ, start_response):
    start_response('200 OK', list(HEADERS))
    return [BODY]
";

/// Requests per second, one after another on each connection. gunicorn's sync worker has one
/// connection for each request.
pub(crate) fn wsgi(setting: &Setting) -> Result<Vec<Row>, Error> {
    make_environment(&environment(&setting.data))?;
    fs::write(setting.data.join("bench_application.py"), APPLICATION)?;
    let kinds = [Kind::KameaWsgi, Kind::Gunicorn, Kind::Granian];
    let start = |kind: &Kind| Server::start(*kind, &setting.data);
    let servers: Vec<_> = kinds.iter().map(start).collect::<Result<_, _>>()?;
    let mut figures: Vec<_> = kinds.map(|kind| Figure::new(kind.name())).into();
    for server in &servers {
        load::run(server, &Ask::SMALL, Reuse::KeepAlive, 1)?;
    }
    for _ in 0..setting.rounds {
        for (server, figure) in servers.iter().zip(&mut figures) {
            let load = load::run(server, &Ask::SMALL, Reuse::KeepAlive, setting.seconds)?;
            figure.rounds.push(load.per_second);
        }
    }
    Ok(vec![Row {
        what: "WSGI, 1 KiB, one Python process",
        unit: "requests per second",
        figures,
        targets: vec![
            Target::LeastOf(3.0, Kind::Gunicorn.name()),
            Target::LeastOf(0.8, Kind::Granian.name()),
        ],
    }])
}
