//! Load by `thor`: its counts match those of the server, and it distinguishes kinds of errors.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kamea_components::net::testing::free_address;

use super::server::{Client, PATIENCE, Server, wait_for};
use super::thor::server_over_tls;

const THOR: &str = env!("CARGO_BIN_EXE_thor");
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";

pub(crate) fn thor(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["60", THOR]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the table at the end, after checking this exit status.
pub(crate) fn table(status: i32, arguments: &[&str]) -> String {
    let output = thor(arguments);
    let (table, complaint) = (text(&output.stdout), text(&output.stderr));
    let shown = format!("{arguments:?}\n{table}{complaint}");
    assert_eq!(output.status.code(), Some(status), "{shown}");
    assert_eq!(complaint.is_empty(), status == 0, "{shown}");
    table
}

/// Returns a row of a table.
pub(crate) fn row<'a>(table: &'a str, name: &str) -> &'a str {
    let mut lines = table.lines().map(str::trim);
    let line = lines.find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name}: {table}"))
        .trim()
}

/// Returns the number at the beginning of a row.
pub(crate) fn figure(table: &str, name: &str) -> usize {
    let number = row(table, name).split(' ').next().unwrap();
    let digits = number.trim_end_matches(',').replace(',', "");
    digits.parse().unwrap_or_else(|_| panic!("{name}: {table}"))
}

/// Starts a server that handles each connection with a function, all at once; returns its address.
fn serve(conversation: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, conversation) = (listener.local_addr().unwrap(), Arc::new(conversation));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let conversation = conversation.clone();
            thread::spawn(move || conversation(stream));
        }
    });
    address
}

/// Reads the head of a request; `None` at the end.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    Some(text(&request))
}

/// A server that answers each request with the same bytes.
fn answering(answer: &'static [u8]) -> SocketAddr {
    serve(
        move |mut stream| {
            while request(&mut stream).is_some() && stream.write_all(answer).is_ok() {}
        },
    )
}

/// A server with a log of its requests.
fn logging() -> (Server, tempfile::TempDir, std::path::PathBuf) {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let log_file = log.to_str().unwrap();
    let server = Server::start(&["--access-log", log_file, "--connections-per-client", "500"]);
    (server, logs, log)
}

/// Returns how many lines of a log contain `text`, once there are `all` lines; then checks that no
/// more follow.
fn logged(log: &Path, all: usize, text: &str) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        let lines = fs::read_to_string(log).unwrap_or_default();
        let count = lines.lines().count();
        assert!(count <= all, "{count} lines, and not {all}");
        if count == all {
            return lines.lines().filter(|line| line.contains(text)).count();
        }
        assert!(Instant::now() < until, "{count} lines, and not {all}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_counted_is_what_the_server_has_answered() {
    let (server, _logs, log) = logging();
    let url = |query| format!("http://{}/hello.txt?{query}", server.address);
    let mut all = 0;
    for (query, connections, requests, more) in [
        ("one", "1", 50, &[][..]),
        ("many", "7", 200, &[]),
        ("pipelined", "3", 200, &["--pipeline", "8"]),
        ("closing", "5", 50, &["--no-keep-alive"]),
        ("scheduled", "4", 50, &["--rate", "500"]),
        ("threads", "8", 200, &["--threads", "2"]),
        ("crowd", "500", 1000, &["--threads", "2"]),
    ] {
        let (number, url) = (requests.to_string(), url(query));
        let usual = ["-q", "-c", connections, "-n", &number, &url];
        let table = table(0, &[&usual[..], more].concat());
        assert_eq!(figure(&table, "requests"), requests, "{table}");
        assert_eq!(
            row(&table, "status").replace(',', ""),
            format!("200 {requests}")
        );
        assert_eq!(row(&table, "errors"), "none");
        assert_eq!(row(&table, "content"), "6 bytes each");
        all += requests;
        assert_eq!(
            logged(&log, all, &format!("?{query} ")),
            requests,
            "{query}"
        );
    }
}

