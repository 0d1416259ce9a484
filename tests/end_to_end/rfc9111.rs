//! RFC 9111, caching: what the server tells caches, and a real shared cache (Varnish) in front of
//! it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use super::server::{Client, PATIENCE, Response, Server};

/// Varnish in front of a server.
struct Cache {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Cache {
    fn before(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut child = Command::new("varnishd")
            .args([
                "-F",
                "-j",
                "none",
                "-s",
                "malloc,16m",
                "-p",
                "default_grace=0",
            ])
            .args(["-p", "default_keep=60", "-n"])
            .arg(folder.path())
            .args([
                "-a",
                &address.to_string(),
                "-b",
                &server.address.to_string(),
            ])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("varnishd, which `make test` installs");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("Child starts") {
            said = lines.next().expect("it starts").unwrap();
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    fn get(&self, path: &str, fields: &str) -> Response {
        let mut client = Client::connect(self.address);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        client.response(false)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // On request, it ends its worker process too.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.child.wait();
    }
}

/// Whether the cache answered without asking the server.
fn is_hit(response: &Response) -> bool {
    response.field("x-varnish").unwrap().contains(' ')
}

fn server(rules: &[&str]) -> (Server, TempDir) {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let mut options = vec!["--access-log", log.to_str().unwrap()];
    for rule in rules {
        options.extend(["--cache-control", rule]);
    }
    (Server::start(&options), logs)
}

#[test]
fn a_shared_cache_keeps_what_it_may_and_nothing_else() {
    // 3: "A cache MUST NOT store a response to a request unless [...] the no-store cache directive
    // is not present in the response".
    let rules = ["/secret*=no-store", "*.txt=max-age=60"];
    let (server, _logs) = server(&rules);
    fs::write(server.path().join("secret.txt"), "secret").unwrap();
    let cache = Cache::before(&server);
    for (path, content, is_kept) in [
        ("/hello.txt", "hello\n", true),
        ("/secret.txt", "secret", false),
    ] {
        for round in 0..3 {
            let response = cache.get(path, "");
            assert_eq!((response.status, response.text().as_str()), (200, content));
            assert_eq!(is_hit(&response), is_kept && round > 0, "{path} {round}");
        }
    }
}

#[test]
fn a_stale_response_is_validated() {
    // 4.3: "When a cache has one or more stored responses for a requested URI, but cannot serve any
    // of them [...] it can use the conditional request mechanism". 4.3.4: a 304 freshens what is
    // stored.
    let (server, logs) = server(&["*.txt=max-age=1"]);
    let cache = Cache::before(&server);
    let deadline = Instant::now() + PATIENCE;
    let log = || fs::read_to_string(logs.path().join("log")).unwrap();
    let mut client = Client::connect(cache.address);
    while !log().contains("\" 304 0 ") {
        assert!(Instant::now() < deadline, "it never asks again: {}", log());
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response(false);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "hello\n")
        );
    }
}

#[test]
fn codings_are_not_mixed_up_by_a_shared_cache() {
    // 4.1: "When a cache receives a request that can be satisfied by a stored response and that
    // stored response contains a Vary header field, the cache MUST NOT use that stored response
    // without revalidation unless all the presented request header fields nominated by that Vary
    // field value match".
    let (server, _logs) = server(&["*.txt=max-age=60"]);
    let text = "to and fro, ".repeat(1000);
    fs::write(server.path().join("text.txt"), &text).unwrap();
    let cache = Cache::before(&server);
    for _ in 0..2 {
        for coding in ["gzip", "identity"] {
            let response = cache.get("/text.txt", &format!("Accept-Encoding: {coding}\r\n"));
            assert_eq!(response.status, 200);
            if coding == "gzip" {
                assert_eq!(response.field("content-encoding"), Some("gzip"));
                assert!(response.body.starts_with(&[0x1f, 0x8b]));
            } else {
                assert_eq!(response.field("content-encoding"), None);
                assert_eq!(response.text(), text);
            }
        }
    }
}

#[test]
fn a_part_comes_out_of_the_cache_as_out_of_the_server() {
    let (server, _logs) = server(&["*.txt=max-age=60"]);
    let cache = Cache::before(&server);
    for _ in 0..2 {
        let response = cache.get("/hello.txt", "Range: bytes=1-2\r\n");
        assert_eq!((response.status, response.text().as_str()), (206, "el"));
        assert_eq!(response.field("content-range"), Some("bytes 1-2/6"));
    }
}

#[test]
fn expires_tells_http_1_0_what_cache_control_tells_others() {
    // 5.3: "If a response includes a Cache-Control header field with the max-age directive, a
    // recipient MUST ignore the Expires header field": so Expires is only for caches that do not
    // know Cache-Control.
    let (server, _logs) = server(&["*.txt=public, max-age=3600", "*.css=no-store"]);
    fs::write(server.path().join("a.css"), "").unwrap();
    let ask = |path: &str, version: &str| {
        server.ask(&format!("GET {path} HTTP/{version}\r\nHost: a\r\n\r\n"))
    };
    let time = |response: &Response, name: &str| -> SystemTime {
        httpdate::parse_http_date(response.field(name).unwrap()).unwrap()
    };
    for (path, lifetime) in [("/hello.txt", 3600), ("/a.css", 0)] {
        assert_eq!(ask(path, "1.1").field("expires"), None);
        let response = ask(path, "1.0");
        let (expires, date) = (time(&response, "expires"), time(&response, "date"));
        let expected = date + Duration::from_secs(lifetime);
        let off = expires
            .duration_since(expected)
            .unwrap_or_else(|error| error.duration());
        assert!(off <= Duration::from_secs(1), "{path}: {expires:?}");
    }
}
