//! The cookbook: every recipe is started, and the session of its chapter is run against it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::sessions::{assert_shows, is_like, root, sessions};

pub(crate) fn program(recipe: &str) -> PathBuf {
    let spidey = Path::new(env!("CARGO_BIN_EXE_spidey"));
    spidey.with_file_name("examples").join(recipe)
}

/// A recipe that runs in the root of the project.
pub(crate) struct Recipe {
    child: Child,
    pub(crate) address: String,
}

impl Recipe {
    /// Its peak resident memory until now, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &["127.0.0.1:0"])
    }

    pub(crate) fn start_with(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A web server prints where it listens, other servers log it.
        let (said, says) = mpsc::channel();
        read_lines(child.stdout.take().unwrap(), said.clone());
        read_lines(child.stderr.take().unwrap(), said);
        let line = says.recv_timeout(3 * PATIENCE).unwrap();
        let prefixes = ["Listening on ", "INFO: Listening on "];
        let address = prefixes.iter().find_map(|prefix| line.strip_prefix(prefix));
        let address = address
            .unwrap_or_else(|| panic!("{name}: {line}"))
            .to_owned();
        Self { child, address }
    }
}

/// Sends each line of an output of a program to a test, as long as that listens.
fn read_lines(output: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.for_each(|line| drop(to.send(line)));
    });
}

impl Drop for Recipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_recipe_has_a_chapter_whose_session_goes_as_written() {
    let summary = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    let mut recipes: Vec<_> = fs::read_dir(root().join("recipes/cookbook"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    recipes.sort();
    assert!(recipes.len() >= 11);
    for name in recipes {
        let chapter = format!("docs/src/cookbook/{name}.md");
        let text = fs::read_to_string(root().join(&chapter)).unwrap();
        assert!(
            summary.contains(&format!("(cookbook/{name}.md)")),
            "{name} is not in the book"
        );
        assert_shows(&text, &format!("recipes/cookbook/{name}.rs"));
        // A recipe that is not a server is started by its session.
        let is_server = text.contains("localhost:8080");
        let recipe = is_server.then(|| Recipe::start(&name));
        let sessions = sessions(&text);
        assert!(!sessions.is_empty(), "{chapter} has no session");
        for (command, expected) in sessions {
            let here = |text: &str| {
                let address = recipe.as_ref().map(|recipe| recipe.address.as_str());
                let text = text.replace("localhost:8080", address.unwrap_or("localhost:8080"));
                let mut parts = text.split("cargo run -q --example ");
                let first = parts.next().unwrap_or_default().to_owned();
                parts.fold(first, |text, part| {
                    let (recipe, arguments) = part.split_once(" --").unwrap();
                    text + program(recipe).to_str().unwrap() + arguments
                })
            };
            let output = Command::new("timeout")
                .args(["120", "bash", "-c", &here(&command)])
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(
                is_like(&printed, &here(&expected)),
                "{chapter}: {command}\n{printed}"
            );
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_a_recipe_fails_with_is_a_line_for_people() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (address, expected) in [
        (taken.to_string(), "in use"),
        ("999.9.9.9:80".to_owned(), "IP:PORT or PORT"),
    ] {
        let output = Command::new(program("static_site"))
            .arg(&address)
            .current_dir(root())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.starts_with("Error: ") && said.contains(expected),
            "{said}"
        );
        assert!(
            !said.contains(['"', '{']) && said.lines().count() == 1,
            "{said}"
        );
    }
}

fn client(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Reads as many bytes as are expected.
fn expect(client: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    client.read_exact(&mut heard).unwrap();
    let (heard, expected) = (
        String::from_utf8_lossy(&heard),
        String::from_utf8_lossy(expected),
    );
    assert_eq!(heard, expected);
}

#[test]
fn in_the_chat_everybody_hears_everybody() {
    let recipe = Recipe::start("chat");
    let mut guests: Vec<_> = (1..=3).map(|_| client(&recipe.address)).collect();
    // One after another, so that the clients are known, and all have joined.
    for (number, guest) in guests.iter_mut().enumerate() {
        guest.write_all(b"here\r\n").unwrap();
        let own = format!("guest {}: here\n", number + 1);
        let mut line = String::new();
        while !line.ends_with(&own) {
            let mut byte = [0];
            guest.read_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
    }
    // The first two have also received the messages of those that came later.
    expect(&mut guests[0], b"guest 2: here\nguest 3: here\n");
    expect(&mut guests[1], b"guest 3: here\n");
    // A client that sends a line that is too long is disconnected; the others stay.
    guests[2].write_all(&[b'x'; 4096]).unwrap();
    guests[1].write_all("caf\u{e9}?\n".as_bytes()).unwrap();
    for guest in &mut guests[..2] {
        expect(guest, "guest 2: caf\u{e9}?\n".as_bytes());
    }
    if let Err(error) = guests[2].read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn the_relay_keeps_datagrams_apart() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap().to_string();
    let recipe = Recipe::start_with("relay", &["127.0.0.1:0", &to]);
    let (mut connection, _) = server.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for word in ["one", "", "three"] {
        sender.send_to(word.as_bytes(), &recipe.address).unwrap();
    }
    expect(&mut connection, b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three");
}
