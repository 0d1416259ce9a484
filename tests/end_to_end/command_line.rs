//! How `spidey` handles its command line, its log and signals.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use super::server::{Client, Server, built};
use super::wrong_values::assert_says_what_is_wanted;

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
fn help_explains_every_option_and_the_short_help_a_dozen() {
    let help = |option: &str| {
        let output = spidey(&[option]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let (short, long) = (help("-h"), help("--help"));
    let options = |text: &str| {
        let lines = text.lines().map(str::trim_start);
        lines.filter(|line| line.starts_with('-')).count()
    };
    assert!((10..=15).contains(&options(&short)), "{short}");
    assert!(options(&long) > 50, "{long}");
    for option in [
        "-v",
        "-p",
        "-b",
        "--writable",
        "--qr",
        "[FOLDER]",
        "--help shows all",
    ] {
        assert!(short.contains(option), "{option} in {short}");
    }
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
        assert!(long.contains(option), "{option} in {long}");
    }
    for group in ["Server:", "Files:", "Limits:", "CGI programs:"] {
        assert!(long.contains(group), "{group} in {long}");
    }
    assert!(!short.contains("--max-body"), "{short}");
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    assert_says_what_is_wanted(built("spidey"), &[]);
    assert_says_what_is_wanted(built("kamea"), &["run"]);
}

/// An address with a port, or a port of this machine; both also beside `--port`.
#[test]
fn an_address_to_listen_on_may_have_a_port() {
    for (options, expected) in [
        (&["-b", ":0"][..], &["127.0.0.1"][..]),
        (&["--bind", "0"], &["127.0.0.1"]),
        (&["-b", "[::1]:0"], &["[::1]"]),
        (&["-b", "127.0.0.2:0", "-p", "1"], &["127.0.0.2"]),
        (
            &["-b", ":0", "-b", "127.0.0.2", "-p", "0"],
            &["127.0.0.1", "127.0.0.2"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(built("spidey"))
            .arg(folder.path())
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines: Vec<_> = lines.take(expected.len()).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        for (line, address) in lines.iter().zip(expected) {
            let at = line.strip_prefix("Listening on ").unwrap();
            assert_eq!(
                at.rsplit_once(':').unwrap().0,
                *address,
                "{options:?}: {line}"
            );
        }
        assert_eq!(lines.len(), expected.len(), "{options:?}: {lines:?}");
    }
}

#[test]
fn a_folder_is_served_without_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| spidey(&[arguments, &["--check"]].concat());
    let path = folder.path().to_str().unwrap();
    assert!(check(&[path]).status.success());
    let missing = check(&["no such folder"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no such folder"));
    let both = check(&[path, "-d", path]);
    assert_eq!(both.status.code(), Some(2));
    // It has precedence over the file.
    let file = folder.path().join("spidey.toml");
    std::fs::write(&file, "docroot = '/no/such/folder'\n").unwrap();
    let file = file.to_str().unwrap();
    assert!(check(&[path, "-c", file]).status.success());
    assert_eq!(check(&["-c", file]).status.code(), Some(2));
}

#[test]
fn its_urls_can_be_opened() {
    let server = Server::start(&["--qr"]);
    let port = server.address.port();
    server.logged(&format!("Open http://localhost:{port}/"));
    assert!(server.logged("█████").chars().count() > 20);
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
        "GET /no 404 ",
        "Finish",
    ] {
        server.logged(&format!("] {peer} | {what}"));
    }
}

#[test]
fn the_log_ends_each_request_with_a_line() {
    let server = Server::start(&["-v"]);
    for (method, path, begin) in [
        ("GET", "/hello.txt?x=1", "GET /hello.txt?x=1 200 6 B "),
        ("HEAD", "/no", "HEAD /no 404 0 B "),
    ] {
        server.ask(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let line = server.logged(begin);
        let time = line.split(begin).nth(1).unwrap();
        let time = time.strip_suffix(" ms").unwrap_or_else(|| panic!("{line}"));
        assert!(time.parse::<f64>().unwrap() >= 0.0, "{line}");
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
