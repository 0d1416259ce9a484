//! The live view without its page: who may use it, and what it shows.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kamea::Scheduler;
use kamea_components::inspect::Inspector;
use kamea_components::server::{Site, WebServer};
use kamea_components::stream::echo;
use kamea_components::websocket::Message;
use serde_json::Value;

use super::cookbook::program;
use super::server::{Client, PATIENCE, Response, Server};
use super::websocket::Client as WebSocketClient;

const TOKEN: &str = "correct horse battery";

/// A server, and the address of its inspector.
pub(crate) fn inspected(options: &[&str]) -> (Server, SocketAddr) {
    let inspect = ["--inspect", "127.0.0.1:0", "--inspect-token", TOKEN];
    let server = Server::start(&[&inspect, options].concat());
    let line = server.logged("Inspect at http://");
    let address = line.rsplit_once("http://").unwrap().1.trim_end_matches('/');
    (server, address.parse().unwrap())
}

/// Returns the address of the page, with the token.
pub(crate) fn page(inspector: SocketAddr) -> String {
    format!("http://{inspector}/?token={}", TOKEN.replace(' ', "+"))
}

/// Sends one request, with its own fields.
fn ask(address: SocketAddr, path: &str, fields: &str) -> Response {
    let mut client = Client::connect(address);
    client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n"));
    client.response(false)
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    let fields = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    ask(address, path, &fields)
}

/// An event stream that is being read.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let fields = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
        write!(stream, "GET {path} HTTP/1.1\r\n{fields}\r\n").unwrap();
        let mut events = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(
                events.read_line(&mut line).unwrap() > 0,
                "{path}: no whole head"
            );
        }
        Self(events)
    }

    /// Returns the data of the next event with this name.
    fn next(&mut self, name: &str) -> String {
        let mut found = false;
        loop {
            let mut line = String::new();
            assert!(
                self.0.read_line(&mut line).unwrap() > 0,
                "the stream has ended before {name}"
            );
            match line.trim_end().split_once(": ") {
                Some(("event", event)) => found = event == name,
                Some(("data", data)) if found => return data.to_owned(),
                _ => {}
            }
        }
    }

    fn json(&mut self, name: &str) -> Value {
        serde_json::from_str(&self.next(name)).unwrap()
    }
}

#[test]
fn the_census_counts_what_the_server_has_done() {
    let (server, inspector) = inspected(&[]);
    let mut client = server.connect();
    for _ in 0..3 {
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response(false).status, 200);
    }
    let census = get(inspector, "/census");
    assert_eq!(census.field("content-type"), Some("application/json"));
    let census: Value = serde_json::from_slice(&census.body).unwrap();
    let graphs = census["graphs"].as_array().unwrap();
    let connection = graphs
        .iter()
        .find(|graph| graph["name"] == "connection")
        .unwrap();
    let links = connection["links"].as_array().unwrap();
    let to_router = links.iter().find(|link| link["to"] == "router").unwrap();
    assert_eq!(to_router["messages"], 3, "{to_router}");
    assert!(
        graphs.iter().all(|graph| graph["name"] != "topologies"),
        "it does not show itself"
    );
    assert_eq!(
        get(inspector, "/hello.txt").status,
        404,
        "it serves no files"
    );
}

