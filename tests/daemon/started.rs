//! Programs that run while a test speaks with them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A program that runs until the end of its test.
pub(crate) struct Started {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it has printed before it listened.
    pub(crate) printed: Vec<String>,
    /// The lines that it writes to stderr.
    log: Mutex<mpsc::Receiver<String>>,
}

impl Started {
    /// Starts a program on a free port, and waits until it listens.
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["--server-ip", "127.0.0.1", "--server-port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let written = BufReader::new(child.stderr.take().unwrap());
        // Read to the end, so that the program never waits for its log.
        thread::spawn(move || {
            for line in written.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = Vec::new();
        let address = loop {
            let line = lines.next().expect("it listens").unwrap();
            match line.strip_prefix("Listening on ") {
                Some(address) => {
                    break address
                        .trim_start_matches("http://")
                        .trim_start_matches("https://")
                        .trim_end_matches('/')
                        .parse()
                        .unwrap();
                }
                None => printed.push(line),
            }
        };
        Self {
            child,
            address,
            printed,
            log: Mutex::new(log),
        }
    }

    /// Waits until it has written a line with this text to stderr.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let log = self.log.lock().unwrap();
        let mut lines = Vec::new();
        while !lines
            .last()
            .is_some_and(|line: &String| line.contains(text))
        {
            match log.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => lines.push(line),
                Err(_) => panic!("{text:?} is not in the log: {lines:#?}"),
            }
        }
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends a request, and returns the whole response.
    pub(crate) fn ask(&self, head: &str, body: &str) -> Answered {
        let length = format!("Content-Length: {}\r\n", body.len());
        let length = if body.is_empty() { "" } else { &length };
        self.send(&format!(
            "{head}\r\nHost: test\r\nConnection: close\r\n{length}\r\n{body}"
        ))
    }

    /// Sends bytes, and returns the whole response.
    pub(crate) fn send(&self, bytes: &str) -> Answered {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        Answered(String::from_utf8_lossy(&response).into_owned())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        let wait = Some(Duration::from_secs(60));
        stream.set_read_timeout(wait).unwrap();
        stream
    }

    /// Runs curl on a path; returns what it prints.
    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let url = format!("http://{}{path}", self.address);
        let output = Command::new("curl")
            .args(["-s", "--max-time", "60"])
            .args(arguments)
            .arg(url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answered(String);

impl Answered {
    pub(crate) fn status(&self) -> u16 {
        let code = self.0.split(' ').nth(1);
        code.and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The values of a field.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let fields = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let named = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value).collect()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields(name).first().copied().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}