#[test]
fn statuses_are_counted_apart_and_so_are_lengths() {
    let (server, _logs, log) = logging();
    let hello = format!("http://{}/hello.txt", server.address);
    let missing = format!("http://{}/missing", server.address);
    let weighted = format!("3*{hello}");
    let table = table(0, &["-q", "-c", "4", "-n", "400", &weighted, &missing]);
    let found = logged(&log, 400, "/hello.txt ");
    // Three in four; seven standard deviations off is one in 10^11.
    assert!((240..=360).contains(&found), "{found}");
    assert_eq!(
        row(&table, "status"),
        format!("200 {found}, 404 {}", 400 - found)
    );
    assert!(row(&table, "content").starts_with("6 to "), "{table}");
}

#[test]
fn a_rate_asks_for_no_more_than_its_schedule() {
    let (server, _logs, log) = logging();
    let url = format!("http://{}/hello.txt", server.address);
    let table = table(0, &["-q", "-c", "3", "-d", "2s", "--rate", "100", &url]);
    let requests = figure(&table, "requests");
    assert!((1..=200).contains(&requests), "{table}");
    assert_eq!(logged(&log, requests, "GET"), requests);
    // Either everything that was planned was sent in time, or the report says that it was not.
    let is_kept = table.contains("The client has kept to its schedule.");
    let is_held_up = table.contains("The server did not keep up");
    assert_ne!(
        is_kept,
        table.contains("The client itself, or its machine, was too slow"),
        "{table}"
    );
    assert!(!is_kept || is_held_up || requests == 200, "{table}");
}

#[test]
fn faults_are_told_apart() {
    let nowhere = free_address().unwrap();
    let silent = serve(|mut stream| while request(&mut stream).is_some() {});
    let closing = serve(|mut stream| drop(request(&mut stream)));
    // It closes with most of the request unread, which resets the connection.
    let deaf = serve(|mut stream| drop(stream.read(&mut [0])));
    let files = tempfile::tempdir().unwrap();
    let large = files.path().join("large");
    fs::write(&large, vec![b'x'; 32 << 20]).unwrap();
    let body = large.to_str().unwrap();
    let answering_half =
        |answer| serve(move |mut stream| drop((request(&mut stream), stream.write_all(answer))));
    let rows: [(SocketAddr, &[&str], &str); 8] = [
        (nowhere, &[], "connect 1 (Connection refused"),
        (silent, &["--timeout", "500ms"], "time_out 1 ("),
        (
            closing,
            &[],
            "read 1 (the server closed the connection without a response)",
        ),
        (deaf, &["--body", body], "write 1 ("),
        (
            answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            &[],
            "protocol 1 (the status line",
        ),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n"),
            &[],
            "protocol 1 (the Content-Length",
        ),
        (
            answering_half(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
            &[],
            "protocol 1 (the server closed the connection when 6 bytes",
        ),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nyes"),
            &[],
            "protocol 1 (the server sent something",
        ),
    ];
    for (address, more, expected) in rows {
        let url = format!("http://{address}/");
        let usual = ["-q", "-c", "1", "-n", "1", &url];
        let table = table(1, &[&usual[..], more].concat());
        assert!(
            row(&table, "errors").starts_with(expected),
            "{expected}: {table}"
        );
        assert_eq!(figure(&table, "requests"), 0);
    }
}

#[test]
fn whoever_answers_some_of_the_time_is_asked_again() {
    let count = AtomicUsize::new(0);
    let address = serve(move |mut stream| {
        while request(&mut stream).is_some() {
            match count.fetch_add(1, Ordering::SeqCst) % 2 {
                0 => stream.write_all(OK).unwrap(),
                _ => return,
            }
        }
    });
    let table = table(
        0,
        &["-q", "-c", "1", "-n", "10", &format!("http://{address}/")],
    );
    assert_eq!(figure(&table, "requests"), 5);
    assert!(row(&table, "errors").starts_with("read 5 ("), "{table}");
}

