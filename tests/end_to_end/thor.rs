//! `thor`, as in the original assignment: processes that send requests one after another, and dump
//! the responses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use kamea_components::net::testing::free_address;
use kamea_components::tls::self_signed;
use tempfile::TempDir;

use super::server::{PATIENCE, Server};
use super::sessions::{is_like, root, sessions};
use super::wrong_values::assert_says_what_is_wanted;

const THOR: &str = env!("CARGO_BIN_EXE_thor");

fn thor(arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args(["60", THOR])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_closed_stream_is_status_1_and_a_line() {
    for (redirection, of_output) in [(">&-", false), ("2>&-", true)] {
        for arguments in [
            &["http://127.0.0.1:1/"][..],
            &["--help"],
            &["--no-such-option"],
        ] {
            let script = format!("exec \"$0\" \"$@\" {redirection}");
            let mut shell = Command::new("sh");
            let output = shell
                .args(["-c", &script, THOR])
                .args(arguments)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?} {redirection}");
            let told = text(if of_output {
                &output.stdout
            } else {
                &output.stderr
            });
            assert!(told.starts_with("error: standard "), "{told}");
            assert!(
                told.contains(" is closed: ") && told.lines().count() == 1,
                "{told}"
            );
        }
    }
}

/// Starts a server that handles each connection with a function, one after another; returns its
/// address.
fn serve(conversation: impl FnMut(TcpStream) + Send + 'static) -> SocketAddr {
    serve_at("127.0.0.1:0", conversation)
}

fn serve_at(address: &str, mut conversation: impl FnMut(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            conversation(stream);
        }
    });
    address
}

/// Reads a request, up to its empty line.
fn request(stream: &mut TcpStream) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        request.push(byte[0]);
    }
    text(&request)
}

/// A server that answers each request with these bytes, and closes the connection.
fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    serve(move |mut stream| {
        request(&mut stream);
        stream.write_all(&answer).unwrap();
    })
}

/// One line on stderr, and nothing else.
fn assert_fails(output: &Output, status: i32, parts: &[&str]) {
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.starts_with("error: "), "{complaint}");
    for part in parts {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";

#[test]
fn a_url_says_whom_to_ask_for_what() {
    let (requests, received) = mpsc::channel();
    let address = serve(move |mut stream| {
        requests.send(request(&mut stream)).unwrap();
        stream.write_all(OK).unwrap();
    });
    let port = address.port();
    // The URL as written, and the requested target and host.
    for (url, target, host) in [
        (format!("http://127.0.0.1:{port}"), "/", "127.0.0.1"),
        (format!("127.0.0.1:{port}"), "/", "127.0.0.1"),
        (format!("127.0.0.1:{port}/"), "/", "127.0.0.1"),
        (format!("localhost:{port}/"), "/", "localhost"),
        (
            format!("HTTP://127.0.0.1:{port}/a/b.html"),
            "/a/b.html",
            "127.0.0.1",
        ),
        (
            format!("127.0.0.1:{port}/a%20b?c=d&e#f"),
            "/a%20b?c=d&e",
            "127.0.0.1",
        ),
        (
            format!("127.0.0.1:{port}?q=http://x/"),
            "/?q=http://x/",
            "127.0.0.1",
        ),
    ] {
        let output = thor(&[&url]);
        assert_eq!(text(&output.stdout).as_bytes(), OK, "{url}");
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
        let request = received.recv_timeout(PATIENCE).unwrap();
        let mut lines = request.lines();
        assert_eq!(
            lines.next(),
            Some(&*format!("GET {target} HTTP/1.0")),
            "{url}"
        );
        assert_eq!(
            lines.next(),
            Some(&*format!("Host: {host}:{port}")),
            "{url}"
        );
    }
}

#[test]
fn ipv6() {
    let address = serve_at("[::1]:0", |mut stream| {
        let request = request(&mut stream);
        assert!(request.contains("Host: [::1]:"), "{request}");
        stream.write_all(OK).unwrap();
    });
    let url = format!("http://[::1]:{}/x?y", address.port());
    let output = thor(&["-v", &url]);
    assert_eq!(output.stdout, OK);
    let log = text(&output.stderr);
    for line in [
        format!("URL: {url}"),
        "HOST: ::1".to_owned(),
        format!("PORT: {}", address.port()),
        "PATH: /x?y".to_owned(),
        format!("Connected to [::1]:{}...", address.port()),
    ] {
        assert!(log.contains(&format!("] {line}\n")), "{line} in {log}");
    }
}

#[test]
fn heads_and_bodies_come_out_byte_for_byte() {
    let rows: [&[u8]; 7] = [
        b"HTTP/1.0 200 OK\r\nserver:   x\r\n\r\nuntil\0the\xff\r\nend",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 N\xe9ant\r\nA: \t b \r\nA:c\r\nContent-Length: 2\r\n\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n",
    ];
    for response in rows {
        let output = thor(&[&answering(response).to_string()]);
        assert_eq!(output.stdout, response, "{}", text(response));
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
    }
    // Bytes after a response do not belong to it.
    let output = thor(&[&answering([OK, b"and more"].concat()).to_string()]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), OK));
}

