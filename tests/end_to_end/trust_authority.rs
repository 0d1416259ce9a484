//! Who may inspect a running server, and how browsers treat what clients have written.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use super::programs::write_program;
use super::server::{Client, PATIENCE, Response, Server};

/// Returns the address of the inspector of a server, its random token, and the secret for
/// explanations.
fn inspector(server: &Server) -> (SocketAddr, String, String) {
    let line = server.logged("Inspect at ");
    let (address, token) = line
        .strip_prefix("Inspect at http://")
        .and_then(|url| url.split_once("/?token="))
        .unwrap();
    let explain = server.logged("Kamea-Explain: ");
    let (_, secret) = explain.rsplit_once(' ').unwrap();
    (
        address.parse().unwrap(),
        token.to_owned(),
        secret.to_owned(),
    )
}

fn ask(address: SocketAddr, path: &str, fields: &str) -> Response {
    let mut client = Client::connect(address);
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ));
    client.response(false)
}

#[test]
fn the_inspector_has_a_random_token() {
    let (one, other) = (
        Server::start(&["--inspect", "127.0.0.1:0"]),
        Server::start(&["--inspect", "127.0.0.1:0"]),
    );
    let (address, token, _) = inspector(&one);
    let (_, other, _) = inspector(&other);
    assert!(token.len() >= 32 && token != other, "{token} {other}");
    for path in [
        "/", "/census", "/metrics", "/events", "/tap", "/explain", "/?token=", "/view.js",
    ] {
        let refused = ask(address, path, "");
        assert_eq!(refused.status, 401, "{path}");
        assert!(
            refused.closes(),
            "whoever has no token holds no place: {path}"
        );
    }
    assert_eq!(ask(address, &format!("/?token={other}"), "").status, 401);
    let login = ask(address, &format!("/?token={token}"), "");
    assert_eq!((login.status, login.field("location")), (303, Some("/")));
    let cookie = login.field("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let (cookie, _) = cookie.split_once(';').unwrap();
    let cookie = format!("Cookie: theme=dark; {cookie}\r\n");
    for path in ["/", "/census", "/view.js"] {
        assert_eq!(ask(address, path, &cookie).status, 200, "{path}");
    }
    let census = ask(address, &format!("/census?token={token}"), "");
    assert_eq!(census.status, 200, "a program needs no cookie");
}

#[test]
fn who_has_not_shown_the_token_is_not_waited_for_long() {
    let server = Server::start(&["--inspect", "127.0.0.1:0"]);
    let (address, ..) = inspector(&server);
    let begun = Instant::now();
    let mut silent: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    silent[1].write_all(b"GET / HTTP/1.1\r\n").unwrap();
    silent[2]
        .write_all(b"GET /census HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert!(seconds < 15.0, "{seconds}");
}

#[test]
fn an_explanation_needs_the_secret_and_programs_do_not_see_it() {
    for mode in [&[][..], &["-f"]] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
        write_program(
            &root.path().join("cgi-bin/env"),
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n",
        );
        let server = Server::start_in(root, &[&["--inspect", "127.0.0.1:0", "-v"], mode].concat());
        let (.., secret) = inspector(&server);
        for wrong in ["1", "true", &secret[1..], ""] {
            let plain =
                server.ask_with("GET", "/hello.txt", &format!("Kamea-Explain: {wrong}\r\n"));
            assert_eq!(plain.text(), "hello\n", "{wrong} {mode:?}");
        }
        let right = format!("Kamea-Explain: {secret}\r\n");
        let explained = server.ask_with("GET", "/cgi-bin/env", &right);
        let text = explained.text();
        assert_eq!(
            explained.field("content-type"),
            Some("application/json"),
            "{mode:?}"
        );
        assert!(text.contains("hops") && !text.contains(&secret), "{text}");
    }
}

#[test]
fn a_tap_shows_no_secrets_in_queries_or_across_reads() {
    let server = Server::start(&["--inspect", "127.0.0.1:0"]);
    let (address, token, _) = inspector(&server);
    let mut tap = TcpStream::connect(address).unwrap();
    tap.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = "/tap?graph=connection&from=reader.outbox&to=parser.bytes";
    write!(
        tap,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let seen = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut seen, mut buffer) = (String::new(), [0; 4096]);
            while seen.matches("event: sample").count() < 6 {
                let count = tap.read(&mut buffer).unwrap();
                assert!(count > 0, "{seen}");
                seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            seen
        });
        while !reading.is_finished() {
            let mut client = server.connect();
            client.send("GET /hello.txt?access_token=SECRET1&x=1 HTTP/1.1\r\nHost: a\r\nX-Api-Key: SECRET2\r\nCookie: id=SEC");
            // The first part has been read once the server waits for more.
            std::thread::sleep(std::time::Duration::from_millis(20));
            client.send("RET3SECRET\r\nX-Auth: SECRET4\r\n\r\n");
            assert_eq!(client.response(false).status, 200);
        }
        reading.join().unwrap()
    });
    assert!(
        seen.contains("/hello.txt") && seen.contains("(redacted)"),
        "{seen}"
    );
    for secret in ["SECRET1", "SECRET2", "RET3SECRET", "SECRET4"] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