#[test]
fn a_server_that_is_not_there_is_not_asked_for_ever() {
    let nowhere = free_address().unwrap();
    let output = thor(&["-c", "3", "-d", "1000h", &format!("http://{nowhere}/")]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    let expected = "error: nothing was answered: Connection refused";
    assert!(complaint.starts_with(expected), "{complaint}");
}

#[test]
fn pipelined_requests_do_not_wait_for_each_other() {
    let address = serve(|mut stream| {
        // It answers only once it has four.
        while (0..4).all(|_| request(&mut stream).is_some()) {
            stream.write_all(&OK.repeat(4)).unwrap();
        }
    });
    let url = format!("http://{address}/");
    let table = table(0, &["-q", "-c", "1", "-n", "40", "--pipeline", "4", &url]);
    assert_eq!(figure(&table, "requests"), 40);
}

#[test]
fn connections_are_kept_unless_that_is_not_wanted() {
    for (options, expected) in [(&[][..], 1), (&["--no-keep-alive"], 20)] {
        let (heads, received) = mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let address = serve(move |mut stream| {
            count.fetch_add(1, Ordering::SeqCst);
            while let Some(head) = request(&mut stream) {
                heads.send(head).unwrap();
                if stream.write_all(OK).is_err() {
                    break;
                }
            }
        });
        let url = format!("http://{address}/");
        let table = table(0, &[&["-q", "-c", "1", "-n", "20", &url], options].concat());
        assert_eq!(figure(&table, "requests"), 20);
        assert_eq!(connections.load(Ordering::SeqCst), expected);
        let head = received.recv_timeout(PATIENCE).unwrap();
        let closes = head.contains("Connection: close\r\n");
        assert_eq!(closes, expected == 20, "{head}");
    }
}

#[test]
fn method_fields_and_body_are_sent_as_they_are_given() {
    let (requests, received) = mpsc::channel();
    let address = serve(move |mut stream| {
        while let Some(head) = request(&mut stream) {
            let mut body = [0; 5];
            if head.contains("Content-Length: 5\r\n") {
                stream.read_exact(&mut body).unwrap();
            }
            requests.send((head, text(&body))).unwrap();
            stream.write_all(OK).unwrap();
        }
    });
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("body");
    fs::write(&file, "hello").unwrap();
    let (url, file) = (format!("http://{address}/a?b"), file.to_str().unwrap());
    for (options, first, body) in [
        (&[][..], "GET /a?b HTTP/1.1", "\0\0\0\0\0"),
        (&["--body", file], "POST /a?b HTTP/1.1", "hello"),
        (
            &["--method", "PUT", "--body", file],
            "PUT /a?b HTTP/1.1",
            "hello",
        ),
        (
            &["--method", "DELETE"],
            "DELETE /a?b HTTP/1.1",
            "\0\0\0\0\0",
        ),
    ] {
        let usual = [
            "-q",
            "-c",
            "1",
            "-n",
            "1",
            "-H",
            "X-One: 1",
            "-H",
            "Host:elsewhere",
            &url,
        ];
        table(0, &[&usual[..], options].concat());
        let (head, received) = received.recv_timeout(PATIENCE).unwrap();
        assert_eq!((head.lines().next(), &*received), (Some(first), body));
        let agent = concat!("User-Agent: thor/", env!("CARGO_PKG_VERSION"));
        for field in ["Host: elsewhere", "X-One: 1", agent] {
            assert!(
                head.contains(&format!("\r\n{field}\r\n")),
                "{field}: {head}"
            );
        }
    }
}

#[test]
fn urls_come_from_a_file_too_and_lead_to_several_servers() {
    let counts: [Arc<AtomicUsize>; 3] = Default::default();
    let servers = counts.clone().map(|count| {
        serve(move |mut stream| {
            while request(&mut stream).is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(OK).unwrap();
            }
        })
    });
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("urls");
    let [a, b, c] = servers;
    fs::write(&file, format!("# two more\n\n2*http://{b}/\n  {c}/x  \n")).unwrap();
    let (url, file) = (format!("http://{a}/"), file.to_str().unwrap());
    let table = table(0, &["-q", "-c", "4", "-n", "200", &url, "--urls", file]);
    assert_eq!(figure(&table, "requests"), 200);
    let counts = counts.map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts.iter().sum::<usize>(), 200);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// A run until it is stopped, after it has shown progress; returns its stderr so far.
fn endless(arguments: &[&str]) -> (Child, Vec<String>) {
    let mut command = Command::new(THOR);
    command.args(arguments).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (lines, shown) = mpsc::channel();
    thread::spawn(move || {
        let mut said = stderr.lines().map_while(Result::ok);
        said.try_for_each(|line| lines.send(line))
    });
    let mut said = Vec::new();
    while !said
        .last()
        .is_some_and(|line: &String| line.contains("requests/s"))
    {
        said.push(shown.recv_timeout(PATIENCE).unwrap());
    }
    // The rest is read and dropped.
    thread::spawn(move || shown.into_iter().for_each(drop));
    (child, said)
}

