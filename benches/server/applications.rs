//! Web applications: ours, and those of other frameworks.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;

use kamea_benches::store::Store;

use super::{Kind, Server, pinned, program, run_folder};
use crate::Error;

/// What a web application is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framework {
    /// `kamea-app`.
    Kamea,
    /// axum.
    Axum,
    /// actix-web.
    Actix,
}

impl Framework {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kamea => "Kamea",
            Self::Axum => "axum",
            Self::Actix => "actix-web",
        }
    }
}

/// Where an application keeps sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// In memory, with signed cookies. Only ours has these.
    Signed,
    /// In memory.
    Memory,
    /// In an SQLite database.
    Sqlite,
    /// In Redis.
    Redis(SocketAddr),
}

/// A web application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) framework: Framework,
    /// How many routes it has beside those of all applications.
    pub(crate) routes: u32,
    /// The sessions around it. actix-web has none here.
    pub(crate) sessions: Option<Sessions>,
}

impl Application {
    /// The application with the routes of all applications.
    pub(crate) fn by(framework: Framework) -> Self {
        Self {
            framework,
            routes: 0,
            sessions: None,
        }
    }
}

pub(super) fn start(application: Application, data: &Path) -> Result<Server, Error> {
    let name = match application.framework {
        Framework::Kamea => "app-server",
        Framework::Axum => "axum-peer",
        Framework::Actix => "actix-peer",
    };
    let mut command = pinned(&program(name)?);
    command.args(["--routes", &application.routes.to_string()]);
    if let Some(sessions) = application.sessions {
        let store = match sessions {
            Sessions::Signed => Store::Signed,
            Sessions::Memory => Store::Memory,
            Sessions::Sqlite => Store::Sqlite(run_folder(data, name)?.join("sessions.sqlite")),
            Sessions::Redis(address) => Store::Redis(address),
        };
        command.args(["--sessions", &store.to_string()]);
    }
    Server::start_program(Kind::Application(application), command)
}

impl Server {
    /// Requests a path, and returns the value of a field of the response, without its attributes.
    pub(crate) fn field(&self, path: &str, name: &str) -> Result<String, Error> {
        let mut stream = self.connect()?;
        let address = self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
        let line = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
        let (_, value) = line.ok_or_else(|| format!("{path}: no {name} in {answer}"))?;
        Ok(value.split(';').next().unwrap_or_default().to_owned())
    }
}
