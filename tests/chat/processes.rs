//! `start_peer`: processes of their own that talk, are killed, and start again; and a tracker that
//! never sees a message, and goes in the midst of it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kamea_components::net::testing::free_ports;
use kamea_components::websocket::{Assembler, Decoder, Encoder, Event, Limits, Message, Role};
use serde_json::{Value, json};

use super::relays::{Relay, Wire};
use crate::started::Started;

const TRACKER: &str = env!("CARGO_BIN_EXE_start_tracker");
pub(super) const PEER: &str = env!("CARGO_BIN_EXE_start_peer");

/// How long anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A peer in a process of its own.
pub(super) struct Peer {
    child: Child,
    page: SocketAddr,
    token: String,
}

impl Peer {
    pub(super) fn start(name: &str, data: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(PEER)
            .args(["--name", name, "--ip", "127.0.0.1", "--data"])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let says = format!("{name} listens on 127.0.0.1:");
        assert!(line.starts_with(&says), "{line}");
        let url = line.trim().rsplit_once("http://").unwrap().1;
        let (page, token) = url.split_once("/#token=").unwrap();
        Self {
            child,
            page: page.parse().unwrap(),
            token: token.to_owned(),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.page).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request with the token, and returns status and body.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    pub(super) fn live(&self) -> Page {
        Page::open(self)
    }

    /// kill -9.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The live connection of a page.
pub(super) struct Page {
    stream: TcpStream,
    encoder: Encoder,
    decoder: Decoder,
    assembler: Assembler,
    events: Vec<Value>,
    next: u64,
}

impl Page {
    fn open(peer: &Peer) -> Self {
        let mut page = Self::connect(peer);
        page.send(&json!({"do": "log-in", "token": peer.token}));
        page
    }

    /// Without a login.
    fn connect(peer: &Peer) -> Self {
        let port = peer.page.port();
        let request = format!(
            "GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nOrigin: http://127.0.0.1:{port}\r\n\r\n"
        );
        let mut stream = peer.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        Self {
            stream,
            encoder: Encoder::new(Role::Client, None),
            decoder: Decoder::new(Role::Client, Limits::default(), None),
            assembler: Assembler::default(),
            events: Vec::new(),
            next: 0,
        }
    }

    fn receive(&mut self) -> Value {
        loop {
            while let Some(event) = self.decoder.next().unwrap() {
                if let Event::Data {
                    kind,
                    bytes,
                    is_last,
                } = event
                    && let Some(message) = self.assembler.add(kind, bytes, is_last).unwrap()
                {
                    return serde_json::from_slice(message.payload()).unwrap();
                }
            }
            let mut buffer = [0; 8192];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the page was closed");
            self.decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
        }
    }

    fn send(&mut self, command: &Value) {
        let mut bytes = BytesMut::new();
        let rest = self
            .encoder
            .message(&Message::text(command.to_string()), &mut bytes);
        self.stream.write_all(&bytes).unwrap();
        self.stream.write_all(&rest.unwrap_or_default()).unwrap();
    }

    /// The code with which the peer closes the connection, instead of an event.
    fn closed(&mut self) -> u16 {
        loop {
            match self.decoder.next().unwrap() {
                Some(Event::Close(close)) => return close.code.0,
                Some(Event::Data { .. }) => panic!("an event"),
                Some(_) => {}
                None => {
                    let mut buffer = [0; 8192];
                    let count = self.stream.read(&mut buffer).unwrap();
                    assert!(count > 0, "it ends without a code");
                    self.decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
                }
            }
        }
    }

    /// Does a command. Events that come before its answer are kept.
    pub(super) fn ask(&mut self, mut command: Value) -> Result<Value, String> {
        self.next += 1;
        command["id"] = self.next.into();
        self.send(&command);
        loop {
            let value = self.receive();
            if value["reply"] == self.next {
                return match value["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(value["ok"].clone()),
                };
            }
            self.events.push(value);
        }
    }

    fn event(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(place) = self.events.iter().position(&is_it) {
                return self.events.remove(place);
            }
            let event = self.receive();
            self.events.push(event);
        }
    }

    fn channel(&mut self, name: &str) -> Option<Value> {
        let known = self.ask(json!({"do": "channels"})).unwrap();
        let known = known["channels"].as_array().unwrap().clone();
        known.into_iter().find(|channel| channel["name"] == name)
    }

    fn history(&mut self, channel: &str) -> Vec<(String, String)> {
        let command = json!({"do": "history", "channel": channel, "limit": 500});
        let page = self.ask(command).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = page["messages"].as_array().unwrap().iter();
        messages
            .map(|message| (text(&message["id"]), text(&message["text"])))
            .collect()
    }
}

/// Waits for something that needs the network.
pub(super) fn until<T>(what: &str, mut try_it: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = try_it() {
            return found;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

const NAMES: [&str; 10] = [
    "ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal", "ida", "joe",
];

/// No tracker may see this.
const MARKER: &str = "only for members";

/// Ten peers in processes of their own, those that run with their pages.
struct Peers {
    folder: tempfile::TempDir,
    /// The first of their ports: each listens at the same one again.
    first_port: u16,
    /// The way of each half to the tracker.
    wires: [Wire; 2],
    /// What goes from one half to the other passes these.
    relays: Vec<Relay>,
    running: Vec<Option<(Peer, Page)>>,
    channel: String,
    said: BTreeSet<String>,
}

impl Peers {
    fn new(tracker: SocketAddr) -> Self {
        let first_port = free_ports(20).unwrap();
        let pairs =
            |half: std::ops::Range<u16>| half.map(|n| (first_port + n, first_port + 10 + n));
        let relays = pairs(0..10).map(|(port, relay)| Relay::start(relay, port));
        let others = [pairs(5..10), pairs(0..5)];
        Self {
            folder: tempfile::tempdir().unwrap(),
            first_port,
            wires: others.map(|others| Wire::naming(tracker, others.collect())),
            relays: relays.collect(),
            running: NAMES.map(|_| None).into(),
            channel: String::new(),
            said: BTreeSet::new(),
        }
    }

    fn start(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let (name, port) = (NAMES[number], self.first_port + number as u16);
            let data = self.folder.path().join(name);
            let tracker = format!("http://{}", self.wires[number / 5].address);
            let arguments = ["--tracker", &tracker, "--port", &port.to_string()];
            let peer = Peer::start(name, &data, &arguments);
            let page = peer.live();
            self.running[number] = Some((peer, page));
        }
    }

    fn kill(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let (peer, _) = self.running[number].take().unwrap();
            peer.kill();
        }
    }

    fn page(&mut self, number: usize) -> &mut Page {
        &mut self.running[number].as_mut().unwrap().1
    }

    /// One creates a channel, and all others join it.
    fn join(&mut self) {
        let create = json!({"do": "create", "channel": "tea", "policy": "open"});
        let created = self.page(0).ask(create).unwrap();
        self.channel = created["channel"].as_str().unwrap().to_owned();
        for number in 1..NAMES.len() {
            let join = json!({"do": "join", "channel": self.channel});
            let page = self.page(number);
            until("the channel is known", || page.channel("tea"));
            page.ask(join).unwrap();
        }
    }

    /// Waits until the peers of a half have what they have said, and nothing of the other half.
    fn agree_apart(&mut self, half: std::ops::Range<usize>, what: &str) {
        let names = &NAMES[half.clone()];
        let mine = |text: &str| {
            names
                .iter()
                .any(|name| text.contains(&format!("by {name} ")))
        };
        let said: BTreeSet<_> = (self.said.iter())
            .filter(|text| !text.contains(what) || mine(text))
            .cloned()
            .collect();
        let (channel, running) = (&self.channel, &mut self.running[half]);
        until(what, || {
            let mut pages = running.iter_mut().flatten().map(|(_, page)| page);
            let has_all = |page: &mut Page| {
                let history = page.history(channel).into_iter();
                let texts: BTreeSet<_> = history.map(|(_, text)| text).collect();
                assert!(
                    texts.is_subset(&said),
                    "{what}: more than this half has said"
                );
                texts == said
            };
            pages.all(has_all).then_some(())
        });
    }

    /// Each peer that runs says three things.
    fn say(&mut self, what: &str) {
        let running = self.running.iter_mut().zip(NAMES);
        for (page, name) in running.filter_map(|(peer, name)| Some((&mut peer.as_mut()?.1, name))) {
            for number in 0..3 {
                let text = format!("{MARKER}: {what} by {name} {number}");
                let send = json!({"do": "send", "channel": self.channel, "text": text});
                page.ask(send).unwrap();
                self.said.insert(text);
            }
        }
    }

    /// Waits until those that run have the same history: all that was said, once.
    fn agree(&mut self, what: &str) {
        let (channel, said) = (&self.channel, &self.said);
        let running = &mut self.running;
        until(what, || {
            let mut pages = running.iter_mut().flatten().map(|(_, page)| page);
            let first = pages.next().unwrap().history(channel);
            let is_whole = first.len() == said.len();
            (is_whole && pages.all(|page| page.history(channel) == first)).then_some(())
        });
        let page = running.iter_mut().flatten().next();
        let history = page.unwrap().1.history(channel);
        let texts: BTreeSet<_> = history.into_iter().map(|(_, text)| text).collect();
        assert_eq!(&texts, said, "{what}");
    }
}

#[test]
fn ten_peers_that_are_killed_and_cut_off_and_without_a_tracker_lose_nothing() {
    let tracker = Started::new(TRACKER, &[]);
    let mut peers = Peers::new(tracker.address);
    peers.start(0..10);
    peers.join();
    peers.say("all are here");
    peers.agree("all have what all have said");
    // Two are killed, and the tracker goes, while the others go on.
    peers.kill(1..3);
    drop(tracker);
    peers.say("two are away");
    // They come back without a tracker: they know where the others were.
    peers.start(1..3);
    peers.say("they are back");
    peers.agree("those that came back have what they missed");
    // Each half goes on without the other one.
    peers.kill(5..10);
    peers.say("the first half");
    peers.kill(0..5);
    peers.start(5..10);
    peers.say("the second half");
    peers.start(0..5);
    peers.say("together again");
    peers.agree("both halves have one history in one order");
    // Nothing passes between the halves, and then it does again.
    peers.relays.iter().for_each(Relay::cut);
    peers.say("apart");
    peers.agree_apart(0..5, "apart");
    peers.agree_apart(5..10, "apart");
    peers.relays.iter().for_each(Relay::heal);
    peers.say("healed");
    peers.agree("the halves have one history again");
    for wire in &peers.wires {
        assert!(wire.has_seen("cleo") && !wire.has_seen(MARKER));
    }
}

#[test]
fn a_conversation_costs_the_tracker_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = Started::new(TRACKER, &[]);
    let wire = Wire::to(tracker.address);
    let url = format!("http://{}", wire.address);
    let start = |name: &str| Peer::start(name, &folder.path().join(name), &["--tracker", &url]);
    let (ada, bob) = (start("ada"), start("bob"));
    let (mut of_ada, mut of_bob) = (ada.live(), bob.live());
    until("they are connected, and the tracker knows it", || {
        wire.has_seen(r#""links":["bob"]"#).then_some(())
    });
    let direct = |page: &mut Page, peer: &str| {
        let direct = json!({"do": "direct", "peer": peer});
        page.ask(direct).unwrap()["channel"].clone()
    };
    let channel = direct(&mut of_ada, "bob");
    let before = wire.seen.lock().unwrap().len();
    let filler = "x".repeat(1_000);
    for number in 0..200 {
        let (from, to) = match number % 2 {
            0 => (&mut of_ada, &mut of_bob),
            _ => (&mut of_bob, &mut of_ada),
        };
        let text = format!("{MARKER} {number} {filler}");
        let send = json!({"do": "send", "channel": channel, "text": text});
        let sent = from.ask(send).unwrap();
        let is_it = |event: &Value| {
            event["event"] == "message" && event["message"]["id"] == sent["message"]
        };
        assert_eq!(to.event(is_it)["message"]["text"], text);
    }
    let seen = wire.seen.lock().unwrap();
    let during = String::from_utf8_lossy(&seen[before..]);
    // What a heartbeat asks for, and nothing else.
    let requests = during.lines().filter(|line| line.ends_with(" HTTP/1.1"));
    let heartbeat = [
        "/submit-info/",
        "/add-list/",
        "/get-list/",
        "/connect-peer/",
    ];
    for request in requests {
        assert!(
            heartbeat.iter().any(|path| request.contains(path)),
            "{request}"
        );
    }
    assert!(during.len() < 20_000, "{} bytes of 200,000", during.len());
    assert!(!during.contains(MARKER) && !during.contains(&filler));
}

#[test]
fn the_tracker_knows_who_is_connected_and_who_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = Started::new(TRACKER, &[]);
    let wire = Wire::to(tracker.address);
    let url = format!("http://{}", wire.address);
    let start = |name: &str| Peer::start(name, &folder.path().join(name), &["--tracker", &url]);
    let (ada, _bob) = (start("ada"), start("bob"));
    until("ada says that it is connected to bob", || {
        wire.has_seen(r#""links":["bob"]"#).then_some(())
    });
    let is_listed = || {
        tracker
            .ask("GET /get-list/ HTTP/1.1", "")
            .body()
            .contains("ada")
    };
    assert!(is_listed());
    let pid = ada.child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(killed.success());
    let start = Instant::now();
    until("ada has left", || (!is_listed()).then_some(()));
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "the lease has ended"
    );
}

