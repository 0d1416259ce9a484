//! Clients that have gone, and the responses that were being prepared for them.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::programs::assert_gone;
use super::server::{Client, PATIENCE, Server};
use super::wsgi::serving;

/// A program that writes its process id, and then takes its time.
const SLOW: &str = "echo $$ > ../pid; sleep 100; printf 'Content-Type: text/plain\\n\\nlate'";

/// The same, once it has begun to answer.
const STREAMING: &str =
    "printf 'Content-Type: text/plain\\n\\nbegin'; sleep 0.1; echo $$ > ../pid; sleep 100";

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Going {
    /// It sends nothing more (FIN), and may still read.
    Finishes,
    /// It closes its socket.
    Closes,
    /// It breaks the connection (RST).
    Resets,
}

fn go(mut client: Client, going: Going) -> Option<Client> {
    match going {
        Going::Finishes => {
            client.finish();
            return Some(client);
        }
        Going::Closes => {}
        Going::Resets => {
            let linger = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(client.stream.as_fd(), linger).unwrap();
        }
    }
    None
}

/// What a program has written into a file, once it has.
fn written(file: &Path) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        match fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < until, "{} was not written", file.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_program_of_a_client_that_has_gone_ends() {
    let programs = [("slow", SLOW), ("streaming", STREAMING)];
    let server = Server::with_programs(&[], &programs);
    let pid = server.path().join("pid");
    for program in ["slow", "streaming"] {
        for connection in ["keep-alive", "close"] {
            for going in [Going::Finishes, Going::Closes, Going::Resets] {
                let _ = fs::remove_file(&pid);
                let mut client = server.connect();
                client.send(format!(
                    "GET /cgi-bin/{program} HTTP/1.1\r\nHost: test\r\nConnection: {connection}\r\n\r\n"
                ));
                let id = written(&pid);
                let begun = Instant::now();
                let left = go(client, going);
                assert_gone(&id);
                let took = begun.elapsed();
                assert!(
                    took < PATIENCE / 2,
                    "{program} {connection} {going:?}: {took:?}"
                );
                drop(left);
            }
        }
    }
    server.assert_well();
}

/// A queued request of a client that has gone is not started.
#[test]
fn queued_requests_of_clients_that_have_gone_are_dropped() {
    let server = serving("plain", &["-v"]);
    let waits = |client: &mut Client| {
        client.send("GET /waits?for=go HTTP/1.1\r\nHost: test\r\n\r\n");
    };
    let mut first = server.connect();
    waits(&mut first);
    super::wsgi::noted(server.path(), "begun");
    let leaving: Vec<Client> = (0..10)
        .map(|_| {
            let mut client = server.connect();
            waits(&mut client);
            client
        })
        .collect();
    // One more request behind them; its response shows that they have gone.
    let mut last = server.connect();
    last.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    drop(leaving);
    for _ in 0..10 {
        server.logged("is not wanted any more");
    }
    fs::write(server.path().join("go"), "").unwrap();
    assert_eq!(first.response(false).text(), "waited");
    assert_eq!(last.response(false).text(), "hello");
    let begun = fs::read_to_string(server.path().join("begun")).unwrap();
    assert_eq!(begun.lines().count(), 1, "only the first one was begun");
}

