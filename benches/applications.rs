//! The rows of web applications: CPU of the server per request, beside axum and actix-web.

use std::io::{Read, Write};

use crate::load::{Ask, Reuse};
use crate::python::{environment, make_environment};
use crate::requests::{UNIT, cpu_of, cpu_per_request};
use crate::server::{Application, Framework, Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// All frameworks.
const ALL: [Framework; 3] = [Framework::Kamea, Framework::Axum, Framework::Actix];

/// What Kamea may need of the others.
const AT_MOST: [Target; 2] = [
    Target::MostOf(1.0, "axum"),
    Target::MostOf(1.0, "actix-web"),
];

pub(crate) fn get(path: &'static str) -> Ask {
    Ask { path, ..Ask::SMALL }
}

pub(crate) fn kind(framework: Framework) -> Kind {
    Kind::Application(Application::by(framework))
}

/// A row of all frameworks.
fn compare(setting: &Setting, what: &'static str, ask: &Ask, reuse: Reuse) -> Result<Row, Error> {
    let contenders = ALL.map(|framework| (framework.name(), kind(framework), ask.clone()));
    Ok(Row {
        what,
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, reuse)?,
        targets: AT_MOST.to_vec(),
    })
}

/// One request after another on each connection.
pub(crate) fn keep_alive(setting: &Setting) -> Result<Vec<Row>, Error> {
    let rows = [
        ("application, plaintext", "/plaintext"),
        ("application, JSON", "/json"),
    ];
    let rows = rows.into_iter();
    rows.map(|(what, path)| compare(setting, what, &get(path), Reuse::KeepAlive))
        .collect()
}

/// Sixteen requests at a time.
pub(crate) fn pipelined(setting: &Setting) -> Result<Vec<Row>, Error> {
    let rows = [
        ("application, plaintext, 16 pipelined", "/plaintext"),
        ("application, JSON, 16 pipelined", "/json"),
    ];
    let rows = rows.into_iter();
    rows.map(|(what, path)| compare(setting, what, &get(path), Reuse::Pipelined))
        .collect()
}

/// A route with two captures among 300 others, and almost alone.
pub(crate) fn routes(setting: &Setting) -> Result<Vec<Row>, Error> {
    let ask = get("/users/42/books/emma");
    let many = |framework| {
        let routes = 300;
        let application = Application {
            routes,
            ..Application::by(framework)
        };
        (
            framework.name(),
            Kind::Application(application),
            ask.clone(),
        )
    };
    let [kamea, axum, actix] = ALL.map(many);
    let alone = ("alone", kind(Framework::Kamea), ask.clone());
    let mut targets = AT_MOST.to_vec();
    targets.push(Target::MostOf(1.05, "alone"));
    Ok(vec![Row {
        what: "application, two captures, 300 routes",
        unit: UNIT,
        figures: cpu_per_request(setting, &[kamea, axum, actix, alone], Reuse::KeepAlive)?,
        targets,
    }])
}

/// A form of 1 KiB.
pub(crate) fn form(setting: &Setting) -> Result<Vec<Row>, Error> {
    let ask = Ask {
        script: Some("form.lua"),
        ..get("/form")
    };
    let what = "application, form of 1 KiB";
    Ok(vec![compare(setting, what, &ask, Reuse::KeepAlive)?])
}

/// The size of an upload in bytes.
const UPLOAD_LEN: usize = 100 << 20;

/// An upload of 100 MiB as a part of a form.
pub(crate) fn upload(setting: &Setting) -> Result<Vec<Row>, Error> {
    let frameworks = [Framework::Kamea, Framework::Axum];
    let figures = || {
        frameworks
            .map(|framework| Figure::new(framework.name()))
            .into()
    };
    let (mut growth, mut cost): (Vec<Figure>, Vec<Figure>) = (figures(), figures());
    for _ in 0..setting.rounds {
        for (index, framework) in frameworks.into_iter().enumerate() {
            let server = Server::start(kind(framework), &setting.data)?;
            let (memory, cpu) = (server.resident()?, server.cpu_us()?);
            send_upload(&server)?;
            let grown = server.peak_resident()? - memory;
            growth[index].rounds.push(grown / f64::from(1 << 20));
            cost[index].rounds.push((server.cpu_us()? - cpu) / 1000.0);
        }
    }
    Ok(vec![
        Row {
            what: "application, upload of 100 MiB",
            unit: "ms of CPU",
            figures: cost,
            targets: vec![Target::MostOf(1.0, "axum")],
        },
        Row {
            what: "application, upload of 100 MiB, growth of resident memory",
            unit: "MiB",
            figures: growth,
            targets: vec![Target::Most(4.0)],
        },
    ])
}

/// Sends a form with a file, and checks that all of it has arrived.
fn send_upload(server: &Server) -> Result<(), Error> {
    let mut stream = server.connect()?;
    let head = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n";
    let tail = "\r\n--b--\r\n";
    let length = head.len() + UPLOAD_LEN + tail.len();
    write!(
        stream,
        "POST /upload HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n{head}",
        server.address
    )?;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..UPLOAD_LEN / block.len() {
        stream.write_all(&block)?;
    }
    stream.write_all(tail.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") && answer.contains(&UPLOAD_LEN.to_string()) {
        return Ok(());
    }
    Err(format!("{}: {answer}", server.kind.name()).into())
}

/// Handlers that ask a component, and one with a lock.
pub(crate) fn asked(setting: &Setting) -> Result<Vec<Row>, Error> {
    let server = Server::start(kind(Framework::Kamea), &setting.data)?;
    let rows = [
        (
            "application, a component of this worker is asked",
            "/near",
            0.3,
        ),
        (
            "application, a component of another worker is asked",
            "/far",
            3.0,
        ),
    ];
    let rows = rows.into_iter().map(|(what, path, most)| {
        let asked = [
            ("Kamea", &server, get(path)),
            ("Mutex", &server, get("/locked")),
        ];
        Ok(Row {
            what,
            unit: UNIT,
            figures: cpu_of(setting, &asked, Reuse::KeepAlive)?,
            targets: vec![Target::MostAbove(most, "Mutex")],
        })
    });
    rows.collect()
}

/// The application of Flask.
const FLASK: &str = "\
from flask import Flask, Response

app = Flask(__name__)

with open('small.txt', 'rb') as file:
    BODY = file.read()

@app.route('/small.txt')
def small():
    return Response(BODY, mimetype='text/plain')

@app.route('/plaintext')
def hello():
    return 'Hello, World!'
";

/// Flask under gunicorn, for scale.
pub(crate) fn flask(setting: &Setting) -> Result<Vec<Row>, Error> {
    make_environment(&environment(&setting.data))?;
    std::fs::write(setting.data.join("bench_flask.py"), FLASK)?;
    let contenders = [kind(Framework::Kamea), Kind::Flask];
    let contenders = contenders.map(|kind| (kind.name(), kind, get("/plaintext")));
    Ok(vec![Row {
        what: "application, plaintext, beside Flask",
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(0.1, "Flask")],
    }])
}
