//! Programs that misbehave, each in its own way: the response, the log, and that the server still
//! works.

use std::io::Write;
use std::time::{Duration, Instant};

use super::programs::{Outcome, assert_gone};
use super::server::{PATIENCE, Server};

/// What a client should receive.
enum Expected {
    /// A response with this status, with any body.
    Status(u16),
    /// This body, with 200.
    Content(&'static str),
    /// The beginning of a response, and then the end of the connection.
    Cut(&'static str),
}

use Expected::{Content, Cut, Status};

/// A header, and enough time to stream what follows.
const BEGIN: &str = "printf 'Content-Type: text/plain\\n\\nbegin'; sleep 0.05; ";

/// A whole document.
const WHOLE: &str = "printf 'Content-Type: text/plain\\n\\nwhole'; ";

/// The name of each program, its script, the response, and the log.
fn programs() -> Vec<(&'static str, String, Expected, &'static str)> {
    let begun = |rest: &str| format!("{BEGIN}{rest}");
    let whole = |rest: &str| format!("{WHOLE}{rest}");
    let text = str::to_owned;
    vec![
        // Its output is not a header.
        (
            "no-header",
            text("echo hello"),
            Status(502),
            "it ended before the blank line",
        ),
        (
            "nothing",
            text("true"),
            Status(502),
            "it wrote nothing (exit status: 0)",
        ),
        (
            "nothing-3",
            text("exit 3"),
            Status(502),
            "it wrote nothing (exit status: 3)",
        ),
        (
            "no-blank",
            text("echo Content-Type: text/plain"),
            Status(502),
            "blank line",
        ),
        (
            "blank-first",
            // mod_cgi accepts it, and also what follows.
            text("echo; echo hello"),
            Content("hello\n"),
            "begins with a blank line",
        ),
        (
            "no-colon",
            text("printf 'hello\\n\\n'"),
            Status(502),
            "no field: \"hello\"",
        ),
        (
            "html",
            text("echo '<html>'; echo; echo '</html>'"),
            Status(502),
            "<html>",
        ),
        (
            "bad-name",
            text("printf 'A B: c\\n\\n'"),
            Status(502),
            "no field: \"A B: c\"",
        ),
        (
            "no-name",
            text("printf ': c\\n\\n'"),
            Status(502),
            "no field: \": c\"",
        ),
        (
            "folded",
            text("printf 'A: b\\n c\\n\\n'"),
            Status(502),
            "no field: \" c\"",
        ),
        (
            "bare-cr",
            text("printf 'A: b\\rC: d\\n\\n'"),
            Status(502),
            "no field",
        ),
        (
            "nul",
            text("printf 'A: b\\000c\\n\\n'"),
            Status(502),
            "no field",
        ),
        (
            "escape",
            text("printf 'A: \\033[31m\\n\\n'"),
            Status(502),
            "no field",
        ),
        (
            "garbage",
            text("head -c 5000 /dev/zero | tr '\\0' '\\377'; echo; echo"),
            Status(502),
            "no field",
        ),
        (
            "status-word",
            text("printf 'Status: OK\\n\\n'"),
            Status(502),
            "\"OK\" is not the status",
        ),
        (
            "status-99",
            text("printf 'Status: 99\\n\\n'"),
            Status(502),
            "\"99\" is not",
        ),
        (
            "status-100",
            text("printf 'Status: 100 Continue\\n\\n'"),
            Status(502),
            "not the status",
        ),
        (
            "status-1000",
            text("printf 'Status: 1000\\n\\n'"),
            Status(502),
            "not the status",
        ),
        (
            "status-twice",
            text("printf 'Status: 200\\nStatus: 404\\n\\n'"),
            Status(404),
            "Status is there twice",
        ),
        (
            "type-twice",
            text("printf 'Content-Type: a/b\\nContent-Type: c/d\\n\\n'"),
            Status(200),
            "Content-Type is there twice",
        ),
        (
            "length-negative",
            text("printf 'Content-Length: -1\\n\\n'"),
            Status(502),
            "\"-1\" is not a length",
        ),
        (
            "length-word",
            text("printf 'Content-Length: many\\n\\n'"),
            Status(502),
            "not a length",
        ),
        (
            "long-header",
            text("printf 'A: '; head -c 100000 /dev/zero | tr '\\0' x; printf '\\n\\n'"),
            Status(502),
            "longer than 65536 bytes",
        ),
        (
            "endless-header",
            text("while echo A: b; do :; done"),
            Status(502),
            "longer than 65536 bytes",
        ),
        // It cannot be executed.
        (
            "no-interpreter",
            text("#!/nowhere/sh\n"),
            Status(500),
            "its first line names /nowhere/sh, which does not exist",
        ),
        (
            "windows",
            text("#!/bin/sh\r\necho\r\n"),
            Status(500),
            "ends in CR LF, as on Windows",
        ),
        (
            "folder-interpreter",
            text("#!/tmp\n"),
            Status(500),
            "its first line names /tmp, which may not be executed",
        ),
        // It stops writing, or dies.
        (
            "silent",
            text("sleep 1000"),
            Status(504),
            "it wrote nothing for 0.5 s",
        ),
        (
            "half-silent",
            text("echo A: b; sleep 1000"),
            Status(504),
            "it wrote nothing for 0.5 s",
        ),
        (
            "stopped",
            text("kill -STOP $$"),
            Status(504),
            "it wrote nothing for 0.5 s",
        ),
        (
            "deaf",
            text("trap '' TERM INT HUP; sleep 1000"),
            Status(504),
            "it wrote nothing for 0.5 s",
        ),
        (
            "killed",
            text("kill -KILL $$"),
            Status(502),
            "it wrote nothing (signal: 9",
        ),
        (
            "segfault",
            text("echo A: b; kill -SEGV $$"),
            Status(502),
            "(signal: 11",
        ),
        (
            "late-silence",
            begun("sleep 1000"),
            Cut("begin"),
            "it wrote nothing for 0.5 s",
        ),
        (
            "late-death",
            begun("kill -KILL $$"),
            Cut("begin"),
            "it died (signal: 9",
        ),
        (
            "whole-death",
            whole("kill -SEGV $$"),
            Status(502),
            "it died (signal: 11",
        ),
        // It announces one length, and writes another.
        (
            "short",
            text("printf 'Content-Length: 100\\n\\nbegin'; sleep 0.05; echo"),
            Cut("begin\n"),
            "has 100 bytes, and wrote 6",
        ),
        (
            "long",
            text("printf 'Content-Length: 7\\n\\nbegin'; sleep 0.05; echo 1234"),
            Content("begin12"),
            "has 7 bytes, and wrote 10",
        ),
        (
            "short-at-once",
            text("printf 'Content-Length: 100\\n\\nall'"),
            Content("all"),
            "",
        ),
        (
            "long-at-once",
            text("printf 'Content-Length: 2\\n\\nall'"),
            Content("all"),
            "",
        ),
        (
            "own-framing",
            text("printf 'Transfer-Encoding: chunked\\nConnection: close\\n\\nall'"),
            Content("all"),
            "",
        ),
        // It does more, or less, than it should, and is served anyway.
        (
            "complains",
            whole("echo out of cheese >&2"),
            Content("whole"),
            "out of cheese",
        ),
        (
            "floods",
            whole("head -c 5000000 /dev/zero | tr '\\0' '!' >&2"),
            Content("whole"),
            "!!!!",
        ),
        ("fails", whole("exit 7"), Content("whole"), ""),
        (
            "deaf-ears",
            whole("exec <&-; echo more"),
            Content("wholemore\n"),
            "",
        ),
        ("lingers", whole("sleep 1000 &"), Content("whole"), ""),
        ("escapes", whole("setsid sleep 3 &"), Content("whole"), ""),
        (
            "goes-on",
            whole("exec >&-; sleep 0.3"),
            Content("whole"),
            "",
        ),
        // It redirects to a missing resource.
        (
            "circle",
            text("printf 'Location: /cgi-bin/circle\\n\\n'"),
            Status(502),
            "redirects in a circle",
        ),
        (
            "nowhere",
            text("printf 'Location: /none\\n\\n'"),
            Status(404),
            "",
        ),
        (
            "bad-path",
            text("printf 'Location: /%%zz\\n\\n'"),
            Status(400),
            "",
        ),
        (
            "outside",
            text("printf 'Location: /../../etc/passwd\\n\\n'"),
            Status(400),
            "",
        ),
    ]
}

#[test]
fn what_a_program_does_wrong_harms_its_request_only() {
    let programs = programs();
    assert!(programs.len() >= 40);
    let files: Vec<_> = programs
        .iter()
        .map(|(name, text, ..)| (*name, text.as_str()))
        .collect();
    let server = Server::with_programs(&["--cgi-timeout", "0.5"], &files);
    for (name, _, expected, said) in &programs {
        let mut client = server.connect();
        client.send(format!(
            "GET /cgi-bin/{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        let outcome = client.outcome();
        match (expected, &outcome) {
            (Status(status), Outcome::Whole(found, _)) => assert_eq!(found, status, "{name}"),
            (Content(content), Outcome::Whole(200, found)) => assert_eq!(found, content, "{name}"),
            (Cut(begin), Outcome::Cut(200, found)) => assert_eq!(found, begin.as_bytes(), "{name}"),
            _ => panic!("{name}: {outcome:?}"),
        }
        if !said.is_empty() {
            let line = server.logged(said);
            assert!(line.contains(&format!("cgi-bin/{name}")), "{line}");
        }
        server.assert_well();
    }
}

#[test]
fn what_cannot_be_executed_is_not_sent_either() {
    let server = Server::with_programs(&[], &[("works", WHOLE), ("folder/works", WHOLE)]);
    let cgi = server.path().join("cgi-bin");
    std::fs::write(cgi.join("notes.txt"), "secret").unwrap();
    std::os::unix::fs::symlink("/bin/sh", cgi.join("outside")).unwrap();
    std::os::unix::fs::symlink("works", cgi.join("inside")).unwrap();
    for (path, status) in [
        ("works", 200),
        ("folder/works", 200),
        ("inside", 200),
        ("works/more/path", 200),
        ("%77orks", 200),
        ("notes.txt", 403),
        ("notes.txt/more", 403),
        ("", 403),
        ("folder/", 403),
        ("missing", 404),
        ("outside", 404),
        ("works%2fmore", 400),
        ("../cgi-bin/notes.txt", 400),
        ("works%00", 400),
        (".hidden", 404),
    ] {
        let response = server.get(&format!("/cgi-bin/{path}"));
        assert_eq!(response.status, status, "{path}");
        assert!(!response.text().contains("secret"));
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let response = server.ask_with(method, "/cgi-bin/notes.txt", "");
        assert_eq!(response.status, 403, "{method}");
    }
}

#[test]
fn a_client_that_goes_away_takes_the_program_and_its_children_with_it() {
    let endless = "printf 'Content-Type: text/plain\\n\\n'; sleep 1000 & echo $$ $!; yes";
    let server = Server::with_programs(&[], &[("endless", endless)]);
    for _ in 0..3 {
        let mut client = server.connect();
        client.send("GET /cgi-bin/endless HTTP/1.0\r\n\r\n");
        client.head();
        let pids = client.line_of_rest();
        drop(client);
        assert_gone(&pids);
    }
    server.assert_well();
}

#[test]
fn a_server_that_stops_leaves_no_program_behind() {
    let endless = "printf 'Content-Type: text/plain\\n\\n'; sleep 1000 & echo $$ $!; yes";
    let mut server = Server::with_programs(&[], &[("endless", endless)]);
    let mut client = server.connect();
    client.send("GET /cgi-bin/endless HTTP/1.0\r\n\r\n");
    client.head();
    let pids = client.line_of_rest();
    server.signal("TERM");
    // The response is cut off at the deadline of the stop.
    assert_eq!(server.wait().code(), Some(1));
    assert_gone(&pids);
}

#[test]
fn so_many_run_at_once_so_many_wait_and_the_others_are_told_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    // Open for both, so that neither side ever waits for the other to open it.
    let mut gate = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    // Each ends when it has received its own line.
    let waits = format!("read word < {}; {WHOLE}", path.display());
    let options = ["--cgi-processes", "2", "--cgi-queue", "3"];
    let server = Server::with_programs(&options, &[("waits", &waits)]);
    // Three are too many: they receive 503 at once.
    let (sender, responses) = std::sync::mpsc::channel();
    for _ in 0..8 {
        let (sender, mut client) = (sender.clone(), server.connect());
        client.send("GET /cgi-bin/waits HTTP/1.1\r\nHost: a\r\n\r\n");
        std::thread::spawn(move || sender.send(client.response(false)));
    }
    let next = || responses.recv_timeout(PATIENCE).unwrap();
    for response in [(); 3].map(|()| next()) {
        assert_eq!(response.status, 503);
        assert_eq!(response.field("retry-after"), Some("5"));
    }
    server.assert_well();
    for _ in 0..5 {
        gate.write_all(b"go\n").unwrap();
        assert_eq!(next().status, 200);
    }
}

#[test]
fn ten_thousand_requests_leave_no_descriptor_and_no_process() {
    let programs = [
        ("quick", WHOLE),
        (
            "reads",
            "cat >/dev/null; printf 'Content-Type: text/plain\\n\\n'",
        ),
        ("dies", "kill -KILL $$"),
    ];
    let server = Server::with_programs(&[], &programs);
    server.assert_well();
    // The first program starts the guard of all programs.
    assert_eq!(server.get("/cgi-bin/quick").status, 200);
    let before = server.descriptors();
    let clients: Vec<_> = (0..8)
        .map(|number: usize| {
            let mut client = server.connect();
            std::thread::spawn(move || {
                for request in 0..1250 {
                    let (bytes, status) = match (number + request) % 50 {
                        0 => ("GET /cgi-bin/dies HTTP/1.1\r\nHost: a\r\n\r\n", 502),
                        1 => (
                            "POST /cgi-bin/reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                            200,
                        ),
                        2 => (
                            "POST /cgi-bin/reads HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                            200,
                        ),
                        _ => ("GET /cgi-bin/quick HTTP/1.1\r\nHost: a\r\n\r\n", 200),
                    };
                    client.send(bytes);
                    assert_eq!(client.response(false).status, status);
                }
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    server.assert_well();
    // Connections that have just been closed may still be open for a moment.
    let until = Instant::now() + PATIENCE;
    while server.descriptors().len() > before.len() || server.has_children() {
        assert!(
            Instant::now() < until,
            "left: {:?}, before: {before:?}",
            server.descriptors()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