#[test]
fn every_recipe_can_be_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cookbook");
    for recipe in fs::read_dir(folder).unwrap() {
        let path = recipe.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            // A page of a recipe.
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if text.contains("kamea::run(") {
            // It shows a program without the library of the recipes.
            continue;
        }
        // These calls handle the option in all other recipes.
        let understands = ["serve(", "serve_beside(", "run("]
            .iter()
            .any(|call| text.contains(call));
        assert!(
            understands && text.contains("kamea_recipes::"),
            "{}",
            path.display()
        );
    }
    let mut recipe = Command::new(program("handler_hello"))
        .args(["127.0.0.1:0", "--inspect", "127.0.0.1:0"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(recipe.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("Inspect at http://").unwrap();
    let (address, token) = url.split_once("/?token=").unwrap();
    let fields = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
    let census = ask(address.parse().unwrap(), "/census", &fields).text();
    recipe.kill().unwrap();
    recipe.wait().unwrap();
    assert!(census.contains("\"workers\""), "{census}");
}

#[test]
fn the_page_comes_with_nothing_from_elsewhere_and_nothing_inline() {
    let (_server, inspector) = inspected(&[]);
    let page = get(inspector, "/");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.field("content-security-policy").unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(!text.contains("style=") && !text.contains("<style") && !text.contains("onclick"));
    let links = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("href=\"").or(word.strip_prefix("src=\"")));
    for link in links.filter(|link| link.starts_with('/')) {
        let (path, _) = link.split_once('"').unwrap();
        assert_eq!(get(inspector, path).status, 200, "{path}");
    }
    assert!(
        get(inspector, "/dagre.LICENSE")
            .text()
            .contains("Permission is hereby granted")
    );
}

#[test]
fn an_open_page_gets_a_census_again_and_again() {
    let (_server, inspector) = inspected(&[]);
    let mut events = Events::open(inspector, "/events");
    let hello = events.json("hello");
    assert_eq!(
        (&hello["program"], &hello["explains"]),
        (&"spidey".into(), &true.into())
    );
    let uptime = |census: Value| census["uptime_seconds"].as_f64().unwrap();
    let first = uptime(events.json("census"));
    let second = uptime(events.json("census"));
    assert!(
        first < second && second < first + 2.0 + PATIENCE.as_secs_f64(),
        "{first} {second}"
    );
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    for (options, line) in [
        (
            [
                "--inspect",
                "0.0.0.0:0",
                "--inspect-topologies",
                "127.0.0.1:0",
            ],
            "error: anybody could look at what runs at 0.0.0.0:0: inspect at a loopback address such as 127.0.0.1:9235, or set a token",
        ),
        (
            ["--inspect", "127.0.0.1:0", "--inspect-token", "short"],
            "error: the token is too short: it takes 16 characters or more",
        ),
        (
            [
                "--inspect",
                "127.0.0.1:0",
                "--inspect-topologies",
                "0.0.0.0:0",
            ],
            "error: anybody could draw at 0.0.0.0:0: take topology lines at a loopback address such as 127.0.0.1:1500",
        ),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_spidey"))
            .args(["-p", "0", "-b", "127.0.0.1"])
            .args(options)
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert_eq!(String::from_utf8_lossy(&refused.stderr).trim(), line);
    }
}

#[test]
fn a_token_is_asked_for_and_never_told() {
    let options = ["--inspect", "0.0.0.0:0", "--inspect-token", TOKEN, "-v"];
    let server = Server::start(&options);
    let line = server.logged("Inspect at http://");
    let (_, address) = line.trim_end_matches('/').rsplit_once(':').unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], address.parse().unwrap()));
    let host = "Host: any.example\r\n";
    let refused = ask(address, "/census", host);
    assert_eq!(refused.status, 401);
    assert!(
        refused
            .field("www-authenticate")
            .unwrap()
            .starts_with("Basic realm=")
    );
    let wrong = ask(
        address,
        "/",
        &format!("{host}Authorization: Bearer {TOKEN}!\r\n"),
    );
    assert_eq!(wrong.status, 401);
    let basic = BASE64_STANDARD.encode(format!("me:{TOKEN}"));
    for right in [format!("Bearer {TOKEN}"), format!("Basic {basic}")] {
        let allowed = ask(
            address,
            "/census",
            &format!("{host}Authorization: {right}\r\n"),
        );
        assert_eq!(allowed.status, 200, "{right}");
    }
    server.signal("TERM");
    let mut server = server;
    assert!(server.wait().success());
    for line in server.rest_of_log() {
        assert!(!line.contains(TOKEN) && !line.contains(&basic), "{line}");
    }
}

#[test]
fn a_name_that_somebody_else_has_made_to_mean_this_machine_leads_nowhere() {
    let server = Server::start(&["--inspect", "127.0.0.1:0"]);
    let line = server.logged("Inspect at http://");
    let (_, url) = line.rsplit_once("http://").unwrap();
    let (inspector, token) = url.split_once("/?token=").unwrap();
    let inspector = inspector.parse().unwrap();
    for host in [
        "rebound.example",
        "rebound.example:80",
        "localhost.rebound.example",
    ] {
        let fields = format!("Host: {host}\r\nAuthorization: Bearer {token}\r\n");
        let refused = ask(inspector, "/census", &fields);
        assert_eq!(refused.status, 421, "{host}");
        assert!(!refused.text().contains("uptime"));
    }
    let foreign = "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    assert_eq!(ask(inspector, "/events", foreign).status, 403);
}