#[test]
fn an_application_is_told_that_its_client_has_gone() {
    for buffering in ["on", "off"] {
        let server = serving("plain", &["--wsgi-buffering", buffering]);
        let mut client = server.connect();
        client.send("GET /endless HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.head().status, 200);
        drop(client);
        assert_eq!(super::wsgi::noted(server.path(), "endless"), "closed\n");
    }
}

/// `printf 'GET ...' | nc -N`: the client sends everything at once, and then closes its sending
/// side.
#[test]
fn files_are_sent_to_a_client_that_sends_nothing_more() {
    let server = Server::with_programs(&[], &[]);
    let text = "text ".repeat(1 << 20);
    fs::write(server.path().join("large.txt"), &text).unwrap();
    for (fields, paths) in [
        ("", &["/hello.txt", "/large.txt", "/"][..]),
        ("Accept-Encoding: gzip\r\n", &["/large.txt"][..]),
        ("Range: bytes=0-99\r\n", &["/large.txt"][..]),
        ("", &["/no-such"][..]),
    ] {
        for path in paths {
            let mut client = server.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
            client.finish();
            let response = client.response(false);
            assert!(
                [200, 206, 404].contains(&response.status),
                "{path} {}",
                response.status
            );
            assert_eq!(client.rest(), b"", "{path}");
        }
    }
}

#[test]
fn half_close_waits_for_everything() {
    let program = "sleep 0.3; printf 'Content-Type: text/plain\\n\\nlate'";
    let server = Server::with_programs(&["--half-close"], &[("late", program)]);
    let mut client = server.connect();
    client.send("GET /cgi-bin/late HTTP/1.1\r\nHost: test\r\n\r\n");
    client.finish();
    assert_eq!(client.response(false).text(), "late");
}

#[test]
fn programs_do_not_survive_the_server() {
    let family = "(sleep 100 & echo $$ $! > ../pid; wait); sleep 100";
    let mut server = Server::with_programs(&[], &[("slow", SLOW), ("family", family)]);
    let pid = server.path().join("pid");
    let mut ids = String::new();
    let mut clients = Vec::new();
    for program in ["slow", "family"] {
        let _ = fs::remove_file(&pid);
        let mut client = server.connect();
        client.send(format!(
            "GET /cgi-bin/{program} HTTP/1.1\r\nHost: test\r\n\r\n"
        ));
        ids += &written(&pid);
        clients.push(client);
    }
    server.signal("KILL");
    server.wait();
    assert_gone(&ids);
}

/// If a process is stuck, every request is answered within its time limit, wherever it waits.
#[test]
fn every_queued_request_ages() {
    for stuck in ["hangs", "hogs"] {
        let server = serving("plain", &["--wsgi-timeout", "1"]);
        let mut clients: Vec<Client> = (0..60)
            .map(|number| {
                let mut client = server.connect();
                let path = if number == 0 { stuck } else { "hello" };
                client.send(format!("GET /{path} HTTP/1.1\r\nHost: test\r\n\r\n"));
                client
            })
            .collect();
        let begun = Instant::now();
        let statuses: Vec<u16> = clients
            .iter_mut()
            .map(|client| client.response(false).status)
            .collect();
        assert_eq!(statuses.len(), 60);
        assert!(
            statuses
                .iter()
                .all(|status| [200, 503, 504].contains(status)),
            "{statuses:?}"
        );
        assert!(
            begun.elapsed() < PATIENCE / 2,
            "{stuck}: {:?}",
            begun.elapsed()
        );
        // The process is replaced.
        let until = Instant::now() + PATIENCE;
        while server.get("/hello").status != 200 {
            assert!(Instant::now() < until, "{stuck}: no other process");
        }
    }
}

/// `printf 'PUT ...GET ...' | nc -N`: each request waits for the one before it.
#[test]
fn requests_in_a_row_are_answered_behind_the_end_of_the_last() {
    let server = Server::with_programs(
        &["--writable"],
        &[(
            "quick",
            "cat > /dev/null; printf 'Content-Type: text/plain\\n\\nquick'",
        )],
    );
    let large = "text ".repeat(1 << 20);
    fs::write(server.path().join("large.txt"), &large).unwrap();
    let mut client = server.connect();
    client.send(
        "PUT /new.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nnew\
         GET /new.txt HTTP/1.1\r\nHost: test\r\n\r\n\
         GET /large.txt HTTP/1.1\r\nHost: test\r\n\r\n\
         GET /large.txt HTTP/1.1\r\nHost: test\r\n\r\n\
         POST /cgi-bin/quick HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc\
         DELETE /new.txt HTTP/1.1\r\nHost: test\r\n\r\n\
         GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    client.finish();
    // Longer than a client that may have gone is waited for.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(client.response(false).status, 201);
    assert_eq!(client.response(false).text(), "new");
    assert!(client.response(false).text() == large);
    assert!(client.response(false).text() == large);
    assert_eq!(client.response(false).text(), "quick");
    assert_eq!(client.response(false).status, 204);
    assert_eq!(client.response(false).text(), "hello\n");
    assert_eq!(client.rest(), b"");
}

/// An application that is quick answers such a client. One that is slow is stopped, and its client
/// gets no response instead of a wrong one.
#[test]
fn an_application_answers_a_client_that_sends_nothing_more() {
    for buffering in ["on", "off"] {
        let server = serving("plain", &["--wsgi-buffering", buffering]);
        for _ in 0..20 {
            let mut client = server.connect();
            client.send("POST /whole HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc");
            client.finish();
            let response = client.response(false);
            assert_eq!((response.status, &*response.text()), (200, "abc"));
        }
        for connection in ["keep-alive", "close"] {
            let mut client = server.connect();
            client.send(format!(
                "POST /waits?for=never HTTP/1.1\r\nHost: test\r\nConnection: {connection}\r\n\
                 Content-Length: 3\r\n\r\nabc"
            ));
            client.finish();
            let begun = Instant::now();
            assert_eq!(String::from_utf8_lossy(&client.rest()), "", "{connection}");
            assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
        }
    }
}
