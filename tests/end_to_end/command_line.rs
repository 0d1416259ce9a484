//! What `spidey` makes of its command line, its log and signals.

use std::net::TcpListener;
use std::process::{Command, Output};

use super::server::{Client, Server};

fn spidey(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn a_mistake_is_one_line_and_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for options in [
        &["-b", "127.0.0.1", "-p", &port][..],
        &["-d", "/no/such/folder", "-p", "0"],
        &["-d", "/etc/hostname", "-p", "0"],
        &["-p", "http"],
        &["-p", "65536"],
        &["--workers", "0"],
        &["--keep-alive", "-1"],
        &["--header-timeout", "soon"],
        &["-b", "nowhere"],
        &["-b", "192.0.2.1", "-p", "0"],
        &["--no-such-option"],
        &["stray"],
    ] {
        let output = spidey(options);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{options:?}: {text}");
        assert!(text.starts_with("error: "), "{options:?}: {text}");
    }
}

#[test]
fn a_port_that_another_spidey_serves_is_taken() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let output = spidey(&["-b", "127.0.0.1", "-p", &port]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port));
}

#[test]
fn help_explains_every_option() {
    let output = spidey(&["-h"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for option in [
        "-v",
        "-p",
        "-d",
        "-b",
        "--workers",
        "--hidden",
        "--max-body",
        "--connections-per-client",
    ] {
        assert!(text.contains(option), "{option} in {text}");
    }
}

#[test]
fn the_log_says_what_happens() {
    let server = Server::start(&["-v"]);
    let mut client = server.connect();
    let peer = client.stream.local_addr().unwrap();
    client.send("GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\nGET /no HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    client.rest();
    let line = server.logged("Accepted connection from");
    let (time, rest) = line.split_at("[2016-04-10 16:29:01]".len());
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "[0000-00-00 00:00:00]");
    assert_eq!(rest, format!(" Accepted connection from {peer}"));
    for what in [
        "Connect",
        "Parsing ['GET', '/hello.txt', 'HTTP/1.1']",
        "Handle File",
        "Handle Directory",
        "Handle Error 404",
        "Finish",
    ] {
        server.logged(&format!("] {peer} | {what}"));
    }
}

#[test]
fn a_signal_lets_the_running_response_end() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&["-v"]);
        std::fs::write(server.path().join("large"), vec![7; 50 << 20]).unwrap();
        let mut running = server.connect();
        running.send("GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        server.logged("Handle File");
        let _idle = server.connect();
        server.logged("Connect");
        server.signal(name);
        let response = running.response(false);
        assert_eq!(response.body.len(), 50 << 20, "{name}");
        assert_eq!(server.wait().code(), Some(0), "{name}");
        assert!(
            std::net::TcpStream::connect(server.address).is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&["-v"]);
    std::fs::write(server.path().join("large"), vec![7; 50 << 20]).unwrap();
    // It never reads, so the first signal would wait for it.
    let mut stuck: Client = server.connect();
    stuck.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n");
    server.logged("Handle File");
    server.signal("TERM");
    server.logged("Stopping");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130));
}
