//! The rows of WSGI: an application that answers at once, and one that reads a body, behind Kamea,
//! gunicorn's sync worker and Granian, each with one Python process.

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
    if environ['REQUEST_METHOD'] == 'POST':
        read, length = environ['wsgi.input'].read, 0
        while piece := read(65536):
            length += len(piece)
        body = str(length).encode()
        start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
        return [body]
    start_response('200 OK', list(HEADERS))
    return [BODY]
";

/// Bodies of POST, in bytes.
const SMALL_BODY: usize = 1 << 10;
const LARGE_BODY: usize = 1 << 20;

/// Requests per second, one after another on each connection. gunicorn's sync worker has one
/// connection for each request.
pub(crate) fn wsgi(setting: &Setting) -> Result<Vec<Row>, Error> {
    make_environment(&environment(&setting.data))?;
    fs::write(setting.data.join("bench_application.py"), APPLICATION)?;
    let kinds = [Kind::KameaWsgi, Kind::Gunicorn, Kind::Granian];
    let start = |kind: &Kind| Server::start(*kind, &setting.data);
    let servers: Vec<_> = kinds.iter().map(start).collect::<Result<_, _>>()?;
    let posting = |length| Ask {
        body: Some(length),
        ..Ask::SMALL
    };
    let few = Ask {
        connections: 8,
        ..posting(LARGE_BODY)
    };
    let gunicorn = |least| Target::LeastOf(least, Kind::Gunicorn.name());
    let granian = |least| Target::LeastOf(least, Kind::Granian.name());
    let rows = [
        (
            "WSGI, 1 KiB, one Python process",
            Ask::SMALL,
            vec![gunicorn(3.0), granian(0.9)],
        ),
        (
            "WSGI, POST of 1 KiB, one Python process",
            posting(SMALL_BODY),
            vec![gunicorn(3.0)],
        ),
        (
            "WSGI, POST of 1 MiB, one Python process",
            few,
            vec![gunicorn(1.0)],
        ),
    ];
    let rows = rows.into_iter().map(|(what, ask, targets)| {
        let figures = measure(&servers, &ask, setting)?;
        Ok(Row {
            what,
            unit: "requests per second",
            figures,
            targets,
        })
    });
    rows.collect()
}

/// The requests per second of each server, one server after another in each round.
fn measure(servers: &[Server], ask: &Ask, setting: &Setting) -> Result<Vec<Figure>, Error> {
    let mut figures: Vec<_> = servers
        .iter()
        .map(|server| Figure::new(server.kind.name()))
        .collect();
    for server in servers {
        load::run(server, ask, Reuse::KeepAlive, 1)?;
    }
    for _ in 0..setting.rounds {
        for (server, figure) in servers.iter().zip(&mut figures) {
            let load = load::run(server, ask, Reuse::KeepAlive, setting.seconds)?;
            figure.rounds.push(load.per_second);
        }
    }
    Ok(figures)
}