fn rest(child: &mut Child) -> String {
    let mut table = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut table)
        .unwrap();
    table
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-s", "INT", &pid]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn ctrl_c_ends_a_run_early_and_what_it_has_shown_is_told() {
    // The second server has stopped answering: it does not slow the others.
    let count = AtomicUsize::new(0);
    let silent = serve(move |mut stream| {
        while request(&mut stream).is_some() {
            if count.fetch_add(1, Ordering::SeqCst) < 10 {
                stream.write_all(OK).unwrap();
            }
        }
    });
    for address in [answering(OK), silent] {
        let url = format!("http://{address}/");
        let (mut child, said) = endless(&["-c", "2", "-d", "1000h", &url]);
        let line = said.last().unwrap();
        // Plain lines if there is no terminal.
        assert!(
            line.contains(" requests/s  p50 ") && !line.contains('\u{1b}'),
            "{line}"
        );
        interrupt(&child);
        let table = rest(&mut child);
        assert!(
            !table.contains("requests/s  p50"),
            "progress is on stderr: {table}"
        );
        assert!(wait_for(&mut child).success(), "{table}");
        assert!(figure(&table, "requests") >= 10, "{table}");
        assert_eq!(row(&table, "errors"), "none");
    }
}

#[test]
fn what_runs_can_be_looked_at() {
    let url = format!("http://{}/", answering(OK));
    let (mut child, said) = endless(&["-c", "3", "-d", "1000h", "--inspect", ":0", &url]);
    let address = said[0].trim().strip_prefix("Inspect at http://");
    let (address, token) = address.unwrap().split_once("/?token=").unwrap();
    let mut client = Client::connect(address.parse().unwrap());
    client.send(format!(
        "GET /census HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ));
    let census: serde_json::Value = serde_json::from_slice(&client.response(false).body).unwrap();
    let graphs = census["graphs"].as_array().unwrap();
    let connection = graphs.iter().find(|graph| graph["name"] == "connection");
    let connection = connection.unwrap_or_else(|| panic!("{census}"));
    let components = connection["components"].as_array().unwrap();
    let names: Vec<_> = components
        .iter()
        .map(|component| component["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["tickets", "writer", "dial", "parser", "recorder"]);
    interrupt(&child);
    rest(&mut child);
    assert!(wait_for(&mut child).success());
}

#[test]
fn on_a_terminal_it_is_drawn() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = text(ptsname(&terminal, Vec::new()).unwrap().as_bytes());
    let end = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    let url = format!("http://{}/", answering(OK));
    let mut child = Command::new(THOR)
        .args(["-c", "2", "-d", "2s", &url])
        .stdin(Stdio::null())
        .stdout(end.try_clone().unwrap())
        .stderr(end)
        .spawn()
        .unwrap();
    let (mut shown, mut terminal) = (Vec::new(), fs::File::from(terminal));
    // A terminal whose other end has been closed fails.
    drop(terminal.read_to_end(&mut shown));
    assert!(wait_for(&mut child).success());
    let shown = text(&shown);
    for part in [
        "\u{1b}[",
        " of 2 s ",
        "p99.9 ",
        "up to ",
        "█",
        "no errors",
        "latency ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn options_that_do_not_fit_together_are_refused() {
    for arguments in [
        &["-c", "2", "-r", "3"][..],
        &["-n", "2", "-p", "3"],
        &["-d", "1s", "-v"],
        &["--rate", "5", "-r", "1"],
        &["--threads", "2"],
        &["-r", "2", "-q"],
    ] {
        let output = thor(&[arguments, &["localhost:9/"]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn it_ends_quietly_when_its_reader_goes() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20);
    let large: &'static [u8] = Vec::leak([large.into_bytes(), vec![b'x'; 4 << 20]].concat());
    let url = format!("http://{}/", answering(large));
    for arguments in [
        &[&url[..]][..],
        &["-q", "-n", "1", &url],
        &["-q", "-n", "1", "--json", &url],
    ] {
        let mut child = Command::new(THOR)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = files.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wrong = file("wrong", "http://a/\nftp://b/\n");
    let empty = file("empty", "# nothing\n");
    let missing = files.path().join("missing");
    let missing = missing.to_str().unwrap();
    let rows: &[(&[&str], &str)] = &[
        (&["-c", "0", "a"], "--connections"),
        (&["-d", "5 minutes", "a"], "a time is a number and its unit"),
        (&["-d", "1s", "-n", "1", "a"], "cannot be used with"),
        (&["-n", "1", "--rate", "0", "a"], "a rate is a number"),
        (&["-n", "1", "--pipeline", "0", "a"], "--pipeline"),
        (&["-n", "1", "0*a"], "a weight is a number from 1"),
        (
            &["-n", "1", "ftp://a/"],
            "begins with http://, with https://",
        ),
        (
            &["-n", "1", "-H", "no colon", "127.0.0.1"],
            "-H 'no colon': a field is",
        ),
        (
            &["-n", "1", "-H", "Content-Length: 5", "127.0.0.1"],
            "--body",
        ),
        (&["-n", "1", "--method", "CONNECT", "127.0.0.1"], "CONNECT"),
        (&["-n", "1", "--body", missing, "127.0.0.1"], missing),
        (
            &["-n", "1", "--urls", &wrong],
            "line 2: a URL begins with http://",
        ),
        (&["-n", "1", "--urls", &empty], "no URL in it"),
        (&["-n", "1"], "<URL>"),
        (
            &["-n", "1", "-c", "1", "127.0.0.1:1", "127.0.0.1:2"],
            "raise -c",
        ),
        (&["-n", "1", "-c", "1000001", "127.0.0.1"], "--connections"),
        (&["-n", "1", "--inspect", "0.0.0.0:0", "127.0.0.1"], "token"),
        (&["--body", missing, "127.0.0.1"], "--connections"),
        (&["a", "b"], "several URLs are for load"),
        (&["--inspect", "127.0.0.1:0", "a"], "--inspect"),
    ];
    for (arguments, part) in rows {
        let output = thor(arguments);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.starts_with("error: "), "{complaint}");
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
    let limited = Command::new("sh")
        .args(["-c", "ulimit -n 200 && exec \"$0\" -c 200 127.0.0.1", THOR])
        .output()
        .unwrap();
    let expected =
        "error: 200 connections need 264 open files, and 200 are allowed: raise `ulimit -Hn`\n";
    assert_eq!(
        (limited.status.code(), text(&limited.stderr)),
        (Some(2), expected.to_owned())
    );
    let output = thor(&["-n", "1", "http://nowhere.invalid/"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(complaint.starts_with("error: the host nowhere.invalid is not known"));
}

#[test]
fn load_over_tls_is_counted_like_any() {
    let (server, folder) = server_over_tls(&[]);
    let url = format!("https://localhost:{}/hello.txt", server.address.port());
    let own = folder.path().join("own.pem");
    let own = own.to_str().unwrap();
    for more in [
        &[][..],
        &["--pipeline", "8"],
        &["--no-keep-alive"],
        &["--no-keep-alive", "--no-resumption"],
    ] {
        let table = table(
            0,
            &[
                &["-n", "200", "-c", "4", "-q", "--cacert", own],
                more,
                &[&url],
            ]
            .concat(),
        );
        assert_eq!(figure(&table, "requests"), 200, "{more:?}: {table}");
        assert_eq!(row(&table, "status"), "200 200", "{more:?}: {table}");
        assert_eq!(row(&table, "errors"), "none", "{more:?}: {table}");
    }
    // Beside a server without TLS.
    let plain = answering(OK);
    let plain = format!("http://{plain}/");
    let table = table(0, &["-n", "200", "-c", "4", "-q", "-k", &url, &plain]);
    assert_eq!(figure(&table, "requests"), 200, "{table}");
    assert_eq!(row(&table, "errors"), "none", "{table}");

    let output = thor(&["-n", "20", "-c", "2", "-q", &url]);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("nothing was answered: ") && complaint.contains("certificate"),
        "{complaint}"
    );
    let output = thor(&["-n", "20", "-q", "--cacert", "/missing.pem", &url]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
