//! The programs of the chat, on the servers' core. Dropping one stops it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::page::Page;
use crate::server::{pinned, program};
use crate::{Error, Setting, process};

/// An empty folder for the peers of a round.
pub(super) fn fresh_folder(setting: &Setting) -> Result<PathBuf, Error> {
    let folder = setting.data.with_file_name("bench-chat");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A running program.
struct Program {
    child: Child,
    /// It must not be closed as long as the program may print something.
    stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Starts a program, and returns the first line that contains ` on `: where it listens.
    fn start(mut command: Command) -> Result<(Self, String), Error> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("a program without stdout")?;
        let mut program = Self {
            child,
            stdout: BufReader::new(stdout),
        };
        let mut line = String::new();
        while !line.contains(" on ") {
            line.clear();
            if program.stdout.read_line(&mut line)? == 0 {
                return Err("a program of the chat has ended".into());
            }
        }
        Ok((program, line))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `start_tracker`.
pub(super) struct Tracker {
    program: Program,
    pub(super) address: SocketAddr,
}

impl Tracker {
    pub(super) fn start(arguments: &[&str]) -> Result<Self, Error> {
        let mut command = pinned(&program("start_tracker")?);
        command.args(["--server-port", "0"]).args(arguments);
        let (program, line) = Program::start(command)?;
        let address = line
            .rsplit([' ', '/'])
            .find_map(|word| word.trim().parse().ok());
        let address = address.ok_or_else(|| format!("start_tracker says `{line}`"))?;
        Ok(Self { program, address })
    }

    pub(super) fn pid(&self) -> u32 {
        self.program.child.id()
    }
}

/// `start_peer`.
pub(super) struct Peer {
    program: Program,
    /// Where it listens for peers.
    pub(super) address: SocketAddr,
    /// Where its page is, and what opens it.
    pub(super) page: SocketAddr,
    pub(super) token: String,
}

impl Peer {
    pub(super) fn start(
        name: &str,
        folder: &Path,
        tracker: Option<&Tracker>,
    ) -> Result<Self, Error> {
        let mut command = pinned(&program("start_peer")?);
        command.args(["--name", name, "--ip", "127.0.0.1", "--data"]);
        command.arg(folder.join(name));
        if let Some(tracker) = tracker {
            command.args(["--tracker", &format!("http://{}", tracker.address)]);
        }
        let (program, line) = Program::start(command)?;
        let odd = || format!("start_peer says `{line}`");
        let address = line
            .split([' ', ','])
            .find_map(|word| word.parse().ok())
            .ok_or_else(odd)?;
        let (_, url) = line.trim().rsplit_once("http://").ok_or_else(odd)?;
        let (page, token) = url.split_once("/#token=").ok_or_else(odd)?;
        let (page, token) = (page.parse()?, token.to_owned());
        Ok(Self {
            program,
            address,
            page,
            token,
        })
    }

    pub(super) fn page(&self) -> Result<Page<'_>, Error> {
        Page::open(self)
    }

    pub(super) fn pid(&self) -> u32 {
        self.program.child.id()
    }

    /// Its peak resident memory, in MiB.
    pub(super) fn peak(&self) -> Result<f64, Error> {
        Ok(process::memory(self.pid(), "VmHWM")? / f64::from(1 << 20))
    }
}