#[test]
fn another_program_is_drawn_by_topology_lines() {
    let (server, inspector) = inspected(&["--inspect-topologies", "127.0.0.1:0"]);
    let line = server.logged("Topology lines at ");
    let address = line.rsplit_once(' ').unwrap().1;
    let mut events = Events::open(inspector, "/events");
    assert_eq!(events.next("sketches"), "[]");
    let mut program = TcpStream::connect(address).unwrap();
    program.set_read_timeout(Some(PATIENCE)).unwrap();
    // The session of Kamaelia's own documentation.
    let lines = "DEL ALL\nADD NODE 1 \"1st node\" randompos -\nADD NODE 2 \"2nd node\" randompos -\n\
        ADD NODE 3 \"3rd node\" randompos -\nADD LINK 1 2\nADD LINK 3 2\nDEL LINK 1 2\nDEL NODE 1\n";
    program.write_all(lines.as_bytes()).unwrap();
    program.write_all(b"DEL NODE 1\nGET ALL\n").unwrap();
    program.shutdown(Shutdown::Write).unwrap();
    let mut answers = String::new();
    program.read_to_string(&mut answers).unwrap();
    let expected = "ERROR \"there is no node 1\"\nDEL ALL\nADD NODE 2 \"2nd node\" auto -\nADD NODE 3 \"3rd node\" auto -\nADD LINK 3 2\n";
    assert_eq!(answers, expected);
    loop {
        let sketches = events.json("sketches");
        if sketches[0]["is_connected"] == false {
            assert_eq!(
                sketches[0]["name"],
                program.local_addr().unwrap().to_string()
            );
            assert_eq!(
                sketches[0]["sketch"]["links"].to_string(),
                r#"[{"from":"3","to":"2"}]"#
            );
            break;
        }
    }
}

const EXPLAIN: &str = "Kamea-Explain: correct horse battery\r\n";

#[test]
fn a_client_that_knows_the_secret_may_have_its_request_explained() {
    let (server, _) = inspected(&[]);
    let explained = server.ask_with("GET", "/hello.txt", EXPLAIN);
    assert_eq!(explained.field("content-type"), Some("application/json"));
    let explanation: Value = serde_json::from_slice(&explained.body).unwrap();
    let hops = explanation["hops"].as_array().unwrap();
    let way: Vec<_> = hops
        .iter()
        .map(|hop| hop["component"].as_str().unwrap())
        .collect();
    assert_eq!(way, ["parser", "router", "files"]);
    assert_eq!(explanation["response"]["length"], 6);
    // Behind a proxy all clients seem to be on this machine: that alone must not give access.
    for wrong in ["1", "", "correct horse", "Correct Horse Battery"] {
        let plain = server.ask_with("GET", "/hello.txt", &format!("Kamea-Explain: {wrong}\r\n"));
        assert_eq!(plain.text(), "hello\n", "{wrong}");
    }
    let proxied = format!("{EXPLAIN}X-Forwarded-For: 192.0.2.1\r\n");
    let explained = server.ask_with("GET", "/hello.txt", &proxied);
    assert_eq!(explained.field("content-type"), Some("application/json"));
    let uninspected = Server::start(&[]);
    let plain = uninspected.ask_with("GET", "/hello.txt", EXPLAIN);
    assert_eq!(plain.text(), "hello\n");
}

#[test]
fn the_next_request_of_a_path_may_be_explained_to_who_looks() {
    let (server, inspector) = inspected(&[]);
    let mut events = Events::open(inspector, "/explain?path=%2Fhello*");
    // The server may need a moment to notice it.
    let explanation = std::thread::scope(|scope| {
        let explained = scope.spawn(|| events.json("explanation"));
        while !explained.is_finished() {
            assert_eq!(server.get("/none").status, 404);
            server.assert_well();
        }
        explained.join().unwrap()
    });
    assert_eq!(explanation["request"]["target"], "/hello.txt");
    assert_eq!(explanation["response"]["status"], 200);
}

