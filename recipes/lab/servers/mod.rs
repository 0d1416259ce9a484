//! The servers under test: how each is started, and how it is known to be there.
//!
//! A server that may choose its port does, and says which. The others get one that was free a moment ago, and another one if it was taken since. That it is the
//! right server that answers is told by its answer: it has what only this run's site has.

mod find;
mod peers;

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea_components::process::Stdio;

pub(crate) use find::{Installed, find, ours};
use peers::{Configured, Place};

use crate::experiment::{Contender, Mode, Server};
use crate::patience::within;
use crate::setting::{Running, Setting};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// How long until it is looked again whether a server is there that does not say so.
const AGAIN: Duration = Duration::from_millis(5);

/// How many ports are tried.
const PORTS: u32 = 5;

/// How many programs fcgiwrap runs at once: as many as `spidey` does unless it is told otherwise.
const AT_ONCE: &str = "32";

impl Setting {
    /// Starts a server; gives where it is to be found.
    ///
    /// # Errors
    ///
    /// Why it is not there.
    pub(crate) async fn start(
        &self,
        contender: Contender,
        with_cgi: bool,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let server = contender.server;
        let installed = self.installed.iter().find(|known| known.server == server);
        let program = &installed
            .ok_or_else(|| format!("{server} is not installed"))?
            .program;
        let started = async {
            match server {
                Server::Spidey => self.start_spidey(program, contender.mode, running).await,
                Server::Python => self.start_python(program, with_cgi, running).await,
                Server::Nginx => {
                    self.start_peer(program, peers::nginx, with_cgi, running)
                        .await
                }
                Server::Caddy => {
                    self.start_peer(program, peers::caddy, with_cgi, running)
                        .await
                }
                Server::Apache => {
                    self.start_peer(program, peers::apache, false, running)
                        .await
                }
                Server::Lighttpd => {
                    self.start_peer(program, peers::lighttpd, false, running)
                        .await
                }
            }
        };
        match within(START, started).await {
            Some(started) => started,
            None => Err(format!(
                "{contender} did not start within {} s: {}",
                START.as_secs(),
                self.last_words("server")
            )),
        }
    }

    /// The cores of servers.
    fn cores(&self) -> &[usize] {
        &self.plan.circumstances.server_cores
    }

    async fn start_spidey(
        &self,
        program: &Path,
        mode: Option<Mode>,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let workers = self.cores().len().to_string();
        let mode = mode.unwrap_or(Mode::Pool).name();
        let mut arguments = [
            "-p",
            "0",
            "-b",
            "127.0.0.1",
            "--workers",
            &workers,
            "--mode",
            mode,
            "-d",
        ]
        .map(OsString::from)
        .to_vec();
        arguments.push(self.site.clone().into());
        self.start_telling(program, arguments, running).await
    }

    async fn start_python(
        &self,
        program: &Path,
        with_cgi: bool,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let mut arguments = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
            .map(OsString::from)
            .to_vec();
        arguments.extend(with_cgi.then(|| "--cgi".into()));
        arguments.extend(["--directory".into(), self.site.clone().into()]);
        self.start_telling(program, arguments, running).await
    }

    /// Starts a server that chooses its port itself, and says on its standard output which.
    async fn start_telling(
        &self,
        program: &Path,
        arguments: Vec<OsString>,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let mut program = self.program("server", program, arguments, self.cores())?;
        program.stdout = Stdio::Piped;
        let server = running.start(program).await?;
        let mut said = Vec::new();
        if let Some(stdout) = &mut server.process.stdout {
            // A line is all that it says.
            while !said.ends_with(b"\n") && said.len() < 4096 {
                match stdout.read().await {
                    Ok(bytes) if !bytes.is_empty() => said.extend_from_slice(&bytes),
                    _ => break,
                }
            }
        }
        let said = String::from_utf8_lossy(&said);
        address_in(&said)
            .ok_or_else(|| format!("it did not start: {}{}", said, self.last_words("server")))
    }

    /// Starts a server that has to be told its port.
    async fn start_peer(
        &self,
        program: &Path,
        configure: impl Fn(&Place<'_>) -> Configured,
        with_fastcgi: bool,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let socket = if with_fastcgi {
            Some(self.start_fcgiwrap(running).await?)
        } else {
            None
        };
        for _ in 0..PORTS {
            let address = free_address()?;
            let place = Place {
                site: &self.site,
                run: &self.run,
                address,
                workers: self.cores().len(),
                fastcgi: socket.as_deref(),
            };
            let (name, text, mut arguments) = configure(&place);
            let file = self.run.join(name);
            fs::write(&file, text)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            arguments.push(file.into());
            let server = running
                .start(self.program("server", program, arguments, self.cores())?)
                .await?;
            let there = async {
                there(|| TcpStream::connect(address).is_ok()).await;
                true
            };
            let ended = async {
                let _ = server.process.exited().await;
                false
            };
            if or(there, ended).await {
                return Ok(address);
            }
            let words = self.last_words("server");
            if !words.to_lowercase().contains("in use") {
                return Err(format!("it did not start: {words}"));
            }
        }
        Err(format!("it found each of {PORTS} ports taken"))
    }

    /// Starts what runs CGI scripts for servers that do not do so themselves; gives its socket.
    async fn start_fcgiwrap(&self, running: &mut Running) -> Result<PathBuf, String> {
        let socket = self.run.join("fcgiwrap.sock");
        let program = find::installed(&[find::FCGIWRAP])?;
        let arguments = ["-c", AT_ONCE, "-s"].map(OsString::from);
        let address = format!("unix:{}", socket.display());
        let arguments = arguments.into_iter().chain([address.into()]).collect();
        running
            .start(self.program("fcgiwrap", &program, arguments, self.cores())?)
            .await?;
        there(|| UnixStream::connect(&socket).is_ok()).await;
        Ok(socket)
    }
}

/// An address that nobody has at this moment.
fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| format!("there is no free port: {error}"))
}

/// Waits until something is there.
async fn there(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        sleep(AGAIN).await;
    }
}

/// The address of this machine that a text names.
fn address_in(text: &str) -> Option<SocketAddr> {
    let (_, behind) = text.split_once("127.0.0.1:")?;
    let end = behind
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(behind.len());
    let port = behind[..end].parse().ok()?;
    Some((Ipv4Addr::LOCALHOST, port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_where_it_is() {
        for (said, port) in [
            ("Listening on 127.0.0.1:41234\n", Some(41234)),
            (
                "Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ...\n",
                Some(8000),
            ),
            ("error: cannot listen\n", None),
            ("Listening on 127.0.0.1:\n", None),
            ("", None),
        ] {
            assert_eq!(
                address_in(said).map(|address| address.port()),
                port,
                "{said}"
            );
        }
    }
}
