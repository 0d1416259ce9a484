//! The row of WSGI: an application that answers at once, behind Kamea, gunicorn's sync worker and Granian, each with one Python process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::{self, Ask, Manner};
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

/// The peers, which come from PyPI.
const PACKAGES: [&str; 2] = ["gunicorn", "granian"];

/// Requests per second, one after another on each connection; gunicorn's sync worker has a connection for each.
pub(crate) fn wsgi(setting: &Setting) -> Result<Vec<Row>, Error> {
    make_environment(&environment(&setting.data))?;
    fs::write(setting.data.join("bench_application.py"), APPLICATION)?;
    let kinds = [Kind::KameaWsgi, Kind::Gunicorn, Kind::Granian];
    let start = |kind: &Kind| Server::start(*kind, &setting.data);
    let servers: Vec<_> = kinds.iter().map(start).collect::<Result<_, _>>()?;
    let mut figures: Vec<_> = kinds.map(|kind| Figure::new(kind.name())).into();
    for server in &servers {
        load::run(server, &Ask::SMALL, Manner::KeepAlive, 1)?;
    }
    for _ in 0..setting.rounds {
        for (server, figure) in servers.iter().zip(&mut figures) {
            let load = load::run(server, &Ask::SMALL, Manner::KeepAlive, setting.seconds)?;
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

/// Where the peers are installed.
pub(crate) fn environment(data: &Path) -> PathBuf {
    data.with_file_name("bench-venv")
}

/// Installs the peers, unless they are there.
fn make_environment(folder: &Path) -> Result<(), Error> {
    if PACKAGES
        .iter()
        .all(|name| folder.join("bin").join(name).exists())
    {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "-q"])
        .args(PACKAGES))
}

fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )
    .into())
}