#[test]
fn a_browser_draws_nothing() {
    let server = Server::start(&[
        "--inspect",
        "127.0.0.1:0",
        "--inspect-topologies",
        "127.0.0.1:0",
    ]);
    let line = server.logged("Topology lines at ");
    let address = line.rsplit_once(' ').unwrap().1;
    for method in ["GET", "POST", "OPTIONS"] {
        let mut browser = TcpStream::connect(address).unwrap();
        browser.set_read_timeout(Some(PATIENCE)).unwrap();
        let text =
            format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\nADD NODE 1 evil auto -\nGET ALL\n");
        let _ = browser.write_all(text.as_bytes());
        let mut answer = String::new();
        // The server may close before it has read everything.
        let _ = browser.read_to_string(&mut answer);
        assert_eq!(answer, "", "{method}");
    }
    let mut program = TcpStream::connect(address).unwrap();
    program.set_read_timeout(Some(PATIENCE)).unwrap();
    program
        .write_all(b"ADD NODE 1 mine auto -\nGET ALL\n")
        .unwrap();
    program.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    program.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("mine"), "{answer}");
}

#[test]
fn every_response_is_taken_for_what_it_says() {
    let server = Server::with_programs(
        &[],
        &[("hello", "printf 'Content-Type: text/plain\\n\\nhi'")],
    );
    let etag = server.get("/hello.txt").field("etag").unwrap().to_owned();
    for (path, fields, status) in [
        ("/hello.txt", String::new(), 200),
        ("/hello.txt", "Range: bytes=0-1\r\n".into(), 206),
        ("/hello.txt", format!("If-None-Match: {etag}\r\n"), 304),
        ("/missing", String::new(), 404),
        ("/", String::new(), 200),
        ("/cgi-bin/hello", String::new(), 200),
        ("/cgi-bin/", String::new(), 403),
    ] {
        let response = server.ask_with("GET", path, &fields);
        assert_eq!(response.status, status, "{path}");
        let told = response.fields.iter();
        let told = told.filter(|(name, _)| name.eq_ignore_ascii_case("x-content-type-options"));
        let values: Vec<_> = told.map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["nosniff"], "{path}");
    }
    let malformed = server.ask("nonsense\r\n\r\n");
    assert_eq!(malformed.field("x-content-type-options"), Some("nosniff"));
}

#[test]
fn pages_that_clients_may_have_written_run_no_scripts() {
    let files = [
        ("page.html", true),
        ("picture.svg", true),
        ("page.xhtml", true),
        ("data.xml", true),
        ("text.txt", false),
        ("script.js", false),
        ("picture.png", false),
    ];
    for (options, is_sandboxed) in [
        (&["--writable"][..], true),
        (&["--writable", "--no-upload-sandbox"], false),
        (&[], false),
    ] {
        let server = Server::start(options);
        for (name, runs_scripts) in files {
            fs::write(server.path().join(name), "<x/>").unwrap();
            let response = server.get(&format!("/{name}"));
            let policy = response.field("content-security-policy");
            let expected = (runs_scripts && is_sandboxed).then_some("sandbox");
            assert_eq!(policy, expected, "{name} {options:?}");
        }
    }
}

#[test]
fn a_name_from_elsewhere_is_refused_where_only_this_machine_can_write() {
    let status = |server: &Server, host: &str| {
        let request = format!("PUT /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx");
        server.ask(&request).status
    };
    let server = Server::start(&["--writable", "--host", "Files.Example"]);
    for host in [
        "localhost",
        "127.0.0.1:9234",
        "[::1]",
        "a.localhost",
        "files.example:80",
    ] {
        assert!(matches!(status(&server, host), 201 | 204), "{host}");
    }
    for host in [
        "rebound.example",
        "127.0.0.1.rebound.example",
        "files.example.rebound.example",
    ] {
        assert_eq!(status(&server, host), 421, "{host}");
        let read = server.ask(&format!("GET /hello.txt HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(read.status, 421, "{host}");
    }
    let reads = Server::start(&[]);
    let any = reads.ask("GET /hello.txt HTTP/1.1\r\nHost: any.example\r\n\r\n");
    assert_eq!(any.status, 200);
}

#[test]
fn an_entity_tag_does_not_tell_the_inode() {
    let server = Server::start(&[]);
    for name in ["hello.txt", "other.txt"] {
        fs::write(server.path().join(name), "hello\n").unwrap();
        let inode = fs::metadata(server.path().join(name)).unwrap().ino();
        let tag = server
            .get(&format!("/{name}"))
            .field("etag")
            .unwrap()
            .to_owned();
        let parts: Vec<_> = tag.trim_matches('"').split('-').collect();
        assert!(
            !parts.contains(&&*format!("{inode:x}")),
            "{tag} tells {inode:x}"
        );
    }
    let tags = ["hello.txt", "other.txt"].map(|name| {
        server
            .get(&format!("/{name}"))
            .field("etag")
            .unwrap()
            .to_owned()
    });
    assert_ne!(tags[0], tags[1], "two files");
}
