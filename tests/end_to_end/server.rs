//! A started server, and a client that sends raw bytes.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use tempfile::TempDir;

/// Nothing may hang: a read that takes this long fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns a program of the project, which is in the folder above that of these tests. `cargo test`
/// builds the programs of each package that it tests; with only the package of the tools, `spidey`
/// may be missing.
pub(crate) fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().with_file_name(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo build --workspace --bins` builds it",
        program.display()
    );
    program
}

/// `spidey` with its own document root.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) root: TempDir,
    log: mpsc::Receiver<String>,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
        Self::start_in(root, options)
    }

    /// Starts a server with a configuration file, and these files, in its document root.
    pub(crate) fn configured(configuration: &str, files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let all = [("spidey.toml", configuration), ("hello.txt", "hello\n")];
        for (name, content) in all.iter().chain(files) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let file = root.path().join("spidey.toml");
        Self::start_in(root, &["-c", file.to_str().unwrap()])
    }

    pub(crate) fn start_in(root: TempDir, options: &[&str]) -> Self {
        let mut command = Command::new(built("spidey"));
        command
            .args(["-p", "0", "-b", "127.0.0.1", "-d"])
            .arg(root.path())
            .args(options);
        Self::start_with(root, command)
    }

    /// Starts a server in its document root, as a user would.
    pub(crate) fn start_inside(root: TempDir, options: &[&str]) -> Self {
        let mut command = Command::new(built("spidey"));
        command
            .args(["-p", "0", "-b", "127.0.0.1"])
            .args(options)
            .current_dir(root.path());
        Self::start_with(root, command)
    }

    pub(crate) fn start_with(root: TempDir, mut command: Command) -> Self {
        // The host names of the tests.
        let mut child = command
            .args(["--host", "test", "--host", "a"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (started, starts) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            started.send((line, stdout))
        });
        let (line, stdout) = starts.recv_timeout(PATIENCE).unwrap();
        let address = line
            .trim()
            .strip_prefix("Listening on ")
            .unwrap_or_else(|| panic!("{line:?}"));
        let address = address.parse().unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| lines.send(line))
        });
        Self {
            child,
            address,
            root,
            log,
            stdout,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Connects from 127.0.0.`last`, as another client.
    pub(crate) fn connect_from(&self, last: u8) -> Client {
        let from = SocketAddr::from(([127, 0, 0, last], 0));
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &from).unwrap();
        connect(&socket, &self.address).unwrap();
        Client::over(socket.into())
    }

    /// Sends one request on its own connection.
    pub(crate) fn ask(&self, request: &str) -> Response {
        let mut client = self.connect();
        client.send(request);
        client.response(request.starts_with("HEAD"))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// The server still answers.
    pub(crate) fn assert_well(&self) {
        assert_eq!(self.get("/hello.txt").text(), "hello\n");
    }

    /// Waits for a line of the log that contains `text`.
    pub(crate) fn logged(&self, text: &str) -> String {
        let mut lines = self.log_until(text);
        lines.pop().unwrap()
    }

    /// Returns the lines of the log up to one that contains `text`.
    pub(crate) fn log_until(&self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| line.contains(text)) {
            let line = self.log.recv_timeout(PATIENCE);
            lines.push(line.unwrap_or_else(|_| panic!("no line with {text:?}")));
        }
        lines
    }

    /// Returns the rest of the log of a server that has ended.
    pub(crate) fn rest_of_log(&self) -> Vec<String> {
        self.log.iter().collect()
    }

    /// Sends one request with its own fields.
    pub(crate) fn ask_with(&self, method: &str, path: &str, fields: &str) -> Response {
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"
        ))
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Returns the peak memory of the process, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// Returns what the process has open, except the descriptors of its workers, which may still be
    /// starting: event queues, and copies.
    pub(crate) fn descriptors(&self) -> HashSet<String> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // A descriptor that is closed meanwhile has no link any more.
        let links = folder.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let links = links.map(|link| link.display().to_string());
        links.filter(|link| !link.contains("[event")).collect()
    }

    /// Whether the process has children, including zombies.
    pub(crate) fn has_children(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let mut tasks = tasks.map_while(Result::ok);
        tasks.any(|task| {
            let children = fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            let mut ids = children.split_whitespace().filter_map(|id| id.parse().ok());
            ids.any(|id| !is_guard(id))
        })
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for(&mut self.child)
    }
}

/// Waits until a program has ended.
pub(crate) fn wait_for(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status,
            None => assert!(Instant::now() < until, "the program does not end"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let read = BufReader::new(stream.try_clone().unwrap());
        Self { stream, read }
    }

    /// The same client, for work that takes long without optimisation.
    pub(crate) fn patient(self) -> Self {
        self.stream.set_read_timeout(Some(6 * PATIENCE)).unwrap();
        self
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has already closed has answered, and the test checks that answer.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n")
            .unwrap_or_else(|| panic!("a line that does not end: {line:?}"))
            .to_owned()
    }

    /// Reads one response, strictly.
    pub(crate) fn response(&mut self, is_head: bool) -> Response {
        let mut response = self.head();
        let status = response.status;
        if is_head || status < 200 || status == 204 || status == 304 {
            return response;
        }
        match response.field("content-length") {
            Some(length) => {
                let length = length.parse().unwrap();
                response.body = self.exactly(length);
            }
            None if response.field("transfer-encoding") == Some("chunked") => loop {
                let size = usize::from_str_radix(&self.line(), 16).unwrap();
                response.body.extend(self.exactly(size));
                assert_eq!(self.line(), "", "a chunk and its end");
                if size == 0 {
                    break;
                }
            },
            None => response.body = self.rest(),
        }
        response
    }

    /// Reads the head of a response, strictly.
    pub(crate) fn head(&mut self) -> Response {
        let status_line = self.line();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status = status
            .unwrap_or_else(|| panic!("{status_line:?}"))
            .parse()
            .unwrap();
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            fields.push((name.to_owned(), value.to_owned()));
        }
        Response {
            status,
            fields,
            body: Vec::new(),
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads a line of a body without framing.
    pub(crate) fn line_of_rest(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        line
    }

    /// Reads until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.read.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&rest)),
        }
    }
}

/// Whether a process is the guard of the programs that a server has started. It stays as long as
/// the server.
pub(crate) fn is_guard(id: u32) -> bool {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    line.ends_with(b"\0guard\0")
}
