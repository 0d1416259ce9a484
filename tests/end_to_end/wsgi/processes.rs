//! The processes that run an application: they do not affect each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::server::{Client, PATIENCE, Server};
use super::{assert_serves, get, noted, serving};

fn is_running(pid: &str) -> bool {
    // A process that has ended and was not waited for has no command line any more.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn wait_for_end(pid: &str) {
    let until = Instant::now() + PATIENCE;
    while is_running(pid) {
        assert!(Instant::now() < until, "Python {pid} still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a request and does not wait for the answer.
fn ask(server: &Server, path: &str) -> Client {
    let mut client = server.connect();
    client.send(get(path));
    client
}

/// Notifies the applications that wait for this file.
fn tell(folder: &Path, name: &str) {
    fs::write(folder.join(name), "").unwrap();
}

#[test]
fn a_process_that_dies_costs_its_own_request() {
    let server = serving("plain", &[]);
    let mut victim = ask(&server, "/dies_later");
    noted(server.path(), "begun");
    // These have been sent to the same process, which has not started them.
    let mut others: Vec<_> = (0..10).map(|_| ask(&server, "/hello")).collect();
    tell(server.path(), "die");
    assert_eq!(victim.response(false).status, 502);
    for other in &mut others {
        assert_eq!(other.response(false).text(), "hello");
    }
    for _ in 0..3 {
        assert_eq!(server.get("/dies").status, 502);
        server.logged("died");
        assert_serves(&server);
    }
}

#[test]
fn a_process_that_hangs_is_replaced() {
    let server = serving("plain", &["--wsgi-timeout", "1", "--wsgi-threads", "2"]);
    let first = server.get("/pid").text();
    let mut hanging = ask(&server, "/hangs");
    noted(server.path(), "begun");
    assert_serves(&server);
    let response = hanging.response(false);
    assert_eq!(response.status, 504);
    server.logged("hangs");
    assert_ne!(server.get("/pid").text(), first);
    wait_for_end(&first);
}

#[test]
fn what_waits_for_a_process_that_is_held_up_goes_to_another_one() {
    let server = serving("plain", &["--wsgi-workers", "2"]);
    let mut held: Vec<_> = ["one", "two"]
        .map(|name| ask(&server, &format!("/waits?for={name}")))
        .into();
    let until = Instant::now() + PATIENCE;
    while noted(server.path(), "begun").lines().count() < 2 {
        assert!(Instant::now() < until, "only one has begun");
    }
    // Some of these are sent to one process, some to the other.
    let mut others: Vec<_> = (0..10).map(|_| ask(&server, "/hello")).collect();
    tell(server.path(), "one");
    for other in &mut others {
        assert_eq!(other.response(false).text(), "hello");
    }
    tell(server.path(), "two");
    for client in &mut held {
        assert_eq!(client.response(false).text(), "waited");
    }
}

#[test]
fn threads_serve_requests_at_the_same_time() {
    let server = serving("plain", &["--wsgi-threads", "4"]);
    for _ in 0..2 {
        let mut clients: Vec<_> = (0..4).map(|_| ask(&server, "/together")).collect();
        for client in &mut clients {
            assert_eq!(client.response(false).text(), "together");
        }
    }
    assert!(
        server
            .get("/environ?names=wsgi.multithread")
            .text()
            .contains("True")
    );
}

#[test]
fn too_many_requests_are_told_so() {
    let server = serving("plain", &["--wsgi-timeout", "1"]);
    let mut held: Vec<_> = (0..40)
        .map(|n| ask(&server, &format!("/waits?for=never{n}")))
        .collect();
    let responses = held.iter_mut().map(|client| client.response(false));
    let (refused, failed): (Vec<_>, Vec<_>) =
        responses.partition(|response| response.status == 503);
    // The request that a process had started took too long; those that waited for a process
    // meanwhile have waited too long.
    assert!(failed.iter().any(|response| response.status == 504));
    assert!(refused.len() > 20, "{} were refused", refused.len());
    for response in refused {
        assert_eq!(response.field("retry-after"), Some("1"));
    }
    // Another process replaces it, which may take longer than a request may wait.
    let until = Instant::now() + PATIENCE;
    while server.get("/hello").status == 503 {
        assert!(Instant::now() < until, "no other process");
    }
    assert_serves(&server);
}

#[test]
fn processes_are_recycled_and_nobody_notices() {
    let server = serving("plain", &["--wsgi-requests", "20"]);
    let (mut client, mut pids) = (server.connect(), BTreeSet::new());
    let until = Instant::now() + PATIENCE;
    while pids.len() < 3 {
        client.send(get("/pid"));
        let response = client.response(false);
        assert_eq!(response.status, 200);
        pids.insert(response.text());
        assert!(Instant::now() < until);
    }
}

#[test]
fn no_python_is_left_behind() {
    // Ctrl-C, and the end of a server that is killed without warning.
    for (signal, path) in [("INT", "/pid"), ("KILL", "/pid"), ("KILL", "/hogs")] {
        let mut server = serving("plain", &[]);
        let pid = if path == "/pid" {
            server.get(path).text()
        } else {
            // It holds the interpreter's lock, so that it cannot do anything itself.
            let _client = ask(&server, path);
            noted(server.path(), "pid").trim().to_owned()
        };
        assert!(is_running(&pid));
        server.signal(signal);
        server.wait();
        wait_for_end(&pid);
    }
}

#[test]
fn a_signal_lets_a_running_request_end() {
    let mut server = serving("plain", &[]);
    let mut client = ask(&server, "/waits?for=end");
    noted(server.path(), "begun");
    server.signal("TERM");
    server.logged("Stopping");
    tell(server.path(), "end");
    assert_eq!(client.response(false).text(), "waited");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_source_is_loaded_anew_when_it_changes() {
    let source = |body: &str| format!("def app(environ, start_response):\n    {body}\n");
    let answer = |text: &str| source(&format!("start_response('200 OK', []); return [b'{text}']"));
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("changing.py");
    fs::write(&file, answer("first")).unwrap();
    let path = root.path().to_str().unwrap().to_owned();
    let options = ["--wsgi", "changing:app", "--wsgi-path", &path, "--reload"];
    let server = Server::start_in(root, &options);
    let until = |status: u16, text: &str| {
        let until = Instant::now() + PATIENCE;
        loop {
            let response = server.get("/");
            if response.status == status && response.text().contains(text) {
                return;
            }
            assert!(
                Instant::now() < until,
                "{status} {text}: {}",
                response.text()
            );
        }
    };
    until(200, "first");
    fs::write(&file, answer("second, which is longer")).unwrap();
    until(200, "second");
    // A mistake is named by its file and line: of the module itself, and of one that it imports.
    let helper = server.path().join("helper.py");
    for (name, text, line) in [
        ("changing.py", "\ndef app(:\n", 2),
        ("helper.py", "if True:\nx = 1\n", 2),
        ("helper.py", "a = 1\n\nb = 'not closed\n", 3),
    ] {
        let imports = "import helper\n".to_owned() + &answer("not reached");
        fs::write(&helper, if name == "helper.py" { text } else { "" }).unwrap();
        fs::write(&file, if name == "helper.py" { &imports } else { text }).unwrap();
        until(503, "could not be loaded");
        server.logged(&format!("{name}, line {line})"));
    }
    fs::write(&file, answer("third")).unwrap();
    until(200, "third");
}

#[test]
fn an_application_that_cannot_be_loaded_is_one_line() {
    let root = tempfile::tempdir().unwrap();
    let module = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
    module("broken.py", "import no_such_module\n");
    module("wrong.py", "def app(:\n");
    module("number.py", "app = 5\n");
    module("exits.py", "import os\nos._exit(4)\n");
    for (options, status, what) in [
        (
            &["--wsgi", "missing:app"][..],
            1,
            "No module named 'missing'",
        ),
        (&["--wsgi", "broken:app"], 1, "broken.py, line 1"),
        (&["--wsgi", "wrong:app"], 1, "wrong.py, line 1)"),
        (&["--wsgi", "number:app"], 1, "cannot be called"),
        (&["--wsgi", "number:nothing"], 1, "nothing"),
        (&["--wsgi", "exits:app"], 1, "exit status: 4"),
        (
            &["--wsgi", "number:app", "--venv", "/no/such/venv"],
            1,
            "/no/such/venv",
        ),
        (&["--wsgi", "number.py"], 2, "package.module:app"),
        (&["--wsgi", "a:b:c"], 2, "package.module:app"),
        (
            &["--wsgi", "number:app", "--wsgi-mount", "app"],
            2,
            "such as /app",
        ),
        (
            &["--wsgi", "number:app", "--wsgi-workers", "0"],
            2,
            "wsgi-workers",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_spidey"))
            .args(["-p", "0", "-b", "127.0.0.1", "--wsgi-path"])
            .arg(root.path())
            .args(options)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{options:?}: {text}");
        let errors: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "{options:?}: {text}");
        assert!(errors[0].contains(what), "{options:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{options:?}: {text}");
    }
}

#[test]
fn a_configuration_file_names_an_application() {
    let application = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'configured']\n";
    let configuration =
        "wsgi = \"web:app\"\nwsgi-path = \"python\"\nwsgi-mount = \"/app\"\nwsgi-workers = 1\n";
    let server = Server::configured(configuration, &[("python/web.py", application)]);
    assert_eq!(server.get("/app/").text(), "configured");
    server.assert_well();
    // A check starts nothing, and shows the processes that would be started.
    let output = Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(["--wsgi", "no_such:app", "--check", "-d"])
        .arg(server.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("wsgi"));
}

#[test]
fn every_mode_of_the_server_serves_it() {
    for mode in ["pool", "single", "forking"] {
        let mut server = serving("plain", &["--mode", mode]);
        let mut client = server.connect();
        client.send(get("/hello"));
        assert_eq!(client.response(false).text(), "hello", "{mode}");
        let pid = server.get("/pid").text();
        drop(client);
        server.signal("TERM");
        server.wait();
        wait_for_end(&pid);
    }
}
