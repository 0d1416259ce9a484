//! The access log of `spidey`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::server::{PATIENCE, Server};

/// Returns the lines of a log, once it has this many.
fn lines(log: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < deadline, "{count} lines: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_exchange_has_a_line() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let server = Server::start(&["--access-log", log.to_str().unwrap()]);
    let mut client = server.connect();
    client.send(
        "GET /hello.txt HTTP/1.1\r\nHost: a\r\nUser-Agent: \"me\"\r\nReferer: http://b/\r\n\r\n",
    );
    client.send("GET /missing?x HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("HEAD /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("nonsense\r\n\r\n");
    client.rest();
    let lines = lines(&log, 4);
    let expected = [
        "\"GET /hello.txt HTTP/1.1\" 200 6 \"http://b/\" \"\\\"me\\\"\"",
        "\"GET /missing?x HTTP/1.1\" 404 ",
        "\"HEAD /hello.txt HTTP/1.1\" 200 0 \"-\" \"-\"",
        "\"-\" 400 ",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_connection_that_rests_goes_on() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let server = Server::start(&["--access-log", log.to_str().unwrap()]);
    let mut client = server.connect();
    for count in 1..4 {
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response(false).text(), "hello\n");
        assert_eq!(lines(&log, count).len(), count);
        // Longer than the graph of the connection lasts.
        std::thread::sleep(Duration::from_millis(60));
    }
}

#[test]
fn the_common_format_has_no_more_than_it_should() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let path = log.to_str().unwrap();
    let server = Server::start(&["--access-log", path, "--log-format", "common"]);
    server.assert_well();
    let line = &lines(&log, 1)[0];
    assert!(
        line.ends_with("] \"GET /hello.txt HTTP/1.1\" 200 6"),
        "{line}"
    );
}

#[test]
fn a_hangup_begins_a_new_file() {
    let logs = tempfile::tempdir().unwrap();
    let [log, old] = ["access.log", "old.log"].map(|name| logs.path().join(name));
    let server = Server::start(&["--access-log", log.to_str().unwrap()]);
    server.assert_well();
    lines(&log, 1);
    fs::rename(&log, &old).unwrap();
    server.signal("HUP");
    server.logged("Reloaded");
    server.get("/new");
    assert!(lines(&log, 1)[0].contains("/new"));
    assert_eq!(lines(&old, 1).len(), 1);
}

#[test]
fn nothing_is_lost_at_the_end() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let mut server = Server::start(&["--access-log", log.to_str().unwrap()]);
    let mut client = server.connect();
    let requests = "GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5000);
    std::thread::scope(|scope| {
        let mut sender = server.connect();
        std::mem::swap(&mut sender.stream, &mut client.stream);
        scope.spawn(move || sender.send(requests));
        for _ in 0..5000 {
            assert_eq!(client.response(false).status, 200);
        }
    });
    // And one in the middle of its response, which it does not read.
    let file = fs::File::create(server.path().join("large")).unwrap();
    file.set_len(1 << 30).unwrap();
    let mut stuck = server.connect();
    stuck.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    server.signal("TERM");
    // The stuck response is cut off at the deadline of the stop.
    assert_eq!(server.wait().code(), Some(1));
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(
        text.matches("GET /hello.txt HTTP/1.1\" 200 6 ").count(),
        5000
    );
}
