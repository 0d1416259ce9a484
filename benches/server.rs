//! The servers under test: how they are started, checked, and always stopped.

mod applications;
mod cgi_peers;
mod proxies;
mod redis;
mod secure;
mod websockets;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kamea_benches::http::body;
use kamea_components::net::testing::free_address;

use crate::tls::SecureStream;
use crate::{Error, process, python};
pub(crate) use applications::{Application, Framework, Sessions};
pub(crate) use proxies::start_backends;
pub(crate) use redis::Redis;
pub(crate) use websockets::{WebSockets, echo_once};

/// The core that servers run on. The load comes from the other one.
const CORE: &str = "0";
/// The Python application that the servers run.
const APPLICATION: &str = "bench_application:app";
/// The application of Flask.
const FLASK: &str = "bench_flask:app";
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `spidey`, with one worker.
    Kamea,
    /// The floor server. It may close after each answer.
    Floor {
        /// Whether it closes each connection after its answer.
        close: bool,
    },
    /// hyper, with the body in memory.
    Hyper,
    /// nginx, with one worker process.
    Nginx,
    /// `spidey` in front of a Python application.
    KameaWsgi,
    /// gunicorn, with one sync worker.
    Gunicorn,
    /// Granian, with one worker.
    Granian,
    /// `start_proxy`, with one worker.
    KameaProxy,
    /// nginx as a proxy, with one worker process.
    NginxProxy,
    /// HAProxy, with one thread.
    Haproxy,
    /// `spidey` over TLS, with one worker.
    KameaTls,
    /// nginx over TLS, with one worker process.
    NginxTls,
    /// HAProxy over TLS, with one thread.
    HaproxyTls,
    /// nginx, with fcgiwrap to run programs.
    Fcgiwrap,
    /// Apache's event MPM, with one process for requests and `mod_cgid` to run programs.
    Apache,
    /// lighttpd, with `mod_cgi` to run programs.
    Lighttpd,
    /// A web application, with one worker.
    Application(Application),
    /// A web application by Flask, under gunicorn with one sync worker.
    Flask,
    /// A server of WebSockets.
    WebSockets(WebSockets),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kamea | Self::KameaWsgi | Self::KameaProxy | Self::KameaTls => "Kamea",
            Self::Gunicorn => "gunicorn",
            Self::Granian => "Granian",
            Self::Floor { .. } => "floor",
            Self::Hyper => "hyper",
            Self::Nginx | Self::NginxProxy | Self::NginxTls => "nginx",
            Self::Haproxy | Self::HaproxyTls => "HAProxy",
            Self::Fcgiwrap => "nginx+fcgiwrap",
            Self::Apache => "Apache",
            Self::Lighttpd => "lighttpd",
            Self::Application(application) => application.framework.name(),
            Self::Flask => "Flask",
            Self::WebSockets(which) => which.name(),
        }
    }

    /// Whether it is asked over TLS.
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::KameaTls | Self::NginxTls | Self::HaproxyTls)
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// The processes that the harness has started.
    children: Vec<Child>,
    /// All its processes.
    pids: Vec<u32>,
}

impl Server {
    /// Starts a server over the files of `data`, and checks that it answers.
    pub(crate) fn start(kind: Kind, data: &Path) -> Result<Self, Error> {
        let mut server = match kind {
            Kind::Nginx => Self::start_nginx(data)?,
            Kind::NginxTls => secure::start_nginx(data)?,
            Kind::HaproxyTls => secure::start_haproxy(data)?,
            Kind::Gunicorn | Kind::Granian | Kind::Flask => Self::start_python(kind, data)?,
            Kind::Application(application) => applications::start(application, data)?,
            Kind::WebSockets(which) => websockets::start(which, data)?,
            Kind::Fcgiwrap => cgi_peers::start_fcgiwrap(data)?,
            Kind::Apache => cgi_peers::start_apache(data)?,
            Kind::Lighttpd => cgi_peers::start_lighttpd(data)?,
            _ => Self::start_ours(kind, data)?,
        };
        server.find_processes()?;
        Ok(server)
    }

    /// Checks that it answers, and finds its processes.
    fn find_processes(&mut self) -> Result<(), Error> {
        match self.kind {
            Kind::WebSockets(_) => self.check_websocket()?,
            _ => self.check()?,
        }
        for child in &self.children {
            self.pids.extend(process::family(child.id())?);
        }
        Ok(())
    }

