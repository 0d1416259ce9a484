//! The rows of sessions: what a session costs a handler, and the stores beside tower-sessions.

use crate::applications::{get, kind};
use crate::load::{Ask, Reuse};
use crate::requests::{UNIT, cpu_of};
use crate::server::{Application, Framework, Kind, Redis, Server, Sessions};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// Starts an application with sessions.
fn start(setting: &Setting, framework: Framework, sessions: Sessions) -> Result<Server, Error> {
    let application = Application {
        sessions: Some(sessions),
        ..Application::by(framework)
    };
    Server::start(Kind::Application(application), &setting.data)
}

/// Begins a session, and returns the requests that belong to it, by their path.
fn begin(server: &Server) -> Result<impl Fn(&'static str) -> Ask, Error> {
    let cookie = server.field("/begin", "set-cookie")?;
    Ok(move |path| Ask {
        field: Some(format!("Cookie: {cookie}")),
        ..get(path)
    })
}

/// A handler that reads a value of a signed session, and one of the same length without.
pub(crate) fn signed(setting: &Setting) -> Result<Vec<Row>, Error> {
    let with = start(setting, Framework::Kamea, Sessions::Signed)?;
    let without = Server::start(kind(Framework::Kamea), &setting.data)?;
    let ask = begin(&with)?;
    let asked = [
        ("Kamea", &with, ask("/session")),
        ("without", &without, ask("/plaintext")),
        ("unused", &with, ask("/plaintext")),
    ];
    Ok(vec![Row {
        what: "application, a signed session read",
        unit: UNIT,
        figures: cpu_of(setting, &asked, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(1.15, "without")],
    }])
}

/// A value read and a value set, of each store.
pub(crate) fn stores(setting: &Setting) -> Result<Vec<Row>, Error> {
    let redis = Redis::start()?;
    let stores = [
        (
            Sessions::Memory,
            "application, a session in memory, read",
            "application, a session in memory, a value set",
        ),
        (
            Sessions::Sqlite,
            "application, a session in SQLite, read",
            "application, a session in SQLite, a value set",
        ),
        (
            Sessions::Redis(redis.address),
            "application, a session in Redis, read",
            "application, a session in Redis, a value set",
        ),
    ];
    let mut rows = Vec::new();
    for (sessions, reads, writes) in stores {
        let kamea = start(setting, Framework::Kamea, sessions)?;
        let peer = start(setting, Framework::Axum, sessions)?;
        let (own, of_peer) = (begin(&kamea)?, begin(&peer)?);
        for (what, path) in [(reads, "/session"), (writes, "/visit")] {
            let asked = [
                ("Kamea", &kamea, own(path)),
                ("tower-sessions", &peer, of_peer(path)),
            ];
            rows.push(Row {
                what,
                unit: UNIT,
                figures: cpu_of(setting, &asked, Reuse::KeepAlive)?,
                targets: vec![Target::MostOf(1.0, "tower-sessions")],
            });
        }
    }
    Ok(rows)
}