#[test]
fn a_response_ends_although_the_connection_does_not() {
    let (held, _hold) = mpsc::channel();
    let address = serve(move |mut stream| {
        request(&mut stream);
        stream.write_all(OK).unwrap();
        held.send(stream).unwrap();
    });
    assert_eq!(
        thor(&["-r", "2", &address.to_string()]).stdout,
        [OK, OK].concat()
    );
}

#[test]
fn a_file_of_spidey_comes_whole() {
    let server = Server::start(&[]);
    let content: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(server.path().join("numbers.bin"), &content).unwrap();
    let output = thor(&[&format!("{}/numbers.bin", server.address)]);
    let head = output.stdout.len() - content.len();
    assert!(output.stdout.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(output.stdout[..head].ends_with(b"\r\n\r\n"));
    assert!(output.stdout[head..] == content);
    let output = thor(&[&format!("{}/nothing", server.address)]);
    assert!(output.stdout.starts_with(b"HTTP/1.1 404 "));
    assert!(output.status.success(), "a response is a response");
}

/// Returns the line after its time, which must be there, with numbers of processes as `N` and times
/// as `T`.
fn behind_time(line: &str) -> String {
    let (time, rest) = line.split_at("[2016-04-10 14:25:12] ".len());
    let shape = time.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(shape, "[0000-00-00 00:00:00] ", "{line}");
    rest.to_owned()
}

#[test]
fn processes_make_their_requests_side_by_side_and_log_them() {
    let (requests, received) = mpsc::channel();
    let mut first = None;
    let address = serve(move |mut stream| {
        requests.send(request(&mut stream)).unwrap();
        // The first request is answered when another one has arrived: it must come from another
        // process.
        match first.take() {
            None => first = Some(stream),
            Some(mut first) => {
                for stream in [&mut first, &mut stream] {
                    stream.write_all(OK).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                }
            }
        }
    });
    let url = format!("{address}/x");
    let output = thor(&["-v", "-r", "3", "-p", "2", &url]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // The output of one process may appear in the middle of the other's.
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(output.stdout), sorted(OK.repeat(6)));
    assert_eq!(received.try_iter().count(), 6);

    let log = text(&output.stderr);
    let lines: Vec<_> = log.lines().map(behind_time).collect();
    let count = |line: &str| lines.iter().filter(|found| *found == line).count();
    let each = [
        format!("URL: {url}"),
        "HOST: 127.0.0.1".to_owned(),
        format!("PORT: {}", address.port()),
        "PATH: /x".to_owned(),
        format!("Connected to {address}..."),
        "Handle".to_owned(),
        "Sending request...".to_owned(),
        "Receiving response...".to_owned(),
        "Finish".to_owned(),
    ];
    for line in each {
        assert_eq!(count(&line), 6, "{line} in {log}");
    }

    let mut of_process: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in &lines {
        if let Some((process, rest)) = line.split_once(" | ") {
            let (what, seconds) = rest.split_once(": ").unwrap();
            let seconds = seconds.strip_suffix(" seconds").unwrap();
            let decimals = seconds.split_once('.').unwrap().1;
            assert!(
                seconds.parse::<f64>().is_ok() && decimals.len() == 2,
                "{line}"
            );
            of_process.entry(process.to_owned()).or_default().push(what);
        }
    }
    let elapsed = "Elapsed time";
    let expected = [elapsed, elapsed, elapsed, "Average elapsed time"];
    assert_eq!(of_process.len(), 2, "{log}");
    assert!(of_process.values().all(|lines| *lines == expected), "{log}");
    let ended: BTreeSet<_> = of_process
        .keys()
        .map(|process| format!("Process {process} terminated with exit status 0"))
        .collect();
    let last: BTreeSet<_> = lines
        .iter()
        .filter(|line| line.starts_with("Process "))
        .cloned()
        .collect();
    assert_eq!(last, ended);
}

#[test]
fn the_sessions_of_its_page_go_as_written() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &[]);
    fs::copy(
        root().join("www/robots.txt"),
        server.path().join("robots.txt"),
    )
    .unwrap();
    let port = server.address.port().to_string();
    let page = fs::read_to_string(root().join("docs/src/thor.md")).unwrap();
    let page = page
        .replace("localhost", "127.0.0.1")
        .replace("9234", &port);
    let sessions = sessions(&page);
    assert_eq!(sessions.len(), 2);
    let folder = tempfile::tempdir().unwrap();
    for (command, expected) in sessions {
        let script = command.replace("thor ", &format!("timeout 60 {THOR} "));
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&folder)
            .output()
            .unwrap();
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(is_like(&printed, &expected), "{command}: {printed}");
    }
}

