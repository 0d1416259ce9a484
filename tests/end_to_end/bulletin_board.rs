//! The steps of the bulletin board: each is started and tested over raw sockets.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::server::{PATIENCE, wait_for};
use super::sessions::assert_shows;

struct Board {
    child: Child,
    address: String,
}

impl Board {
    fn start(step: u32) -> Self {
        Self::start_with(step, None)
    }

    /// With a file for the messages, which steps from the fifth on have.
    fn start_with(step: u32, file: Option<&Path>) -> Self {
        let spidey = Path::new(env!("CARGO_BIN_EXE_spidey"));
        let program = spidey.with_file_name(format!("examples/bulletin_board_{step}"));
        let mut child = Command::new(program)
            .arg("127.0.0.1:0")
            .args(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (said, says) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            lines.for_each(|line| drop(said.send(line)));
        });
        let line = says.recv_timeout(3 * PATIENCE).unwrap();
        let address = line.strip_prefix("Listening on ").unwrap();
        Self {
            child,
            address: address.to_owned(),
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn visit(&self) -> Visitor {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Visitor(stream)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Visitor(TcpStream);

impl Visitor {
    fn says(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Expects exactly these bytes next.
    #[track_caller]
    fn hears(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        for at in 0..heard.len() {
            let came = self.0.read(&mut heard[at..=at]);
            let so_far = String::from_utf8_lossy(&heard[..at]).into_owned();
            assert_eq!(came.ok(), Some(1), "in place of {text:?} came {so_far:?}");
        }
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    #[track_caller]
    fn logs_in_as(&mut self, nick: &str) {
        self.hears(LOGIN);
        self.says(&format!("{nick}\n"));
        self.hears(&format!("Hello, {nick}. h is for help.\r\n> "));
    }

    /// The connection is closed, and no bytes came before that.
    #[track_caller]
    fn hears_the_end(&mut self) {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

const LOGIN: &str = "Welcome to the bulletin board.\r\nYour nick name: ";

#[test]
fn every_file_is_in_the_tutorial() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tutorial = root.join("../docs/src/tutorial/bulletin_board.md");
    let tutorial = fs::read_to_string(tutorial).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(root.join("bulletin_board")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("recipes/bulletin_board/{name}");
        assert_shows(&tutorial, &path);
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn step_1_echoes_bytes() {
    let board = Board::start(1);
    let (mut ada, mut bob) = (board.visit(), board.visit());
    ada.says("half a li");
    ada.hears("half a li");
    bob.says("\0\u{1F300}\n");
    bob.hears("\0\u{1F300}\n");
    ada.says("ne\n");
    ada.hears("ne\n");
    ada.0.shutdown(Shutdown::Write).unwrap();
    ada.hears_the_end();
}

#[test]
fn step_2_greets_and_takes_lines() {
    let board = Board::start(2);
    let mut ada = board.visit();
    ada.hears("Welcome to the bulletin board.\r\n");
    ada.says("he");
    ada.says("llo\r\nwor");
    ada.hears("You said: hello\r\n");
    ada.says("ld\n");
    ada.hears("You said: world\r\n");
    ada.0.shutdown(Shutdown::Write).unwrap();
    ada.hears_the_end();
}

#[test]
fn step_3_asks_for_a_name() {
    let board = Board::start(3);
    let mut ada = board.visit();
    ada.hears(LOGIN);
    for wrong in ["", "two words", "seventeenletters7"] {
        ada.says(&format!("{wrong}\r\n"));
        ada.hears("One word of 1 to 16 letters and digits, please.\r\nYour nick name: ");
    }
    ada.says("Åda\r\n");
    ada.hears("Hello, Åda.\r\nGoodbye.\r\n");
    ada.hears_the_end();
    // A client that leaves in the middle of it takes nothing with it.
    drop(board.visit());
    board.visit().hears(LOGIN);
}

#[test]
fn step_4_has_a_menu() {
    let board = Board::start(4);
    let mut ada = board.visit();
    ada.logs_in_as("ada");
    ada.says("h\n");
    ada.hears("h  this help\r\nq  leave\r\n> ");
    ada.says("x\n");
    ada.hears("There is no such choice; h is for help.\r\n> ");
    ada.says("q\n");
    ada.hears("Goodbye.\r\n");
    ada.hears_the_end();
}

#[test]
fn step_5_reads_messages_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages");
    let board = Board::start_with(5, Some(&file));
    let mut ada = board.visit();
    ada.logs_in_as("ada");
    ada.says("r\n");
    ada.hears("> "); // there is no file yet
    fs::write(&file, "root: be nice\nbob: hello\n").unwrap();
    ada.says("r\n");
    ada.hears("root: be nice\r\nbob: hello\r\n> ");
    ada.says("?\n");
    ada.hears("r  read the messages\r\nq  leave\r\n> ");
    ada.says("q\n");
    ada.hears("Goodbye.\r\n");
    ada.hears_the_end();
}

#[test]
fn step_6_keeps_what_users_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages");
    let board = Board::start_with(6, Some(&file));
    let (mut ada, mut bob) = (board.visit(), board.visit());
    ada.logs_in_as("ada");
    bob.logs_in_as("bob");
    ada.says("w\n");
    ada.hears("Your message: ");
    bob.says("w\n");
    bob.hears("Your message: ");
    bob.says("hello\u{7}\n");
    bob.hears("It is on the board.\r\n> ");
    ada.says("good morning\n");
    ada.hears("It is on the board.\r\n> ");
    bob.says("r\n");
    bob.hears("bob: hello\r\nada: good morning\r\n> ");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "bob: hello\nada: good morning\n"
    );

    drop(board);
    let board = Board::start_with(6, Some(&file));
    let mut eve = board.visit();
    eve.logs_in_as("eve");
    eve.says("r\nq\n");
    eve.hears("bob: hello\r\nada: good morning\r\n> Goodbye.\r\n");
    eve.hears_the_end();
}

#[test]
fn step_6_has_room_for_a_thousand_messages() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages");
    fs::write(&file, "x: y\n".repeat(999)).unwrap();
    let board = Board::start_with(6, Some(&file));
    let mut ada = board.visit();
    ada.logs_in_as("ada");
    ada.says("w\nthe last\nw\none too many\n");
    ada.hears("Your message: It is on the board.\r\n> Your message: The board is full.\r\n> ");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1000);
}

#[test]
fn step_7_tells_those_who_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let board = Board::start_with(7, Some(&folder.path().join("messages")));
    let (mut ada, mut bob, mut eve) = (board.visit(), board.visit(), board.visit());
    ada.logs_in_as("ada");
    bob.logs_in_as("bob");
    eve.logs_in_as("eve");
    eve.says("q\n");
    eve.hears("Goodbye.\r\n");
    eve.hears_the_end();
    for text in ["one", "two"] {
        ada.says(&format!("w\n{text}\n"));
        bob.hears(&format!("\r\n* ada: {text}\r\n"));
    }
    bob.says("r\nq\n");
    bob.hears("ada: one\r\nada: two\r\n> Goodbye.\r\n");
    bob.hears_the_end();
}

#[test]
fn a_stop_lets_conversations_end_and_the_board_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages");
    let mut board = Board::start_with(7, Some(&file));
    let mut ada = board.visit();
    ada.logs_in_as("ada");
    ada.says("w\nthe last words\n");
    ada.hears("Your message: ");
    board.signal("INT");
    let mut rest = String::new();
    ada.0.read_to_string(&mut rest).unwrap();
    // Her own message may come as news behind it.
    assert!(rest.contains("Goodbye.\r\n"), "{rest:?}");
    assert!(wait_for(&mut board.child).success());
    // Messages accepted before the stop are kept; whether this one was accepted depends on the
    // socket.
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        rest.contains("It is on the board."),
        written == "ada: the last words\n"
    );
}