#[test]
fn a_direct_message_is_seen_delivered_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = Started::new(TRACKER, &[]);
    let url = format!("http://{}", tracker.address);
    let start = |name: &str| Peer::start(name, &folder.path().join(name), &["--tracker", &url]);
    let (ada, bob) = (start("ada"), start("bob"));
    let (mut of_ada, mut of_bob) = (ada.live(), bob.live());
    let hello = of_ada.event(|event| event["event"] == "hello");
    assert_eq!(hello["me"]["name"], "ada");
    let is_direct = |event: &Value| event["event"] == "peer" && event["state"] == "direct";
    let peer = of_ada.event(|event| is_direct(event) || event["event"] == "hello");
    assert_eq!(peer["name"], "bob");
    assert_eq!(peer["fingerprint"].as_str().unwrap().len(), 39);

    let (status, answer) = ada.post("/send-peer/", &json!({"peer": "bob", "text": "psst"}));
    assert_eq!(status, 200, "{answer}");
    let said = of_bob.event(|event| event["event"] == "message");
    let message = &said["message"];
    assert_eq!(
        (&message["text"], &message["author"]),
        (&json!("psst"), &json!("ada"))
    );
    assert_eq!(message["id"], answer["message"]);
    let state = |page: &mut Page, state: &str| {
        page.event(|event| event["event"] == "state" && event["state"] == state)
    };
    assert_eq!(
        state(&mut of_ada, "delivered")["message"],
        answer["message"]
    );
    let read = json!({"do": "read", "channel": said["channel"], "message": message["id"]});
    of_bob.ask(read).unwrap();
    assert_eq!(state(&mut of_ada, "read")["message"], answer["message"]);

    let (status, answer) = bob.post("/broadcast-peer", &json!({"text": "to all"}));
    assert_eq!((status, &answer["peers"]), (200, &json!(1)), "{answer}");
    let said =
        of_ada.event(|event| event["event"] == "message" && event["message"]["mine"] == false);
    assert_eq!(said["message"]["text"], "to all");
    for (body, what) in [
        (json!({"peer": "nobody", "text": "x"}), "nobody"),
        (json!({"peer": "bob"}), "text"),
        (json!({"peer": "bob", "text": ""}), "empty"),
    ] {
        let (status, answer) = ada.post("/send-peer/", &body);
        assert_eq!(status, 422, "{answer}");
        assert!(
            answer["detail"].as_str().unwrap().contains(what),
            "{answer}"
        );
    }
}

