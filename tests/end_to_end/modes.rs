//! The three modes: the same server in different processes.

use std::fs;
use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use super::server::{Client, PATIENCE, Server, is_guard};

const GET: &str = "GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n";
const MODES: [&str; 3] = ["pool", "single", "forking"];

/// Returns the processes whose parent is `process`, including zombies.
fn children(process: u32) -> Vec<u32> {
    let parent = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, behind_name) = stat.rsplit_once(") ")?;
        behind_name.split(' ').nth(1)?.parse().ok()
    };
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ids = ids.filter(|id| parent(id) == Some(process));
    ids.filter(|id| !is_guard(*id)).collect()
}

/// Returns the descriptors of a process.
fn descriptors(process: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = entries.map(|entry| fs::read_link(entry.unwrap().path()));
    links.filter_map(Result::ok).collect()
}

/// Waits until this is true.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(process: u32, name: &str) {
    let id = process.to_string();
    let status = Command::new("kill").args(["-s", name, &id]).status();
    assert!(status.unwrap().success());
}

/// Opens this many connections on each of four threads, one after another.
fn connect_often(server: &Server, count: usize) {
    let address = server.address;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..count {
                    let mut client = Client::connect(address);
                    client.send(GET);
                    assert_eq!(client.response(false).text(), "hello\n");
                }
            });
        }
    });
}