#[test]
fn an_unknown_host_and_a_refused_connection_are_named() {
    let output = thor(&["nosuch.invalid"]);
    assert_fails(
        &output,
        1,
        &["cannot connect to nosuch.invalid:80: ", "lookup"],
    );
    let gone = free_address().unwrap();
    let output = thor(&[&format!("http://{gone}/")]);
    assert_fails(&output, 1, &[&gone.to_string(), "refused"]);
    // The log contains the usual port, and how the process has ended.
    let log = text(&thor(&["-v", "nosuch.invalid/a"]).stderr);
    for line in [
        "URL: nosuch.invalid/a",
        "HOST: nosuch.invalid",
        "PORT: 80",
        "PATH: /a",
    ] {
        assert!(log.contains(&format!("] {line}\n")), "{line} in {log}");
    }
    assert!(log.ends_with("terminated with exit status 1\n"), "{log}");
}

#[test]
fn a_broken_response_is_said_to_be_broken() {
    // What the server sends before it closes the connection, the output for it, and the error.
    let rows: [(&'static [u8], &str, &str); 7] = [
        (b"", "", "closed the connection without a response"),
        (b"<html>hello</html>", "", "status line"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "", "status line"),
        (
            b"HTTP/1.1 200 OK\r\nA: b",
            "HTTP/1.1 200 OK\r\nA: b",
            "in the midst of the head",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "7 bytes of the body were still to come",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
            "",
            "Content-Length is not a decimal number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "before the last chunk",
        ),
    ];
    for (answer, shown, wrong) in rows {
        let url = answering(answer).to_string();
        let output = thor(&["-r", "2", &url]);
        assert_fails(&output, 1, &["the response is broken: ", wrong]);
        assert_eq!(
            text(&output.stdout),
            shown,
            "what came is shown, of the first request alone"
        );
    }
}

#[test]
fn a_connection_that_is_cut_is_named() {
    let address = serve(|mut stream| {
        // If it is closed with unread bytes, it is reset.
        stream.peek(&mut [0]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            .unwrap();
    });
    let output = thor(&[&address.to_string()]);
    assert_fails(&output, 1, &[&address.to_string(), "was lost", "reset"]);
}

#[test]
fn a_response_that_does_not_come_is_not_waited_for_for_ever() {
    for begun in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"] {
        let mut held = Vec::new();
        let address = serve(move |mut stream| {
            request(&mut stream);
            stream.write_all(begun).unwrap();
            held.push(stream);
        });
        let output = thor(&["--timeout", "300ms", &address.to_string()]);
        assert_fails(&output, 1, &["sent nothing for 0.3 s"]);
        assert_eq!(output.stdout, begun);
    }
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    assert_says_what_is_wanted(THOR, &[]);
}

#[test]
fn a_port_alone_is_one_of_this_machine() {
    let port = answering(OK).port();
    for url in [
        format!(":{port}"),
        format!("{port}/a"),
        format!("http://:{port}/"),
    ] {
        assert_eq!(text(&thor(&[&url]).stdout).as_bytes(), OK, "{url}");
    }
}

#[test]
fn wrong_usage_is_one_line_and_status_2() {
    for (arguments, part) in [
        (&[][..], "<URL>"),
        (&["a", "b"], "several URLs are for load"),
        (&["-r", "0", "a"], "--requests"),
        (&["-p", "0", "a"], "--processes"),
        (&["-p", "many", "a"], "--processes"),
        (&["--timeout", "soon", "a"], "10s"),
        (&["--no-such-option", "a"], "--no-such-option"),
        (&["ftp://a/"], "begins with http://, with https://"),
        (&["http://user@a/"], "user name"),
        (&["http://"], "host"),
        (&["a:0"], "port"),
        (&["a/b c"], "percent-encoded"),
    ] {
        assert_fails(&thor(arguments), 2, &[part]);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure_one_that_nobody_reads_is_not() {
    let url = answering(OK).to_string();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(THOR).arg(&url).stdout(full).output().unwrap();
    assert_fails(&output, 1, &["standard output", "space"]);
    let mut child = Command::new(THOR)
        .args(["-r", "3", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn a_process_that_is_killed_has_failed() {
    let (asked, asks) = mpsc::channel();
    let address = serve(move |mut stream| {
        request(&mut stream);
        asked.send(stream).unwrap();
    });
    let thor = Command::new(THOR)
        .arg(address.to_string())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _held = asks.recv_timeout(PATIENCE).unwrap();
    let id = thor.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let children: Vec<_> = children.split_whitespace().collect();
    assert_eq!(children.len(), 1);
    assert!(
        Command::new("kill")
            .args(["-9", children[0]])
            .status()
            .unwrap()
            .success()
    );
    let output = thor.wait_with_output().unwrap();
    assert_fails(&output, 1, &[children[0], "killed by signal 9"]);
}

/// What curl and wrk accept, thor accepts; with `--strict` it does not.
#[test]
fn sloppy_responses_are_accepted_unless_strictness_is_asked_for() {
    let fields = "X-Field: value\r\n".repeat(150);
    let many = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 3\r\n\r\nyes");
    let long = format!(
        "HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 3\r\n\r\nyes",
        "x".repeat(60_000)
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        many,
        long,
        format!("{chunked}3  \r\nyes\r\n0\r\n\r\n"),
        format!("{chunked}3\nyes\n0\n\n"),
        "HTTP/1.1 200 OK\nContent-Length: 3\n\nyes".to_owned(),
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\nyes".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nyes".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nyes".to_owned(),
        "HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 3\r\n\r\nyes".to_owned(),
    ];
    for answer in rows {
        let shown = &answer[..answer.len().min(80)];
        let url = answering(answer.clone()).to_string();
        let output = thor(&[&url]);
        assert_eq!(text(&output.stderr), "", "{shown:?}");
        assert_eq!(text(&output.stdout), answer, "byte for byte");
        assert_eq!(output.status.code(), Some(0), "{shown:?}");
        let output = thor(&["--strict", &url]);
        assert_fails(&output, 1, &["the response is broken: "]);
        let load = |more: &[&str]| {
            let options = [
                &["-c", "1", "-n", "2", "-q", "--no-keep-alive"][..],
                more,
                &[&url],
            ];
            thor(&options.concat())
        };
        assert_eq!(load(&[]).status.code(), Some(0), "{shown:?}");
        assert_ne!(load(&["--strict"]).status.code(), Some(0), "{shown:?}");
    }
    // The space before the reason may be missing in both.
    let url = answering("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nyes").to_string();
    for options in [&[][..], &["--strict"]] {
        let output = thor(&[options, &[&url]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

/// Starts a server with a certificate of its own for `localhost`. Returns also the folder with the
/// certificate, `own.pem`, and its key, `own.key`.
pub(super) fn server_over_tls(options: &[&str]) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let own = self_signed(&["localhost"]).unwrap();
    let (pem, key) = (folder.path().join("own.pem"), folder.path().join("own.key"));
    fs::write(&pem, own.to_pem()).unwrap();
    fs::write(&key, own.key_to_pem().unwrap()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let (pem, key) = (pem.to_str().unwrap(), key.to_str().unwrap());
    let tls = ["--tls-cert", pem, "--tls-key", key];
    (Server::start(&[&tls, options].concat()), folder)
}

#[test]
fn https_is_checked_unless_that_is_turned_off() {
    let (server, folder) = server_over_tls(&[]);
    let port = server.address.port();
    let own = folder.path().join("own.pem");
    let own = own.to_str().unwrap();
    let url = format!("https://localhost:{port}/hello.txt");
    for options in [
        &["--cacert", own][..],
        &["--insecure"],
        &["-k", "-r", "3", "-p", "2"],
    ] {
        let output = thor(&[options, &[&url]].concat());
        let (dump, complaint) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success() && complaint.is_empty(),
            "{complaint}"
        );
        assert!(dump.starts_with("HTTP/1.1 200 OK\r\n"), "{dump}");
        let times = if options.len() > 3 { 6 } else { 1 };
        assert_eq!(dump.matches("\r\n\r\nhello\n").count(), times, "{dump}");
    }
    // The system does not trust it, and it is not for every name.
    assert_fails(&thor(&[&url]), 1, &["TLS: ", "certificate"]);
    let other = format!("https://127.0.0.1:{port}/");
    let output = thor(&["--cacert", own, &other]);
    assert_fails(&output, 1, &["TLS: ", "not valid for name"]);

    // What is not spoken there.
    let plain = answering(OK);
    let output = thor(&["-k", &format!("https://localhost:{}/", plain.port())]);
    assert_fails(&output, 1, &["TLS: "]);

    let output = thor(&["--cacert", "/missing.pem", &url]);
    assert_fails(&output, 2, &["--cacert", "/missing.pem"]);
    let key = folder.path().join("own.key");
    let output = thor(&["--cacert", key.to_str().unwrap(), &url]);
    assert_fails(&output, 2, &["--cacert", "BEGIN CERTIFICATE"]);
    let output = thor(&["--cacert", own, "--insecure", &url]);
    assert_fails(&output, 2, &["--insecure"]);
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks_for_it() {
    let authority = tempfile::tempdir().unwrap();
    let own = self_signed(&["ada"]).unwrap();
    let (pem, key) = (
        authority.path().join("ada.pem"),
        authority.path().join("ada.key"),
    );
    fs::write(&pem, own.to_pem()).unwrap();
    fs::write(&key, own.key_to_pem().unwrap()).unwrap();
    let (pem, key) = (pem.to_str().unwrap(), key.to_str().unwrap());
    let (server, _folder) = server_over_tls(&["--tls-client-ca", pem]);
    let url = format!("https://localhost:{}/hello.txt", server.address.port());
    let output = thor(&["-k", "--cert", pem, "--key", key, &url]);
    assert!(
        text(&output.stdout).ends_with("hello\n"),
        "{}",
        text(&output.stderr)
    );
    let output = thor(&["-k", &url]);
    assert_fails(&output, 1, &["certificate_required"]);
    assert_fails(&thor(&["-k", "--cert", pem, &url]), 2, &["--key"]);
}

#[test]
fn a_server_of_another_make_and_of_each_version_is_understood() {
    let (_server, folder) = server_over_tls(&[]);
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", version]);
        command.args([
            "-accept",
            "127.0.0.1:0",
            "-cert",
            "own.pem",
            "-key",
            "own.key",
        ]);
        command.current_dir(folder.path());
        let mut other = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)
        });
        let url = format!("https://localhost:{}/", port.unwrap());
        let own = folder.path().join("own.pem");
        for load in [&[][..], &["-n", "3", "-c", "1", "--no-keep-alive", "-q"]] {
            let output = thor(&[load, &["--cacert", own.to_str().unwrap(), &url]].concat());
            let (dump, complaint) = (text(&output.stdout), text(&output.stderr));
            assert!(
                output.status.success(),
                "{version} {load:?}: {dump}{complaint}"
            );
            let expected = if load.is_empty() {
                "HTTP/1.0 200 ok"
            } else {
                "200 3"
            };
            assert!(dump.contains(expected), "{version} {load:?}: {dump}");
        }
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