/// Sends a request, and returns its status.
fn status(peer: &Peer, request: &str) -> u16 {
    let mut stream = peer.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[9..]).parse().unwrap()
}

#[test]
fn the_page_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start("ada", folder.path(), &[]);
    let (port, token) = (peer.page.port(), &peer.token);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let foreign = "Origin: https://evil.example\r\n";
    let other_port = format!("Origin: http://127.0.0.1:{}\r\n", port ^ 1);
    let rebound = "Host: evil.example\r\n";
    let cookie = format!("Cookie: kamea-chat-{port}={token}; token={token}\r\n");
    let embedded = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    let cases = [
        ("the page, which has no secrets", "GET /", own.clone(), 200),
        (
            "a link to it",
            "GET /",
            format!("{own}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"),
            200,
        ),
        (
            "another name for this machine",
            "GET /",
            format!("{rebound}{bearer}"),
            421,
        ),
        (
            "a part in another page",
            "GET /chat.js",
            format!("{own}{embedded}"),
            403,
        ),
        ("a part that there is not", "GET /nothing", own.clone(), 404),
        ("no token", "POST /send-peer/", own.clone(), 401),
        (
            "a wrong token",
            "POST /send-peer/",
            format!("{own}Authorization: Bearer x\r\n"),
            401,
        ),
        (
            "the token in the query",
            "POST /send-peer/?token=TOKEN",
            own.clone(),
            401,
        ),
        (
            "the token as a cookie",
            "POST /send-peer/",
            format!("{own}{cookie}"),
            401,
        ),
        (
            "the token, and no body",
            "POST /send-peer/",
            format!("{own}{bearer}"),
            422,
        ),
        (
            "a page of another site",
            "POST /send-peer/",
            format!("{own}{bearer}{foreign}"),
            403,
        ),
        (
            "a page of another port",
            "POST /send-peer/",
            format!("{own}{bearer}{other_port}"),
            403,
        ),
        ("a command by GET", "GET /send-peer/", own.clone(), 405),
        (
            "a live page, before its login",
            "GET /live",
            format!("{own}{upgrade}"),
            101,
        ),
        (
            "a live page of another site",
            "GET /live",
            format!("{own}{upgrade}{foreign}"),
            403,
        ),
        (
            "a live page of another port",
            "GET /live",
            format!("{own}{upgrade}{other_port}"),
            403,
        ),
        (
            "a live page by another name",
            "GET /live",
            format!("{rebound}{upgrade}"),
            421,
        ),
    ];
    for (what, line, fields, expected) in cases {
        let line = line.replace("TOKEN", token);
        let request = format!("{line} HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(status(&peer, &request), expected, "{what}");
    }
}