#[test]
fn a_closed_page_is_not_worked_for_any_more() {
    let (_server, inspector) = inspected(&[]);
    // A refusal arrives at once; an empty line means that the explanation is being prepared.
    fn refused(events: &mut Events) -> bool {
        let mut lines = events.0.by_ref().lines().map(Result::unwrap);
        let line = lines.find(|line| line.is_empty() || line.starts_with("event: "));
        line.is_some_and(|line| line == "event: refused")
    }
    let open = || Events::open(inspector, "/explain?path=/none");
    let mut all: Vec<_> = (0..16).map(|_| open()).collect();
    assert!(!all.iter_mut().any(refused));
    assert!(refused(&mut open()), "there are as many as there may be");
    drop(all);
    let until = std::time::Instant::now() + 2 * PATIENCE;
    while refused(&mut open()) {
        assert!(
            std::time::Instant::now() < until,
            "closed pages are still worked for"
        );
    }
}

#[test]
fn a_tap_shows_messages_and_no_secrets() {
    let (server, inspector) = inspected(&[]);
    for (from, to) in [
        ("reader.outbox", "parser.bytes"),
        ("explain.passed", "router.requests"),
    ] {
        let mut events = Events::open(
            inspector,
            &format!("/tap?graph=connection&from={from}&to={to}"),
        );
        let sample = std::thread::scope(|scope| {
            let sampled = scope.spawn(|| events.json("sample"));
            while !sampled.is_finished() {
                server.ask_with(
                    "GET",
                    "/hello.txt",
                    "Cookie: id=secret\r\nAuthorization: Basic c2VjcmV0\r\n",
                );
            }
            sampled.join().unwrap()
        });
        let text = sample["text"].as_str().unwrap();
        assert!(
            text.contains("hello.txt") && text.contains("(redacted)"),
            "{text}"
        );
        assert!(
            !text.contains("id=secret") && !text.contains("c2VjcmV0"),
            "{text}"
        );
    }
    assert_eq!(get(inspector, "/tap?graph=connection").status, 400);
}

#[test]
fn a_tap_shows_messages_of_websockets_and_no_secrets() {
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new(".")).websocket("/echo", || echo);
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
    let listening = listening.unwrap();
    let inspector = Inspector::new("127.0.0.1:0".parse().unwrap(), Some(TOKEN)).unwrap();
    let inspecting = inspector.run(scheduler.workers()).unwrap();
    let inspector = inspecting.address();
    let mut client = WebSocketClient::open(&listening.addresses()[0].to_string(), "/echo");
    let link = "graph=websocket+%2Fecho&from=protocol%2Freceive.messages&to=protocol%2Fpart.inbox";
    for (message, expected) in [
        (Message::text("hello"), r#"Text("hello")"#),
        (Message::binary(vec![1, b'a']), r#"Binary(b"\x01a")"#),
        (
            Message::text(r#"{"user": "ada", "token": "abc-7"}"#),
            r#"Text("{\"user\": \"ada\", \"token\": (redacted)"#,
        ),
        (
            Message::text("password=abc-7&x=y"),
            r#"Text("password=(redacted)&x=y")"#,
        ),
    ] {
        let mut events = Events::open(inspector, &format!("/tap?{link}"));
        let sample = std::thread::scope(|scope| {
            let sampled = scope.spawn(|| events.json("sample"));
            while !sampled.is_finished() {
                client.send(message.clone());
                assert_eq!(client.next(), Ok(message.clone()));
            }
            sampled.join().unwrap()
        });
        assert_eq!(sample["text"], expected);
    }
}

#[test]
fn thousands_of_connections_are_one_graph() {
    let (server, inspector) = inspected(&["--connections-per-client", "300"]);
    const MANY: usize = 300;
    let clients: Vec<_> = (0..MANY).map(|_| server.connect()).collect();
    let until = std::time::Instant::now() + 2 * PATIENCE;
    loop {
        let census: Value = serde_json::from_slice(&get(inspector, "/census").body).unwrap();
        let graphs = census["graphs"].as_array().unwrap();
        let held: Vec<_> = graphs
            .iter()
            .filter(|graph| graph["name"] == "held connection")
            .collect();
        if let [held] = &held[..]
            && held["running"] == MANY
        {
            let worst = held["worst"].as_array().unwrap().len();
            assert!((1..=12).contains(&worst), "{worst}");
            break;
        }
        assert!(std::time::Instant::now() < until, "{held:?}");
    }
    drop(clients);
}
