//! WebSockets over real sockets: the recipes, and a real browser.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use kamea_components::websocket::{
    Assembler, Close, CloseCode, Decoder, Deflate, Encoder, Event, Limits, Message, Role,
};
use serde_json::{Value, json};

use super::cookbook::Recipe;
use super::devtools::Browser;
use super::server::PATIENCE;

/// A client that speaks raw WebSocket.
pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    assembler: Assembler,
}

impl Client {
    /// Opens a WebSocket without extensions.
    pub(crate) fn open(address: &str, path: &str) -> Self {
        Self::open_with(address, path, "")
    }

    /// Opens a WebSocket with further fields in its request.
    pub(crate) fn open_with(address: &str, path: &str, fields: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{fields}\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let limits = Limits {
            message: 64 << 20,
            frame: 64 << 20,
            ..Limits::default()
        };
        Self {
            stream,
            decoder: Decoder::new(Role::Client, limits, None::<Deflate>),
            assembler: Assembler::default(),
        }
    }

    pub(crate) fn send(&mut self, message: impl Into<Message>) {
        let mut bytes = BytesMut::new();
        let rest = Encoder::new(Role::Client, None).message(&message.into(), &mut bytes);
        self.stream.write_all(&bytes).unwrap();
        self.stream.write_all(&rest.unwrap_or_default()).unwrap();
    }

    /// The next message, or how the server closes.
    pub(crate) fn next(&mut self) -> Result<Message, Close> {
        let mut buffer = [0; 65536];
        loop {
            while let Some(event) = self.decoder.next().unwrap() {
                match event {
                    Event::Data {
                        kind,
                        bytes,
                        is_last,
                    } => {
                        if let Some(message) = self.assembler.add(kind, bytes, is_last).unwrap() {
                            return Ok(message);
                        }
                    }
                    Event::Close(close) => return Err(close),
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection has ended without a close frame");
            self.decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
        }
    }

    /// Closes the connection by the book.
    pub(crate) fn close(&mut self, code: CloseCode) {
        let mut bytes = BytesMut::new();
        Encoder::new(Role::Client, None).close(&Close::new(code, ""), &mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Waits for the end of the connection, with a close frame or without.
    pub(crate) fn expect_end(&mut self) {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }

    fn next_json(&mut self) -> Value {
        serde_json::from_str(self.next().unwrap().as_text().unwrap()).unwrap()
    }
}

#[test]
fn the_echo_takes_messages_of_16_mebibytes() {
    let recipe = Recipe::start("websocket_echo");
    let mut client = Client::open(&recipe.address, "/echo");
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 16 << 20]),
        Message::text("ä".repeat(4 << 20)),
    ] {
        client.send(message.clone());
        assert!(client.next() == Ok(message));
    }
    client.send(vec![7; (16 << 20) + 1]);
    assert_eq!(client.next().unwrap_err().code, CloseCode::TOO_BIG);
}

#[test]
fn the_chat_has_history_and_a_list_of_guests() {
    let recipe = Recipe::start("websocket_chat");
    let mut ada = Client::open(&recipe.address, "/chat");
    ada.send("ada");
    assert_eq!(ada.next_json(), json!({"you": "ada"}));
    assert_eq!(ada.next_json(), json!({"guests": ["ada"]}));
    for number in 0..60 {
        let text = format!("message {number}");
        ada.send(text.clone());
        assert_eq!(ada.next_json(), json!({"from": "ada", "text": text}));
    }
    // Another one of the same name, who sees the last 50 messages and none twice.
    let mut second = Client::open(&recipe.address, "/chat");
    second.send("ada");
    assert_eq!(second.next_json(), json!({"you": "ada 2"}));
    for number in 10..60 {
        let text = format!("message {number}");
        assert_eq!(second.next_json(), json!({"from": "ada", "text": text}));
    }
    for client in [&mut ada, &mut second] {
        assert_eq!(client.next_json(), json!({"guests": ["ada", "ada 2"]}));
    }
    second.send("<b>hello</b>");
    for client in [&mut ada, &mut second] {
        assert_eq!(
            client.next_json(),
            json!({"from": "ada 2", "text": "<b>hello</b>"})
        );
    }
    // It vanishes without a word.
    drop(second);
    assert_eq!(ada.next_json(), json!({"guests": ["ada"]}));
    let mut nobody = Client::open(&recipe.address, "/chat");
    nobody.send(" ".repeat(30));
    assert_eq!(nobody.next().unwrap_err().code, CloseCode::POLICY);
}

#[test]
fn a_live_log_shows_lines_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap();
    writeln!(log, "old").unwrap();
    let file = path.display().to_string();
    let recipe = Recipe::start_with("live_log", &["127.0.0.1:0", &file]);
    let mut browsers: Vec<_> = (0..3)
        .map(|_| Client::open(&recipe.address, "/lines"))
        .collect();
    // What a browser sends is dropped.
    browsers[0].send("hello?");
    // When a first line has come, all of them watch.
    for number in 0..3 {
        writeln!(log, "line {number}").unwrap();
        for browser in &mut browsers {
            let line = browser.next().unwrap();
            assert_eq!(line.as_text().unwrap(), format!("line {number}"));
        }
    }
}