#[test]
fn a_live_page_without_the_token_learns_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start("ada", folder.path(), &[]);
    let token = &peer.token;
    for first in [
        json!({"do": "hello", "id": 1}),
        json!({"do": "log-in"}),
        json!({"do": "log-in", "token": ""}),
        json!({"do": "log-in", "token": token[1..]}),
        json!({"do": "log-in", "token": [token]}),
        json!({"do": "hello", "id": 1, "token": token}),
        json!([token]),
        json!(token),
    ] {
        let mut page = Page::connect(&peer);
        page.send(&first);
        assert_eq!(page.closed(), 4401, "{first}");
    }
    let mut page = peer.live();
    let hello = page.event(|event| event["event"] == "hello");
    assert_eq!(
        (&hello["me"]["name"], &hello["tracker"]),
        (&json!("ada"), &json!("none"))
    );
}

#[test]
fn mistakes_in_the_command_line_and_a_folder_in_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start("ada", folder.path(), &[]);
    let data = folder.path().to_str().unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&[], 2, "--name"),
        (&["--name", "Ada"], 2, "characters of a-z"),
        (
            &["--name", "ada", "--tracker", "127.0.0.1:8001"],
            2,
            "http://",
        ),
        (&["--name", "ada", "--port", "x"], 2, "--port"),
        (&["--name", "ada", "--data", data], 1, "another start_peer"),
        (
            &["--name", "bob", "--data", "/dev/null/x"],
            1,
            "/dev/null/x",
        ),
    ];
    for (arguments, code, what) in cases {
        let output = Command::new("timeout")
            .args(["100", PEER])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(
            stderr.contains(what) && stderr.lines().count() == 1,
            "{stderr}"
        );
    }
    drop(peer);
}
