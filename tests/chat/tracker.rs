//! `start_tracker`: the paths of the assignment, over raw sockets.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;

use kamea_chat::{Identity, to_hex};
use serde_json::{Value, json};

use crate::server::PATIENCE;
use crate::started::{Answered, Started};
use crate::wrong_values::assert_says_what_is_wanted;

const TRACKER: &str = env!("CARGO_BIN_EXE_start_tracker");

/// A peer, as the tracker sees it.
struct Peer {
    name: &'static str,
    identity: Identity,
    /// The value of `Cookie`.
    session: String,
}

impl Peer {
    fn new(name: &'static str, seed: u8) -> Self {
        Self {
            name,
            identity: Identity::from_secret([seed; 32]),
            session: String::new(),
        }
    }

    fn key(&self) -> String {
        self.identity.key().to_string()
    }

    fn nonce(&self, tracker: &Started) -> String {
        let body = json!({"name": self.name, "key": self.key()});
        let answer = post(tracker, "/login/", "", &body);
        assert_eq!(answer.status(), 200, "{answer:?}");
        value(&answer)["nonce"].as_str().unwrap().to_owned()
    }

    fn sign(&self, nonce: &str) -> String {
        let text = format!(
            "kamea-chat login 1\n{nonce}\n{}\n{}\n",
            self.name,
            self.key()
        );
        to_hex(&self.identity.sign(text.as_bytes()))
    }

    fn try_log_in(&self, tracker: &Started) -> Answered {
        let nonce = self.nonce(tracker);
        let body = json!({
            "name": self.name, "key": self.key(), "nonce": nonce, "signature": self.sign(&nonce),
        });
        post(tracker, "/login/", "", &body)
    }

