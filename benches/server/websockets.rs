//! Servers of WebSockets: how they are started, and what they must answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Kind, Server, pinned, program};
use crate::{Error, python};

/// A server of WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebSockets {
    /// Kamea, with one worker.
    Kamea,
    /// fastwebsockets, on one thread.
    Fastwebsockets,
    /// tokio-tungstenite, on one thread.
    Tungstenite,
    /// `ws` of Node.
    Node,
    /// `websockets` of Python.
    Python,
}

impl WebSockets {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kamea => "Kamea",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Tungstenite => "tungstenite",
            Self::Node => "ws",
            Self::Python => "websockets",
        }
    }
}

pub(super) fn start(which: WebSockets, data: &Path) -> Result<Server, Error> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/websocket"));
    let command = match which {
        WebSockets::Node => {
            let mut command = pinned(Path::new("node"));
            let modules = node_modules(data)?;
            command
                .arg(folder.join("peer.js"))
                .env("NODE_PATH", modules);
            command
        }
        WebSockets::Python => {
            let mut command = pinned(&python_with_websockets(data)?);
            command.arg(folder.join("peer.py"));
            command
        }
        WebSockets::Kamea => peer("kamea")?,
        WebSockets::Fastwebsockets => peer("fastwebsockets")?,
        WebSockets::Tungstenite => peer("tungstenite")?,
    };
    Server::start_program(Kind::WebSockets(which), command)
}

fn peer(name: &str) -> Result<Command, Error> {
    let mut command = pinned(&program("websocket-peer")?);
    command.arg(name);
    Ok(command)
}

impl Server {
    /// Opens a WebSocket, without extensions.
    pub(crate) fn open_websocket(&self, path: &str) -> Result<TcpStream, Error> {
        let mut stream = self.connect()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.address
        )?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(stream),
            false => Err(format!("{}: no WebSocket", self.kind.name()).into()),
        }
    }

    /// Fails unless the server echoes.
    pub(super) fn check_websocket(&self) -> Result<(), Error> {
        let mut stream = self.open_websocket("/echo")?;
        echo_once(&mut stream)
    }
}

/// Sends a message of five bytes, and reads it back.
pub(crate) fn echo_once(stream: &mut TcpStream) -> Result<(), Error> {
    // The mask is 0, which leaves the payload as it is.
    stream.write_all(b"\x81\x85\0\0\0\0hello")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    match &answer == b"\x81\x05hello" {
        true => Ok(()),
        false => Err("a WebSocket did not echo".into()),
    }
}

/// The folder of `ws`, from npm.
fn node_modules(data: &Path) -> Result<PathBuf, Error> {
    let folder = data.with_file_name("bench-node");
    let modules = folder.join("node_modules");
    if !modules.join("ws").exists() {
        std::fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
        python::run(npm.arg(&folder).arg("ws@8"))?;
    }
    Ok(modules)
}

/// A Python with `websockets`, from PyPI.
fn python_with_websockets(data: &Path) -> Result<PathBuf, Error> {
    let folder = data.with_file_name("bench-websockets");
    let python = folder.join("bin/python");
    if !folder.join("installed").exists() {
        python::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        python::run(pip.args(["install", "-q", "websockets"]))?;
        std::fs::write(folder.join("installed"), "")?;
    }
    Ok(python)
}