    fn start_ours(kind: Kind, data: &Path) -> Result<Self, Error> {
        let command = match kind {
            Kind::Floor { close } => {
                let mut command = pinned(&program("floor")?);
                command.args(close.then_some("--close"));
                command
            }
            Kind::Hyper => pinned(&program("hyper-peer")?),
            _ => {
                let mut command = pinned(&program("spidey")?);
                command.args(["-p", "0", "-b", "127.0.0.1", "--workers", "1"]);
                // All clients of the benchmark have one address.
                command.args(["--connections-per-client", "10000", "-d"]);
                command.arg(data);
                if kind == Kind::KameaTls {
                    let (certificate, key) = secure::certificate(data);
                    command.arg("--tls-cert").arg(certificate);
                    command.arg("--tls-key").arg(key);
                }
                if kind == Kind::KameaWsgi {
                    command.args(["--wsgi", APPLICATION, "--wsgi-workers", "1"]);
                    command.arg("--venv").arg(python::environment(data));
                    command.current_dir(data);
                }
                command
            }
        };
        Self::start_program(kind, command)
    }

    /// A program of ours: it prints where it listens.
    fn start_program(kind: Kind, mut command: Command) -> Result<Self, Error> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("a server without stdout")?);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self::new(kind, nowhere, vec![child]);
        let (line, lines) = wait_for(lines, kind, "Listening on ")?;
        drain(lines);
        server.address = line.parse()?;
        Ok(server)
    }

    fn start_nginx(data: &Path) -> Result<Self, Error> {
        let (address, run) = (free_address()?, run_folder(data, "nginx")?);
        let config = run.join("nginx.conf");
        std::fs::write(&config, nginx_config(&run, data, &address.to_string(), ""))?;
        Self::start_with_nginx(Kind::Nginx, address, &config, Vec::new())
    }

    /// nginx, and the children that it needs.
    fn start_with_nginx(
        kind: Kind,
        address: SocketAddr,
        config: &Path,
        others: Vec<Child>,
    ) -> Result<Self, Error> {
        let mut command = pinned(Path::new("nginx"));
        command.args(["-e", "stderr", "-c"]).arg(config);
        // nginx listens before it starts its worker, and reports the start at level `notice`.
        Self::start_peer(kind, address, command, "start worker process ", others)
    }

    /// A peer that prints `ready` on its standard error, and the children that it needs.
    fn start_peer(
        kind: Kind,
        address: SocketAddr,
        mut command: Command,
        ready: &str,
        others: Vec<Child>,
    ) -> Result<Self, Error> {
        let mut server = Self::new(kind, address, others);
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("a server without stderr")?);
        server.children.push(child);
        let (_, lines) = wait_for(lines, kind, ready)?;
        drain(lines);
        Ok(server)
    }

    fn start_python(kind: Kind, data: &Path) -> Result<Self, Error> {
        let address = free_address()?;
        let programs = python::environment(data).join("bin");
        let application = match kind {
            Kind::Flask => FLASK,
            _ => APPLICATION,
        };
        let mut command = if kind != Kind::Granian {
            let mut command = pinned(&programs.join("gunicorn"));
            command.args(["--workers", "1", "--bind", &address.to_string()]);
            command
        } else {
            let mut command = pinned(&programs.join("granian"));
            command.args(["--interface", "wsgi", "--workers", "1", "--no-access-log"]);
            command.args(["--port", &address.port().to_string()]);
            command
        };
        let log = || File::create(data.with_file_name("bench-python.log"));
        let child = command
            .arg(application)
            .current_dir(data)
            .stdout(log()?)
            .stderr(log()?)
            .spawn()?;
        Self::once_it_listens(kind, address, child)
    }

    /// A peer that does not say when it is ready.
    fn once_it_listens(kind: Kind, address: SocketAddr, child: Child) -> Result<Self, Error> {
        let server = Self::new(kind, address, vec![child]);
        let until = Instant::now() + ANSWER_TIME;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                return Err(format!("{} did not start", kind.name()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Its processes are known once it has been checked.
    fn new(kind: Kind, address: SocketAddr, children: Vec<Child>) -> Self {
        Self {
            kind,
            address,
            children,
            pids: Vec::new(),
        }
    }

    /// Fails unless the server answers with the body that every server must return.
    fn check(&self) -> Result<(), Error> {
        if self.kind.is_secure() {
            return SecureStream::open(self).map(drop);
        }
        let mut stream = self.connect()?;
        let request = format!("GET /small.txt HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        io::Write::write_all(&mut stream, request.as_bytes())?;
        let (mut answer, expected) = (Vec::new(), body());
        let mut chunk = [0; 4096];
        while !answer.ends_with(&expected) {
            let received = stream.read(&mut chunk)?;
            if received == 0 {
                let head = String::from_utf8_lossy(&answer).into_owned();
                return Err(
                    format!("{}: not the expected answer: {head}", self.kind.name()).into(),
                );
            }
            answer.extend_from_slice(&chunk[..received]);
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("{}: not a 200", self.kind.name()).into());
        }
        Ok(())
    }

    pub(crate) fn connect(&self) -> Result<TcpStream, Error> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        Ok(stream)
    }

    /// User and system time of all its processes until now, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64, Error> {
        self.pids.iter().map(|&pid| process::cpu_us(pid)).sum()
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, Error> {
        self.pids
            .iter()
            .map(|&pid| process::memory(pid, "VmRSS"))
            .sum()
    }

    /// Its peak resident memory, in bytes.
    pub(crate) fn peak_resident(&self) -> Result<f64, Error> {
        self.pids
            .iter()
            .map(|&pid| process::memory(pid, "VmHWM"))
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            match self.kind {
                // Ours are one process each. If they are killed, they end even if they hang.
                Kind::Kamea
                | Kind::KameaWsgi
                | Kind::KameaProxy
                | Kind::Application(_)
                | Kind::KameaTls
                | Kind::WebSockets(_)
                | Kind::Floor { .. }
                | Kind::Hyper => {
                    drop(child.kill());
                }
                // fcgiwrap leaves its processes behind. The others end theirs on request, at once.
                _ => process::terminate(child),
            }
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// A command that runs on the servers' core, in a process group of its own. It gets a SIGTERM when
/// the harness dies.
pub(crate) fn pinned(program: &Path) -> Command {
    pinned_to(CORE, program)
}

fn pinned_to(core: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "-c", core]);
    command.arg(program).stdin(Stdio::null()).process_group(0);
    command
}

/// A program of this workspace, which was built into the folder of the harness.
pub(crate) fn program(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!(
            "{} is missing: cargo build --release --workspace --bins",
            path.display()
        )
        .into())
    }
}