/// The recipe of a terminal, whose user is ada with the password "secret".
fn terminal() -> Recipe {
    let user = "ada:$2y$04$c0akbAPVd6KJyT1aOQM.aOFrfhOU84Gwf/K/xZSzyhHL0V//T9Hz2";
    Recipe::start_with("web_terminal", &["127.0.0.1:0", user])
}

/// ada:secret in base64.
const LOGIN: &str = "Authorization: Basic YWRhOnNlY3JldA==\r\n";

/// Reads what a terminal shows, until it has shown `end`.
fn shown(client: &mut Client, end: &str) -> String {
    let mut all = String::new();
    while !all.contains(end) {
        let message = client
            .next()
            .unwrap_or_else(|close| panic!("{close:?}: {all}"));
        all += &String::from_utf8_lossy(message.payload());
    }
    all
}

#[test]
fn a_terminal_is_behind_a_login_and_ends_with_its_browser() {
    let recipe = terminal();
    for fields in ["", "Authorization: Basic YWRhOndyb25n\r\n"] {
        let mut stream = TcpStream::connect(&recipe.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET /terminal HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{fields}\r\n"
        )
        .unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 401");
    }
    let mut client = Client::open_with(&recipe.address, "/terminal", LOGIN);
    // A pipe is no terminal.
    client.send("test -t 0 && echo $((6 * 7))-$$-$((1 + 1))end\r");
    // What is typed is shown too; this is the answer of the shell.
    let said = shown(&mut client, "-2end");
    let answer = said.split("42-").nth(1).unwrap();
    let pid = answer.split('-').next().unwrap().to_owned();
    let process = format!("/proc/{pid}");
    assert!(std::path::Path::new(&process).exists(), "{said}");
    // Ctrl-c ends a program, and the shell goes on.
    client.send("sleep 1000\r");
    shown(&mut client, "sleep 1000");
    client.send("\x03");
    client.send("echo still-$((40 + 2))\r");
    shown(&mut client, "still-42");
    drop(client);
    let until = Instant::now() + PATIENCE;
    while std::path::Path::new(&process).exists() {
        assert!(Instant::now() < until, "the shell does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    // A shell that ends closes its WebSocket.
    let mut client = Client::open_with(&recipe.address, "/terminal", LOGIN);
    client.send("exit\r");
    let close = loop {
        if let Err(close) = client.next() {
            break close;
        }
    };
    assert_eq!(close.code, CloseCode::NORMAL);
}

#[test]
fn a_terminal_without_a_user_does_not_start() {
    let output = std::process::Command::new(super::cookbook::program("web_terminal"))
        .args(["127.0.0.1:0", "ada:secret"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("htpasswd -nB"),
        "{said}"
    );
}

#[test]
fn the_progress_of_an_upload_is_shown_while_it_arrives() {
    let recipe = Recipe::start("upload_progress");
    let mut pages: Vec<_> = (0..2)
        .map(|_| Client::open(&recipe.address, "/progress"))
        .collect();
    // A page hears what is reported once it has subscribed, so something is reported until it has.
    std::thread::scope(|scope| {
        let heard = scope.spawn(|| pages.iter_mut().for_each(|page| drop(page.next_json())));
        while !heard.is_finished() {
            let mut stream = TcpStream::connect(&recipe.address).unwrap();
            let head = "POST /upload?first HTTP/1.0\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    });
    let next = |page: &mut Client| loop {
        let said = page.next_json();
        if said["name"] == "song.ogg" {
            break said;
        }
    };
    let mut upload = TcpStream::connect(&recipe.address).unwrap();
    upload.set_read_timeout(Some(PATIENCE)).unwrap();
    let half = vec![7; 100_000];
    let length = 2 * half.len();
    write!(
        upload,
        "POST /upload?song.ogg HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let report = |received: usize, is_done: bool| json!({"name": "song.ogg", "received": received, "total": length, "done": is_done});
    for page in &mut pages {
        assert_eq!(next(page), report(0, false));
    }
    // Half of it has arrived, and the other half not yet.
    upload.write_all(&half).unwrap();
    for page in &mut pages {
        let said = next(page);
        let received = said["received"].as_u64().unwrap();
        assert!((65_536..=100_000).contains(&received), "{said}");
        assert_eq!(said["done"], false);
    }
    upload.write_all(&half).unwrap();
    for page in &mut pages {
        let last = loop {
            let said = next(page);
            if said["done"] == true {
                break said;
            }
        };
        assert_eq!(last, report(length, true));
    }
    let mut answer = [0; 15];
    upload.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[test]
fn a_drawing_is_shared() {
    let recipe = Recipe::start("shared_drawing");
    let mut first = Client::open(&recipe.address, "/strokes");
    for stroke in ["0 0 10 10", "10 10 20 0"] {
        first.send(stroke);
        assert_eq!(first.next(), Ok(Message::text(stroke)));
    }
    let mut second = Client::open(&recipe.address, "/strokes");
    for stroke in ["0 0 10 10", "10 10 20 0"] {
        assert_eq!(second.next(), Ok(Message::text(stroke)));
    }
    second.send("5 5 6 6");
    assert_eq!(first.next(), Ok(Message::text("5 5 6 6")));
    first.send("5 5 6 <script>");
    assert_eq!(first.next().unwrap_err().code, CloseCode::POLICY);
    assert_eq!(second.next(), Ok(Message::text("5 5 6 6")));
}

/// Enters the chat in a browser.
fn enter(browser: &mut Browser, recipe: &Recipe, name: &str) {
    browser.go(&format!("http://{}/room", recipe.address));
    browser.wait_for("document.readyState === 'complete' && location.pathname === '/room'");
    say(browser, name);
    browser.wait_for(&format!(
        "document.querySelector('#state').textContent === 'You are {name}.'"
    ));
}

fn say(browser: &mut Browser, text: &str) {
    let text = Value::from(text);
    browser.value(&format!(
        "text.value = {text}; document.querySelector('form').requestSubmit()"
    ));
}

#[test]
fn two_tabs_chat() {
    let recipe = Recipe::start("websocket_chat");
    let mut ada = Browser::open((800, 700));
    enter(&mut ada, &recipe, "ada");
    say(&mut ada, "is <b>anybody</b> here?");
    let mut bob = Browser::open((800, 700));
    enter(&mut bob, &recipe, "bob");
    // The history, and the list of guests, in both.
    bob.wait_for("log.textContent === 'ada is <b>anybody</b> here?'");
    for tab in [&mut ada, &mut bob] {
        tab.wait_for("guests.textContent === 'adabob'");
    }
    say(&mut bob, "I am");
    for tab in [&mut ada, &mut bob] {
        tab.wait_for("log.lastChild.textContent === 'bob I am'");
        assert!(tab.picture().width() >= 800);
        tab.assert_content();
    }
    drop(bob);
    ada.wait_for("guests.textContent === 'ada'");
}

#[test]
fn a_browser_speaks_to_the_echo() {
    let recipe = Recipe::start("websocket_echo");
    let mut browser = Browser::open((800, 600));
    browser.go(&format!("http://{}/", recipe.address));
    browser.wait_for("document.readyState === 'complete' && location.protocol === 'http:'");
    browser.value(
        "window.got = []; window.ending = null;
         const socket = new WebSocket(`ws://${location.host}/echo`);
         socket.binaryType = 'arraybuffer';
         socket.onclose = (event) => ending = `${event.code} ${event.reason} ${event.wasClean}`;
         socket.onmessage = ({ data }) => got.push(typeof data === 'string' ? data.length : data.byteLength);
         socket.onopen = () => {
           socket.send('h\u{e4}llo');
           socket.send(new Uint8Array(1 << 20));
           socket.send('long '.repeat(100000));
         }",
    );
    browser.wait_for("got.length === 3");
    assert_eq!(browser.value("got.join()"), "5,1048576,500000");
    let extensions = browser.value("socket.extensions");
    assert!(
        extensions
            .as_str()
            .unwrap()
            .starts_with("permessage-deflate"),
        "{extensions}"
    );
    browser.value("socket.close(4321, 'enough')");
    browser.wait_for("ending");
    assert_eq!(browser.value("ending"), "4321  true");
    browser.assert_content();
}

const MIB: u64 = 1 << 20;

/// A masked frame whose mask changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    if let Ok(short @ ..126) = u8::try_from(payload.len()) {
        frame = vec![first, 0x80 | short];
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame = vec![first, 0x80 | 126];
        frame.extend(length.to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A client that never reads is slowed down; it costs little memory, and others do not notice.
#[test]
fn a_client_that_never_reads_is_held_back() {
    let recipe = Recipe::start("websocket_echo");
    let mut other = Client::open(&recipe.address, "/echo");
    let before = recipe.peak();
    let mut deaf = Client::open(&recipe.address, "/echo");
    let stalled = Some(Duration::from_secs(2));
    deaf.stream.set_write_timeout(stalled).unwrap();
    let (message, mut written) = (frame(0x82, &[7; 64 * 1024]), 0);
    while let Ok(count) = deaf.stream.write(&message[written % message.len()..]) {
        written += count;
        assert!((written as u64) < 64 * MIB, "it is never held back");
    }
    other.send("hello");
    assert_eq!(other.next(), Ok(Message::text("hello")));
    let grown = recipe.peak() - before;
    assert!(grown < 32 * MIB, "{grown} bytes");
}

/// A message of fragments of one byte is a message; one without end is refused.
#[test]
fn fragments_without_end_are_refused() {
    let recipe = Recipe::start("websocket_echo");
    let mut client = Client::open(&recipe.address, "/echo");
    let mut frames = frame(0x02, b"x");
    for _ in 0..50_000 {
        frames.extend(frame(0x00, b"x"));
    }
    frames.extend(frame(0x80, b""));
    client.stream.write_all(&frames).unwrap();
    assert_eq!(client.next(), Ok(Message::binary(vec![b'x'; 50_001])));
    let before = recipe.peak();
    let mut writer = client.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let piece = frame(0x00, &[7; 64 * 1024]);
        let _ = writer.write_all(&frame(0x02, b""));
        while writer.write_all(&piece).is_ok() {}
    });
    assert_eq!(client.next().unwrap_err().code, CloseCode::TOO_BIG);
    let grown = recipe.peak() - before;
    assert!(grown < 64 * MIB, "{grown} bytes");
}

#[test]
fn a_flood_of_pings_is_refused() {
    let recipe = Recipe::start("websocket_echo");
    let mut client = Client::open(&recipe.address, "/echo");
    let mut writer = client.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let pings = frame(0x89, &[b'p'; 125]).repeat(1000);
        while writer.write_all(&pings).is_ok() {}
    });
    assert_eq!(client.next().unwrap_err().code, CloseCode::POLICY);
}

/// 64 MiB of zeros, which travel as 64 KiB.
#[test]
fn a_compression_bomb_is_refused_in_little_memory() {
    let recipe = Recipe::start("websocket_echo");
    let fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut client = Client::open_with(&recipe.address, "/echo", fields);
    let mut compress = Compress::new_with_window_bits(Compression::best(), false, 15);
    let (zeros, mut bomb) = (vec![0; 1 << 20], Vec::with_capacity(4 << 20));
    for _ in 0..64 {
        let mut rest = &zeros[..];
        while !rest.is_empty() {
            let before = compress.total_in();
            compress
                .compress_vec(rest, &mut bomb, FlushCompress::None)
                .unwrap();
            rest = &rest[(compress.total_in() - before) as usize..];
        }
    }
    compress
        .compress_vec(&[], &mut bomb, FlushCompress::Sync)
        .unwrap();
    let before = recipe.peak();
    // The server may close before it has read all.
    let _ = client.stream.write_all(&frame(0xc2, &bomb));
    assert_eq!(client.next().unwrap_err().code, CloseCode::TOO_BIG);
    let grown = recipe.peak() - before;
    assert!(grown < 64 * MIB, "{grown} bytes");
}