/// Puts a CGI program into the document root.
fn program(server: &Server, lines: &str) {
    let folder = server.path().join("cgi-bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("program");
    fs::write(&path, format!("#!/bin/sh\n{lines}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A file that is too large for any socket buffer.
fn large_file(server: &Server) -> usize {
    let size = 64 << 20;
    fs::write(server.path().join("large"), vec![7; size]).unwrap();
    size
}

const LARGE: &str = "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Returns a client that has read the beginning of a large response, and the process of its
/// connection.
fn in_the_middle(server: &Server) -> (Client, u32) {
    let before = children(server.id());
    let mut client = server.connect();
    client.send(LARGE);
    assert_eq!(client.head().status, 200);
    let mut of_it = children(server.id());
    of_it.retain(|child| !before.contains(child));
    assert_eq!(of_it.len(), 1, "a process for each connection");
    (client, of_it[0])
}

#[test]
fn each_mode_serves_the_same() {
    for mode in MODES {
        let logs = tempfile::tempdir().unwrap();
        let log = logs.path().join("access.log");
        let path = log.to_str().unwrap();
        let mut server = Server::start(&["--mode", mode, "--writable", "--access-log", path]);
        program(
            &server,
            "printf 'Content-Type: text/plain\\n\\n%s' $REMOTE_ADDR",
        );
        let closing = |method: &str, path: &str, fields: &str| {
            let response = server.ask_with(method, path, &format!("{fields}Connection: close\r\n"));
            (response.status, response.text(), response)
        };
        let (status, text, get) = closing("GET", "/hello.txt", "");
        assert_eq!((status, text.as_str()), (200, "hello\n"), "{mode}");
        let tag = format!("If-None-Match: {}\r\n", get.field("etag").unwrap());
        for (method, path, fields, status, text) in [
            ("HEAD", "/hello.txt", "", 200, ""),
            ("GET", "/hello.txt", "Range: bytes=1-3\r\n", 206, "ell"),
            ("GET", "/hello.txt", "Range: bytes=9-\r\n", 416, ""),
            ("GET", "/hello.txt", &tag, 304, ""),
            ("OPTIONS", "/hello.txt", "", 204, ""),
            ("GET", "/?x", "Accept: text/plain\r\n", 200, "hello.txt"),
            ("GET", "/cgi-bin/program", "", 200, "127.0.0.1"),
            ("GET", "/missing", "Accept: text/plain\r\n", 404, "nothing"),
            (
                "BREW",
                "/hello.txt",
                "Accept: text/plain\r\n",
                501,
                "nobody",
            ),
        ] {
            let (got, body, _) = closing(method, path, fields);
            assert_eq!(got, status, "{mode}: {method} {path} {fields}");
            assert!(body.contains(text), "{mode}: {method} {path}: {body}");
        }
        assert_eq!(server.ask("nonsense\r\n\r\n").status, 400, "{mode}");
        let mut client = server.connect();
        client.send("PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nnew");
        client.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send("DELETE /new HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response(false).status, 201, "{mode}");
        assert_eq!(client.response(false).text(), "new", "{mode}");
        assert_eq!(client.response(false).status, 204, "{mode}");
        assert_eq!(client.response(false).status, 404, "{mode}");
        drop(client);
        let mut client = server.connect();
        client.send(GET.repeat(1000));
        for _ in 0..1000 {
            assert_eq!(client.response(false).text(), "hello\n", "{mode}");
        }
        drop(client);

        // After SIGHUP the new file is created with the first line.
        let count = || fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        until("a line for each exchange", || count() == 1015);
        fs::rename(&log, logs.path().join("old.log")).unwrap();
        server.signal("HUP");
        server.logged("Reloaded");
        closing("GET", "/afterwards", "");
        until("a new log", || count() == 1);
        server.signal("TERM");
        assert!(server.wait().success(), "{mode}");
        assert_eq!(children(server.id()), [0_u32; 0], "{mode}");
    }
}

#[test]
fn single_serves_one_connection_after_another() {
    let server = Server::start(&["--mode", "single", "--workers", "4", "-v"]);
    let mut first = server.connect();
    first.send(GET);
    assert_eq!(first.response(false).text(), "hello\n");
    let mut others = [(); 3].map(|()| server.connect());
    for other in &mut others {
        other.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    }
    // Further connections are not even accepted while there is one, although it is silent at the
    // moment.
    for _ in 0..5 {
        first.send(GET);
        assert_eq!(first.response(false).text(), "hello\n");
    }
    drop(first);
    for other in &mut others {
        assert_eq!(other.response(false).text(), "hello\n");
    }
    let mut lines = server.log_until("Accepted");
    for _ in 0..3 {
        lines.extend(server.log_until("Accepted"));
        let before = &lines[lines.len() - 2];
        assert!(before.ends_with("Finish"), "{before}");
    }
}

#[test]
fn single_waits_for_a_silent_client_only_so_long() {
    let server = Server::start(&["--mode", "single", "--keep-alive", "0.2"]);
    let mut silent = server.connect();
    let mut half = server.connect();
    half.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    server.assert_well();
    assert_eq!(half.response(false).text(), "hello\n");
    assert_eq!(silent.rest(), b"");
    assert_eq!(half.rest(), b"");
}

#[test]
fn a_crash_costs_its_own_connection() {
    let server = Server::start(&["-f"]);
    let size = large_file(&server);
    let (mut unlucky, process) = in_the_middle(&server);
    let (mut lucky, _) = in_the_middle(&server);
    // Not SEGV: Rust's own handler ignores one that no access has caused.
    signal(process, "ABRT");
    assert!(unlucky.rest().len() < size, "it was cut off");
    let told = server.logged("was ended by signal 6");
    assert!(told.contains("127.0.0.1:"), "{told}");
    assert_eq!(lucky.rest().len(), size);
    server.assert_well();
}

#[test]
fn a_stop_lets_processes_finish_and_leaves_none() {
    let mut server = Server::start(&["-f"]);
    let size = large_file(&server);
    let (mut busy, _) = in_the_middle(&server);
    let mut idle = server.connect();
    idle.send(GET);
    assert_eq!(idle.response(false).text(), "hello\n");
    server.signal("TERM");
    assert_eq!(idle.rest(), b"");
    assert_eq!(busy.rest().len(), size);
    assert!(server.wait().success());
    assert_eq!(children(server.id()), [0_u32; 0]);
}

#[test]
fn a_stop_reaches_a_process_that_is_being_started() {
    let mut server = Server::start(&["-f", "-v"]);
    let mut client = server.connect();
    client.send(GET);
    server.logged("Accepted");
    server.signal("TERM");
    assert_eq!(client.response(false).text(), "hello\n");
    assert!(server.wait().success());
}

#[test]
fn a_client_that_does_not_read_holds_no_stop_up() {
    let mut server = Server::start(&["-f"]);
    large_file(&server);
    let (_stuck, process) = in_the_middle(&server);
    let begun = Instant::now();
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn the_end_of_the_server_is_the_end_of_its_processes() {
    let mut server = Server::start(&["-f"]);
    large_file(&server);
    let (_stuck, process) = in_the_middle(&server);
    let _idle = server.connect();
    program(&server, "echo $$ > script\nexec sleep 60\n");
    let mut waiting = server.connect();
    waiting.send("GET /cgi-bin/program HTTP/1.1\r\nHost: a\r\n\r\n");
    let script = server.path().join("cgi-bin/script");
    let script = || fs::read_to_string(&script).unwrap_or_default();
    until("the script runs", || script().ends_with('\n'));
    let script: u32 = script().trim().parse().unwrap();
    server.signal("KILL");
    server.wait();
    for process in [process, script] {
        // The process that adopts it may be slow to reap it.
        until("it ends", || {
            let stat = fs::read_to_string(format!("/proc/{process}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        });
    }
}

#[test]
fn two_thousand_connections_leave_nothing_behind() {
    let server = Server::start(&["-f"]);
    let tags: Vec<_> = (0..2)
        .map(|_| server.get("/").field("etag").map(str::to_owned))
        .collect();
    assert!(tags[0].is_some() && tags[0] == tags[1], "{tags:?}");
    until("all have ended", || children(server.id()).is_empty());
    let before = descriptors(server.id()).len();
    connect_often(&server, 500);
    until("all have ended", || children(server.id()).is_empty());
    until("all are closed", || {
        descriptors(server.id()).len() <= before
    });
}

#[test]
fn a_process_has_no_descriptors_of_the_server() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let server = Server::start(&["-f", "--access-log", log.to_str().unwrap()]);
    large_file(&server);
    let (_first, process) = in_the_middle(&server);
    let (_second, other) = in_the_middle(&server);
    // The server inherits what the test itself inherited, and passes it on, like its standard
    // output and error.
    let mut given = descriptors(std::process::id());
    given.extend(["1", "2"].map(|fd| fs::read_link(format!("/proc/{process}/fd/{fd}")).unwrap()));
    for (process, other) in [(process, other), (other, process)] {
        let own = descriptors(process);
        let numbered = own.iter().filter(|link| {
            ["socket:", "pipe:"]
                .iter()
                .any(|kind| link.to_string_lossy().starts_with(kind))
        });
        for link in numbered.filter(|link| !given.contains(link)) {
            for stranger in [server.id(), other] {
                assert!(!descriptors(stranger).contains(link), "{link:?}");
            }
        }
        let stdin = fs::read_link(format!("/proc/{process}/fd/0")).unwrap();
        assert_eq!(stdin, Path::new("/dev/null"), "what it starts finds");
    }
}

#[test]
fn what_cannot_be_started_is_told() {
    let server = Server::start(&["-f", "--workers", "1"]);
    server.assert_well();
    until("it has ended", || children(server.id()).is_empty());
    let id = rustix::process::Pid::from_raw(server.id().cast_signed());
    let limit = |count: u64| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: Some(count),
            maximum,
        };
        prlimit(id, Resource::Nofile, limit).unwrap()
    };
    // There is space for the connection itself, but not for handing it over.
    until("it is refused", || {
        let before = limit(descriptors(server.id()).len() as u64 + 1);
        let response = server.get("/hello.txt");
        limit(before.current.unwrap());
        let is_refused = response.status == 503;
        assert_eq!(response.closes(), is_refused);
        assert_eq!(response.field("retry-after").is_some(), is_refused);
        is_refused
    });
    server.logged("no process can be started for this connection");
    server.assert_well();
}

#[test]
fn connections_are_counted_where_they_are_accepted() {
    let server = Server::start(&["-f", "--connections-per-client", "2"]);
    let mut clients = [(); 2].map(|()| server.connect());
    for client in &mut clients {
        client.send(GET);
        assert_eq!(client.response(false).status, 200);
    }
    assert_eq!(server.get("/hello.txt").status, 503);
    let [first, _second] = clients;
    drop(first);
    until("there is space again", || {
        server.get("/hello.txt").status == 200
    });
}

#[test]
fn processes_are_configured_as_the_server_is() {
    let server = Server::configured("mode = 'forking'\nheader = ['X-Version: 1']\n", &[]);
    let file = server.path().join("spidey.toml");
    let version = || {
        server
            .get("/hello.txt")
            .field("x-version")
            .unwrap()
            .to_owned()
    };
    assert_eq!(version(), "1");
    let write = |text: &str| fs::write(&file, text).unwrap();
    // A change that the server has not loaded does not count, nor does a mistake.
    for text in [
        "mode = 'forking'\nheader = ['X-Version: 2']\n",
        "header = 3\n",
    ] {
        write(text);
        assert_eq!(version(), "1");
    }
    server.signal("HUP");
    server.logged("Not reloaded");
    assert_eq!(version(), "1");
    write("mode = 'single'\nheader = ['X-Version: 2']\n");
    server.signal("HUP");
    let told = server.logged("Not reloaded");
    assert!(told.contains("the mode cannot change"), "{told}");
    write("mode = 'forking'\nheader = ['X-Version: 3']\n");
    server.signal("HUP");
    server.logged("Reloaded");
    assert_eq!(version(), "3");
}

#[test]
fn a_process_takes_a_hangup_for_its_log_alone() {
    let logs = tempfile::tempdir().unwrap();
    let [log, old] = ["access.log", "old.log"].map(|name| logs.path().join(name));
    let server = Server::start(&["-f", "--access-log", log.to_str().unwrap()]);
    let mut client = server.connect();
    client.send(GET);
    assert_eq!(client.response(false).status, 200);
    let lines = |log: &Path| fs::read_to_string(log).map_or(0, |text| text.lines().count());
    until("a line", || lines(&log) == 1);
    fs::rename(&log, &old).unwrap();
    signal(children(server.id())[0], "HUP");
    until("a new file", || log.exists());
    client.send(GET);
    assert_eq!(client.response(false).status, 200);
    until("a line in the new file", || lines(&log) == 1);
    assert_eq!(lines(&old), 1);
}

#[test]
fn what_processes_log_is_in_whole_lines() {
    let server = Server::start(&["-f", "-v"]);
    // The last line of the start.
    server.logged("Open http://");
    connect_often(&server, 20);
    let mut finished = 0;
    while finished < 80 {
        let line = server.logged("");
        finished += usize::from(line.ends_with("Finish"));
        let is_whole = line.starts_with('[') && line.matches("] ").count() <= 1;
        assert!(is_whole || line.contains("Parsing"), "{line:?}");
    }
}

#[test]
fn processes_write_whole_lines_into_a_pipe() {
    let mut server = Server::start(&["-f", "--access-log", "-"]);
    let address = server.address;
    let client = std::thread::spawn(move || {
        let mut clients = [(); 3].map(|()| Client::connect(address));
        for client in &mut clients {
            client.send(GET.repeat(500));
        }
        for client in &mut clients {
            (0..500).for_each(|_| assert_eq!(client.response(false).status, 200));
        }
    });
    for _ in 0..1500 {
        let mut line = String::new();
        server.stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        let rest = &line["127.0.0.1 - - [21/Nov/2026:15:12:01 +0000]".len()..];
        assert_eq!(rest, " \"GET /hello.txt HTTP/1.1\" 200 6 \"-\" \"-\"\n");
    }
    client.join().unwrap();
}

#[test]
fn the_command_line_names_a_mode_once() {
    let folder = tempfile::tempdir().unwrap();
    let check = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidey"));
        let command = command.args(options).arg("--check");
        let output = command.current_dir(folder.path()).output().unwrap();
        let (said, told) = (output.stdout, output.stderr);
        let text = [said, told].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), text[0].clone(), text[1].clone())
    };
    for (options, expected) in [
        (&[][..], "mode pool: "),
        (&["--mode", "pool"], "mode pool: "),
        (&["--mode", "single"], "mode single: "),
        (&["--mode", "forking"], "mode forking: "),
        (&["-f"], "mode forking: "),
        (&["-f", "--mode", "forking"], "mode forking: "),
    ] {
        let (status, graph, told) = check(options);
        assert_eq!(status, Some(0), "{options:?}: {told}");
        let last = graph.lines().last().unwrap();
        assert!(last.starts_with(expected), "{options:?}: {graph}");
    }
    for (options, expected) in [
        (&["-f", "--mode", "single"][..], "-f is --mode forking"),
        (&["-f", "--mode", "pool"], "contradicts --mode pool"),
        (&["--mode", "threads"], "--mode"),
        (&["-f", "-f"], "-f"),
    ] {
        let (status, _, told) = check(options);
        assert_eq!(status, Some(2), "{options:?}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(
            told.starts_with("error: ") && told.contains(expected),
            "{told}"
        );
    }
    // The command line has precedence over the file.
    let file = folder.path().join("spidey.toml");
    fs::write(&file, "mode = 'single'\n").unwrap();
    assert!(check(&[]).1.contains("mode single: "));
    assert!(check(&["-f"]).1.contains("mode forking: "));
    fs::write(&file, "mode = 'threads'\n").unwrap();
    let (status, _, told) = check(&[]);
    assert_eq!(status, Some(2));
    assert!(told.starts_with("error: spidey.toml:1: mode: "), "{told}");
    fs::write(&file, "#".repeat(70_000)).unwrap();
    assert_eq!(check(&[]).0, Some(0));
    let (status, _, told) = check(&["-f"]);
    assert_eq!(status, Some(2));
    assert!(told.contains("70000 bytes"), "{told}");
}

#[test]
fn without_a_server_there_is_no_connection_to_serve() {
    let output = Command::new(env!("CARGO_BIN_EXE_spidey"))
        .arg("--connection")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
}