/// Reads lines until one contains `what`. Returns the word after it.
fn wait_for<R: BufRead>(mut lines: R, kind: Kind, what: &str) -> Result<(String, R), Error> {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(format!("{} did not start: {}", kind.name(), said.trim()).into());
        }
        if let Some((_, rest)) = line.split_once(what) {
            let word = rest.split_whitespace().next().unwrap_or_default();
            return Ok((word.to_owned(), lines));
        }
        said.push_str(&line);
    }
}

/// Continues to read, so that the server never waits for its log.
fn drain(mut lines: impl Read + Send + 'static) {
    std::thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
}

/// The folder for what a peer needs besides the data.
fn run_folder(data: &Path, name: &str) -> io::Result<PathBuf> {
    let run = data.with_file_name(name);
    std::fs::create_dir_all(&run)?;
    Ok(run)
}

/// nginx set up for speed: sendfile, cached descriptors, no access log. `listen` is its address, with
/// what belongs to it, and `more` is further configuration.
fn nginx_config(run: &Path, data: &Path, listen: &str, more: &str) -> String {
    // The worker must be able to read the files of the user that runs the harness.
    let user = if rustix::process::geteuid().is_root() {
        "user root root;\n"
    } else {
        ""
    };
    let (run, data) = (run.display(), data.display());
    format!(
        "{user}daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid {run}/nginx.pid; error_log stderr notice;
events {{ worker_connections 19000; multi_accept on; use epoll; }}
http {{
    sendfile on; sendfile_max_chunk 0; tcp_nopush on; tcp_nodelay on;
    open_file_cache max=1000; access_log off; server_tokens off;
    keepalive_requests 1000000000; keepalive_timeout 3600s; reset_timedout_connection on;
    types {{ text/plain txt; }} default_type application/octet-stream;
    client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
    autoindex on; gzip_static on;
    server {{ listen {listen} backlog=1024; root {data}; {more} }}
}}
"
    )
}