    fn log_in(mut self, tracker: &Started) -> Self {
        let answer = self.try_log_in(tracker);
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(value(&answer)["lease_seconds"], 30);
        self.session = answer
            .field("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        self
    }

    fn post(&self, tracker: &Started, path: &str, body: &Value) -> Answered {
        post(
            tracker,
            path,
            &format!("Cookie: {}\r\n", self.session),
            body,
        )
    }

    /// Registers a port, and joins the public list.
    fn join(&self, tracker: &Started, port: u16) {
        let addresses = json!({"addresses": [format!("0.0.0.0:{port}")]});
        let answer = self.post(tracker, "/submit-info/", &addresses);
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(value(&answer)["addresses"][0], format!("127.0.0.1:{port}"));
        let answer = self.post(tracker, "/add-list/", &json!({}));
        assert_eq!(value(&answer), json!({"listed": true, "channels": []}));
    }
}

fn post(tracker: &Started, path: &str, fields: &str, body: &Value) -> Answered {
    send(tracker, path, fields, "application/json", &body.to_string())
}

fn send(tracker: &Started, path: &str, fields: &str, kind: &str, body: &str) -> Answered {
    tracker.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAccept: application/json\r\n\
         {fields}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn get(tracker: &Started, path: &str) -> Value {
    let answer = tracker.ask(&format!("GET {path} HTTP/1.1"), "");
    assert_eq!(answer.status(), 200, "{answer:?}");
    value(&answer)
}

fn value(answer: &Answered) -> Value {
    serde_json::from_str(answer.body()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn names(list: &Value) -> Vec<&str> {
    let peers = list["peers"].as_array().unwrap().iter();
    peers.map(|peer| peer["name"].as_str().unwrap()).collect()
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    assert_says_what_is_wanted(TRACKER, &[]);
    assert_says_what_is_wanted(env!("CARGO_BIN_EXE_start_peer"), &["--name", "ada"]);
}

#[test]
fn peers_register_and_find_each_other_by_the_paths_of_the_assignment() {
    let tracker = Started::new(TRACKER, &[]);
    for path in [
        "/login/",
        "/submit-info/",
        "/add-list/",
        "/get-list/",
        "/connect-peer/",
    ] {
        assert!(
            tracker.printed.iter().any(|line| line.ends_with(path)),
            "{:?}",
            tracker.printed
        );
    }
    let ada = Peer::new("ada", 1).log_in(&tracker);
    let bob = Peer::new("bob", 2).log_in(&tracker);
    ada.join(&tracker, 9101);
    bob.join(&tracker, 9102);
    let list = get(&tracker, "/get-list/");
    assert_eq!(names(&list), ["ada", "bob"]);
    assert_eq!(list["peers"][0]["fingerprint"].as_str().unwrap().len(), 39);
    // Nobody learns an address without a login.
    assert!(!list.to_string().contains("9101"), "{list}");

    for path in ["/connect-peer/", "/connect-peer"] {
        let answer = ada.post(&tracker, path, &json!({"name": "bob"}));
        assert_eq!(answer.status(), 200, "{answer:?}");
        let reached = value(&answer);
        assert_eq!(reached["addresses"], json!(["127.0.0.1:9102"]));
        assert_eq!(reached["key"], bob.key());
    }
    for path in ["/add-list", "/add-list/"] {
        let answer = ada.post(&tracker, path, &json!({"channel": "Küche 1"}));
        assert_eq!(value(&answer)["channels"], json!(["Küche 1"]), "{answer:?}");
    }
    for path in ["/get-list", "/get-list/"] {
        let of_channel = get(&tracker, &format!("{path}?channel=K%C3%BCche+1"));
        assert_eq!(names(&of_channel), ["ada"]);
        assert_eq!(
            of_channel["channels"],
            json!([{"name": "Küche 1", "peers": 1}])
        );
    }
    // Who leaves is gone at once.
    let answer = bob.post(&tracker, "/submit-info", &json!({"addresses": []}));
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(names(&get(&tracker, "/get-list/")), ["ada"]);
    let answer = ada.post(&tracker, "/connect-peer/", &json!({"name": "bob"}));
    assert_eq!(answer.status(), 404, "{answer:?}");
    assert!(answer.body().contains("bob is away"), "{answer:?}");
    assert!(
        tracker
            .ask("GET / HTTP/1.1", "")
            .body()
            .contains("/connect-peer/")
    );
}

#[test]
fn a_name_belongs_to_the_key_that_had_it_first_over_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tracker.sqlite");
    let data = ["--data", path.to_str().unwrap()];
    let tracker = Started::new(TRACKER, &data);
    let ada = Peer::new("ada", 1).log_in(&tracker);
    ada.join(&tracker, 9101);
    let thief = Peer::new("ada", 2);
    let answer = thief.try_log_in(&tracker);
    assert_eq!(answer.status(), 409, "{answer:?}");
    assert!(
        answer.body().contains("belongs to another key"),
        "{answer:?}"
    );

    // It is killed: nothing is stored at its end.
    drop(tracker);
    let tracker = Started::new(TRACKER, &data);
    assert_eq!(names(&get(&tracker, "/get-list/")), ["ada"]);
    assert_eq!(thief.try_log_in(&tracker).status(), 409);
    // Its session is over: it logs in again.
    let answer = ada.post(&tracker, "/submit-info/", &json!({"addresses": []}));
    assert_eq!(answer.status(), 401, "{answer:?}");
    assert!(
        answer.field("www-authenticate").starts_with("Session"),
        "{answer:?}"
    );
    let ada = ada.log_in(&tracker);
    ada.join(&tracker, 9103);
    let bob = Peer::new("bob", 3).log_in(&tracker);
    let reached = value(&bob.post(&tracker, "/connect-peer/", &json!({"name": "ada"})));
    assert_eq!(reached["addresses"], json!(["127.0.0.1:9103"]));
}

#[test]
fn a_login_needs_the_signature_of_the_key_over_a_nonce_that_is_used_once() {
    let tracker = Started::new(TRACKER, &[]);
    let (ada, eve) = (Peer::new("ada", 1), Peer::new("eve", 2));
    let nonce = ada.nonce(&tracker);
    let log_in = |key: String, nonce: &str, signature: String| {
        let body = json!({"name": "ada", "key": key, "nonce": nonce, "signature": signature});
        post(&tracker, "/login/", "", &body)
    };
    for (key, nonce, signature, why) in [
        (
            ada.key(),
            &*nonce,
            eve.sign(&nonce),
            "the signature is wrong",
        ),
        (ada.key(), &nonce, "00".repeat(64), "the signature is wrong"),
        (
            eve.key(),
            &nonce,
            eve.sign(&nonce),
            "not one of this tracker",
        ),
        (
            ada.key(),
            &eve.nonce(&tracker),
            ada.sign(&nonce),
            "not one of this tracker",
        ),
        (
            ada.key(),
            &"0".repeat(64),
            ada.sign(&"0".repeat(64)),
            "not one of this tracker",
        ),
    ] {
        let answer = log_in(key, nonce, signature);
        assert_eq!(answer.status(), 403, "{answer:?}");
        assert!(answer.body().contains(why), "{answer:?}");
        assert!(answer.fields("set-cookie").is_empty(), "{answer:?}");
    }
    assert_eq!(log_in(ada.key(), &nonce, ada.sign(&nonce)).status(), 200);
    for again in [nonce.clone(), nonce.to_uppercase()] {
        let answer = log_in(ada.key(), &again, ada.sign(&nonce));
        assert_eq!(answer.status(), 403, "{answer:?}");
    }
}

#[test]
fn one_address_registers_so_many_names_behind_a_trusted_proxy_too() {
    let arguments = ["--registrations", "2", "--trusted-proxy", "127.0.0.1"];
    let tracker = Started::new(TRACKER, &arguments);
    let from = |peer: &Peer, address: &str| {
        let nonce = peer.nonce(&tracker);
        let (key, signature) = (peer.key(), peer.sign(&nonce));
        let body = json!({"name": peer.name, "key": key, "nonce": nonce, "signature": signature});
        post(
            &tracker,
            "/login/",
            &format!("X-Forwarded-For: 6.6.6.6, {address}\r\n"),
            &body,
        )
    };
    let peers = ["a", "b", "c"].map(|name| Peer::new(name, name.as_bytes()[0]));
    assert_eq!(from(&peers[0], "198.51.100.1").status(), 200);
    assert_eq!(from(&peers[1], "198.51.100.1").status(), 200);
    let answer = from(&peers[2], "198.51.100.1");
    assert_eq!(answer.status(), 429, "{answer:?}");
    assert!(answer.body().contains("2 names"), "{answer:?}");
    assert_eq!(from(&peers[2], "198.51.100.2").status(), 200);

    // A range of proxies, which also says whether the client uses TLS.
    let tracker = Started::new(TRACKER, &["--trusted-proxy", "127.0.0.0/8"]);
    for (proto, is_secure) in [("https", true), ("http", false)] {
        let nonce = peers[0].nonce(&tracker);
        let (key, signature) = (peers[0].key(), peers[0].sign(&nonce));
        let body = json!({"name": "a", "key": key, "nonce": nonce, "signature": signature});
        let fields = format!("X-Forwarded-Proto: {proto}\r\n");
        let answer = post(&tracker, "/login/", &fields, &body);
        let cookie = answer.field("set-cookie");
        assert_eq!(cookie.contains("; Secure"), is_secure, "{answer:?}");
    }

    // Without the option, nobody believes what a client writes.
    let tracker = Started::new(TRACKER, &["--registrations", "1"]);
    let from = |peer: &Peer, address: &str| {
        let nonce = peer.nonce(&tracker);
        let (key, signature) = (peer.key(), peer.sign(&nonce));
        let body = json!({"name": peer.name, "key": key, "nonce": nonce, "signature": signature});
        post(
            &tracker,
            "/login/",
            &format!("X-Forwarded-For: {address}\r\n"),
            &body,
        )
    };
    assert_eq!(from(&peers[0], "198.51.100.1").status(), 200);
    assert_eq!(from(&peers[1], "198.51.100.2").status(), 429);
}

#[test]
fn what_is_wrong_is_named() {
    let tracker = Started::new(TRACKER, &[]);
    let ada = Peer::new("ada", 1).log_in(&tracker);
    let (key, long) = (ada.key(), "x".repeat(65));
    let many = |count: usize, one: &str| vec![format!("\"{one}\""); count].join(",");
    let rows: Vec<(&str, String, u16, &str)> = vec![
        ("/login/", String::new(), 400, "not valid JSON"),
        ("/login/", "{".to_owned(), 400, "not valid JSON"),
        ("/login/", "[]".to_owned(), 422, "body"),
        ("/login/", "null".to_owned(), 422, "body"),
        ("/login/", "{}".to_owned(), 422, "\"field\":\"name\""),
        (
            "/login/",
            r#"{"name":"ada"}"#.to_owned(),
            422,
            "\"field\":\"key\"",
        ),
        (
            "/login/",
            format!(r#"{{"name":"Ada","key":"{key}"}}"#),
            422,
            "a-z",
        ),
        (
            "/login/",
            format!(r#"{{"name":"","key":"{key}"}}"#),
            422,
            "1 to 32",
        ),
        (
            "/login/",
            format!(r#"{{"name":"\u0430da","key":"{key}"}}"#),
            422,
            "a-z",
        ),
        (
            "/login/",
            format!(r#"{{"name":7,"key":"{key}"}}"#),
            422,
            "\"field\":\"name\"",
        ),
        (
            "/login/",
            r#"{"name":"ada","key":"00"}"#.to_owned(),
            422,
            "64 hexadecimal",
        ),
        (
            "/login/",
            format!(r#"{{"name":"ada","key":"{key}","x":1}}"#),
            422,
            "unknown field",
        ),
        (
            "/login/",
            format!(r#"{{"name":"ada","key":"{key}","nonce":"00"}}"#),
            422,
            "signature",
        ),
        (
            "/login/",
            format!(r#"{{"name":"ada","key":"{key}","signature":""}}"#),
            422,
            "nonce",
        ),
        (
            "/login/",
            format!(r#"{{"name":"ada","key":"{key}","nonce":"00","signature":"zz"}}"#),
            422,
            "128 hexadecimal",
        ),
        ("/login/", " ".repeat(16 * 1024 + 1), 413, "16"),
        (
            "/submit-info/",
            "{}".to_owned(),
            422,
            "\"field\":\"addresses\"",
        ),
        (
            "/submit-info/",
            r#"{"addresses":"0.0.0.0:1"}"#.to_owned(),
            422,
            "addresses",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["localhost:1"]}"#.to_owned(),
            422,
            "IP:PORT",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["127.0.0.1"]}"#.to_owned(),
            422,
            "IP:PORT",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["127.0.0.1:0"]}"#.to_owned(),
            422,
            "IP:PORT",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["127.0.0.1:65536"]}"#.to_owned(),
            422,
            "IP:PORT",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["127.0.0.1:1","192.0.2.9:1"]}"#.to_owned(),
            422,
            "addresses[1]: you come from 127.0.0.1",
        ),
        (
            "/submit-info/",
            r#"{"addresses":["[ff02::1]:1"]}"#.to_owned(),
            422,
            "you come from",
        ),
        (
            "/submit-info/",
            format!(r#"{{"addresses":[{}]}}"#, many(9, "127.0.0.1:1")),
            422,
            "at most 8",
        ),
        (
            "/submit-info/",
            format!(r#"{{"addresses":[],"links":[{}]}}"#, many(65, "bob")),
            422,
            "at most 64",
        ),
        (
            "/submit-info/",
            r#"{"addresses":[],"links":["B"]}"#.to_owned(),
            422,
            "links[0]",
        ),
        ("/add-list/", r#"{"channel":""}"#.to_owned(), 422, "1 to 64"),
        (
            "/add-list/",
            format!(r#"{{"channel":"{long}"}}"#),
            422,
            "1 to 64",
        ),
        (
            "/add-list/",
            r#"{"channel":"a\nb"}"#.to_owned(),
            422,
            "control",
        ),
        (
            "/add-list/",
            r#"{"remove":"yes"}"#.to_owned(),
            422,
            "remove",
        ),
        ("/connect-peer/", "{}".to_owned(), 422, "\"field\":\"name\""),
        (
            "/connect-peer/",
            r#"{"name":"nobody"}"#.to_owned(),
            404,
            "no peer",
        ),
        (
            "/connect-peer/",
            r#"{"name":"../etc"}"#.to_owned(),
            422,
            "a-z",
        ),
        ("/nothing/", "{}".to_owned(), 404, "nothing at this place"),
        ("/get-list/", "{}".to_owned(), 405, "POST"),
    ];
    for (path, body, status, why) in rows {
        let session = format!("Cookie: {}\r\n", ada.session);
        let answer = send(&tracker, path, &session, "application/json", &body);
        assert_eq!(answer.status(), status, "{path} {body}: {answer:?}");
        assert!(answer.body().contains(why), "{path} {body}: {answer:?}");
        assert!(
            answer.field("content-type").contains("problem+json"),
            "{path}: {answer:?}"
        );
    }
    for path in ["/submit-info/", "/add-list/", "/connect-peer/"] {
        let body = match path {
            "/submit-info/" => json!({"addresses": []}),
            "/add-list/" => json!({}),
            _ => json!({"name": "ada"}),
        };
        for fields in [
            "",
            "Cookie: sid=\r\n",
            "Cookie: sid=AAAA\r\n",
            "Cookie: auth=true\r\n",
        ] {
            let answer = post(&tracker, path, fields, &body);
            assert_eq!(answer.status(), 401, "{path} {fields}: {answer:?}");
            assert!(
                answer.field("www-authenticate").starts_with("Session"),
                "{answer:?}"
            );
        }
    }
    // A page of another site can send a form, and no JSON.
    let body = r#"{"addresses":[]}"#;
    let session = format!("Cookie: {}\r\n", ada.session);
    let answer = send(&tracker, "/submit-info/", &session, "text/plain", body);
    assert_eq!(answer.status(), 415, "{answer:?}");
    let foreign = format!("{session}Origin: http://evil.example\r\n");
    let answer = send(
        &tracker,
        "/submit-info/",
        &foreign,
        "application/json",
        body,
    );
    assert_eq!(answer.status(), 403, "{answer:?}");
    let answer = tracker.ask("GET /get-list/?channel=%00 HTTP/1.1", "");
    assert_eq!(answer.status(), 400, "{answer:?}");
}

/// The lines are for the inspector, which shows them with its own graphs.
#[test]
fn the_network_is_drawn_by_topology_lines() {
    let inspector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inspector.local_addr().unwrap().to_string();
    let tracker = Started::new(TRACKER, &["--topology", &address]);
    let (stream, _) = inspector.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut until = |wanted: &str| {
        let before: Vec<_> = lines
            .by_ref()
            .map(Result::unwrap)
            .take_while(|line| line != wanted)
            .collect();
        before.join("\n")
    };
    until("DEL ALL");
    let ada = Peer::new("ada", 1).log_in(&tracker);
    let bob = Peer::new("bob", 2).log_in(&tracker);
    bob.join(&tracker, 9102);
    let info = json!({"addresses": ["0.0.0.0:9101"], "links": ["bob", "nobody"]});
    assert_eq!(ada.post(&tracker, "/submit-info/", &info).status(), 200);
    assert!(until("ADD LINK ada bob").contains("ADD NODE ada ada auto peer\n"));
    ada.post(&tracker, "/submit-info/", &json!({"addresses": []}));
    until("DEL ALL");
    assert_eq!(until("ADD NODE bob bob auto peer"), "");
}

#[test]
fn a_file_that_is_no_database_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "this is no database, but a text that is long enough").unwrap();
    for path in [
        text.as_path(),
        folder.path(),
        Path::new("/nowhere/tracker.sqlite"),
    ] {
        let output = std::process::Command::new(TRACKER)
            .args(["--server-port", "0", "--data"])
            .arg(path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
}
