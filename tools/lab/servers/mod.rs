//! The servers under test: how each is started, and how its start is detected.
//!
//! A server that can choose its port does, and prints it. The others get a port that was free a
//! moment ago, and another one if it was taken since. The answer proves that it is the right
//! server: it has what only this run's site has.

mod find;
mod peers;

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::unblock;
use kamea_components::net::testing::free_address;
use kamea_components::process::Stdio;

pub(crate) use find::{Installed, find, ours};
use peers::{Configured, Settings};

use crate::check::check;
use crate::experiment::{Contender, Experiment, Server};
use crate::patience::within;
use crate::setting::{Running, Setting};
use crate::site;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// The interval of the checks whether a silent server has started.
const AGAIN: Duration = Duration::from_millis(5);

/// How long a server may take to end if its port is taken: nginx tries for 2.5 s.
const TAKEN: Duration = Duration::from_secs(4);

/// The length limit of the line in which a server prints its address.
const LONGEST_LINE: usize = 4096;

/// The log of the server.
const SERVER: &str = "server";

/// How many ports are tried.
const PORTS: u32 = 5;

/// How many programs fcgiwrap runs at once: the default of `spidey`.
const AT_ONCE: &str = "32";

/// The configuration of a server.
type Configure = fn(&Settings<'_>) -> Configured;

impl Setting {
    /// Starts a server that answers an experiment's request correctly. Returns its address.
    ///
    /// # Errors
    ///
    /// Why it cannot be started.
    pub(crate) async fn start(
        &self,
        contender: Contender,
        experiment: Experiment,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let configure = match contender.server {
            Server::Spidey | Server::Python => None,
            Server::Nginx => Some(peers::nginx as Configure),
            Server::Apache => Some(peers::apache as Configure),
            Server::Lighttpd => Some(peers::lighttpd as Configure),
            Server::Caddy => Some(peers::caddy as Configure),
        };
        let started = async {
            match configure {
                None => self.start_telling(contender, experiment, running).await,
                Some(configure) => {
                    let server = contender.server;
                    self.start_told(server, configure, experiment, running)
                        .await
                }
            }
        };
        let started = within(START, started).await;
        started.unwrap_or_else(|| {
            let words = self.last_words(SERVER);
            Err(format!(
                "it did not start within {} s: {words}",
                START.as_secs()
            ))
        })
    }

    /// Starts a server that chooses its port itself, and prints it on its standard output.
    async fn start_telling(
        &self,
        contender: Contender,
        experiment: Experiment,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let options = match contender.mode {
            Some(mode) => format!(
                "-p 0 -b 127.0.0.1 --connections-per-client 16384 --workers {} --mode {} -d",
                self.cores().len(),
                mode.name()
            ),
            None if experiment == Experiment::Cgi => {
                "-u -m http.server 0 --bind 127.0.0.1 --cgi --directory".to_owned()
            }
            None => "-u -m http.server 0 --bind 127.0.0.1 --directory".to_owned(),
        };
        let mut arguments: Vec<_> = options.split(' ').map(OsString::from).collect();
        arguments.push(self.site.clone().into());
        let program = self.program_of(contender.server)?;
        let mut program = self.program(SERVER, program, arguments, self.cores())?;
        program.stdout = Stdio::Piped;
        let server = running.start(program).await?;
        let mut said = Vec::new();
        if let Some(stdout) = &mut server.process.stdout {
            // It prints only one line.
            while !said.ends_with(b"\n") && said.len() < LONGEST_LINE {
                match stdout.read().await {
                    Ok(bytes) if !bytes.is_empty() => said.extend_from_slice(&bytes),
                    _ => break,
                }
            }
        }
        let address = address_in(&String::from_utf8_lossy(&said));
        let address =
            address.ok_or_else(|| format!("it did not start: {}", self.last_words(SERVER)))?;
        self.check(address, experiment).await?;
        Ok(address)
    }

    /// Starts a server that needs a given port.
    async fn start_told(
        &self,
        server: Server,
        configure: Configure,
        experiment: Experiment,
        running: &mut Running,
    ) -> Result<SocketAddr, String> {
        let program = self.program_of(server)?;
        let no_cgi = matches!(server, Server::Nginx | Server::Caddy);
        let socket = match no_cgi && experiment == Experiment::Cgi {
            true => Some(self.start_fcgiwrap(running).await?),
            false => None,
        };
        for _ in 0..PORTS {
            let address = free_address().map_err(|error| format!("no port is free: {error}"))?;
            let arguments = self.configure(configure, address, socket.as_deref())?;
            let program = self.program(SERVER, program, arguments, self.cores())?;
            let server = running.start(program).await?;
            let answer = async {
                there(|| TcpStream::connect(address).is_ok()).await;
                Some(self.check(address, experiment).await)
            };
            let end = async {
                let _ = server.process.exited().await;
                None
            };
            match or(answer, end).await {
                Some(Ok(())) => return Ok(address),
                // Another server with the same port may have answered. Then ours ends.
                Some(Err(wrong)) => {
                    let ended = within(TAKEN, server.process.exited()).await;
                    ended.ok_or(wrong)?.map_err(|error| error.to_string())?;
                }
                None => {}
            }
            let words = self.last_words(SERVER);
            if !words.to_lowercase().contains("in use") {
                return Err(format!("it did not start: {words}"));
            }
        }
        Err(format!("it found each of {PORTS} ports taken"))
    }

    /// Writes the configuration of a server. Returns its arguments.
    fn configure(
        &self,
        configure: Configure,
        address: SocketAddr,
        fastcgi: Option<&Path>,
    ) -> Result<Vec<OsString>, String> {
        let (name, text, mut arguments) = configure(&Settings {
            site: &self.site,
            run: &self.run,
            address,
            workers: self.cores().len(),
            fastcgi,
        });
        let file = self.run.join(name);
        let written = fs::write(&file, text);
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        arguments.push(file.into());
        Ok(arguments)
    }

    /// Checks the answer of a server.
    async fn check(&self, address: SocketAddr, experiment: Experiment) -> Result<(), String> {
        let content = site::content(experiment, &self.plan);
        unblock(move || check(address, site::path(experiment), &content)).await
    }

    fn program_of(&self, server: Server) -> Result<&Path, String> {
        let mut installed = self.installed.iter();
        let found = installed.find(|installed| installed.server == server);
        let found = found.ok_or_else(|| format!("{server} is not installed"))?;
        Ok(&found.program)
    }

    /// The number of cores of the servers.
    fn cores(&self) -> &[usize] {
        &self.plan.circumstances.server_cores
    }

    /// Starts the program that runs CGI scripts for servers that cannot do so themselves. Returns
    /// its socket.
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

/// Waits until a file exists.
async fn there(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        sleep(AGAIN).await;
    }
}

/// The address of this machine in a text.
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
