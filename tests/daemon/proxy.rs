//! `start_proxy` as its user sees it: its file, its answers, its reloads.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use kamea_components::net::testing::free_address;

use super::started::Started;
use crate::wrong_values::assert_says_what_is_wanted;

const PROXY: &str = env!("CARGO_BIN_EXE_start_proxy");
const BACKEND: &str = env!("CARGO_BIN_EXE_start_backend");
const SAMPLE: &str = env!("CARGO_BIN_EXE_start_sampleapp");

/// Longer than a reload takes on a busy machine.
const AGES: Duration = Duration::from_secs(60);

fn run(arguments: &[&str]) -> Output {
    Command::new(PROXY).args(arguments).output().unwrap()
}

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("proxy.conf");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn host(name: &str, backends: &[&Started]) -> String {
    let pass = |backend: &&Started| format!("    proxy_pass http://{};\n", backend.address);
    let all: String = backends.iter().map(pass).collect();
    format!("host \"{name}\" {{\n{all}}}\n")
}

fn status_of(proxy: &Started, host: &str) -> u16 {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    proxy.send(&request).status()
}

/// Waits until a host has this status.
fn wait_for(proxy: &Started, host: &str, status: u16) {
    let until = Instant::now() + AGES;
    while status_of(proxy, host) != status {
        assert!(Instant::now() < until, "{host} never gets {status}");
        yield_now();
    }
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    for program in [PROXY, BACKEND, SAMPLE, env!("CARGO_BIN_EXE_login_for_real")] {
        assert_says_what_is_wanted(program, &[]);
    }
}

#[test]
fn each_host_has_its_backends() {
    let (backend, sample) = (
        Started::new(BACKEND, &["--open"]),
        Started::new(SAMPLE, &[]),
    );
    let folder = tempfile::tempdir().unwrap();
    let text = host("pages.local", &[&backend]) + &host("app.local", &[&sample]);
    let config = write(folder.path(), &text);
    let proxy = Started::new(PROXY, &["--config", &config]);
    let page = proxy.curl("/", &["-H", "Host: pages.local"]);
    assert_eq!(page, backend.curl("/", &[]));
    let said = proxy.curl("/hello", &["-X", "PUT", "-H", "Host: app.local:80"]);
    assert_eq!(said, sample.curl("/hello", &["-X", "PUT"]));
    // The errors of the assignment.
    assert_eq!(status_of(&proxy, "unknown.local"), 404);
    drop(backend);
    assert_eq!(status_of(&proxy, "pages.local"), 404);
}

#[test]
fn other_proxies_answer_502() {
    let backend = Started::new(BACKEND, &["--open"]);
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), &host("a.local", &[&backend]));
    let proxy = Started::new(PROXY, &["--config", &config, "--errors", "standard"]);
    assert_eq!(status_of(&proxy, "a.local"), 200);
    drop(backend);
    assert_eq!(status_of(&proxy, "a.local"), 502);
}

#[test]
fn a_reload_serves_the_new_file_and_a_mistake_changes_nothing() {
    let backend = Started::new(BACKEND, &["--open"]);
    let folder = tempfile::tempdir().unwrap();
    let one = host("one.local", &[&backend]);
    let config = write(folder.path(), &one);
    for watches in [false, true] {
        write(folder.path(), &one);
        let mut arguments = vec!["--config", config.as_str()];
        arguments.extend(watches.then_some("--watch"));
        let proxy = Started::new(PROXY, &arguments);
        let reload = || {
            if !watches {
                proxy.signal("HUP");
            }
        };
        assert_eq!(status_of(&proxy, "two.local"), 404);
        write(
            folder.path(),
            &(one.clone() + &host("two.local", &[&backend])),
        );
        reload();
        wait_for(&proxy, "two.local", 200);
        write(folder.path(), "host \"three.local\" { nonsense }\n");
        reload();
        proxy.wait_for_log("Not reloaded");
        assert_eq!(status_of(&proxy, "two.local"), 200);
        write(folder.path(), &host("four.local", &[&backend]));
        reload();
        wait_for(&proxy, "four.local", 200);
        assert_eq!(status_of(&proxy, "one.local"), 404);
    }
}

#[test]
fn mistakes_of_the_file_are_told_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(
        folder.path(),
        "host \"a\" {\n  proxy_pas x;\n  dist_policy best;\n}\n",
    );
    let output = run(&["--config", &config]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        ":2:3: ",
        "proxy_pas",
        "^^^",
        ":3:",
        "least-conn",
        "mistakes in",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let output = run(&["--config", "/nowhere/proxy.conf"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.starts_with("error: cannot read /nowhere/proxy.conf") && said.lines().count() == 1,
        "{said}"
    );
}

/// The file that comes with the project.
#[test]
fn the_own_file_is_shown_and_explained() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/proxy.conf");
    let said = |arguments: &[&str]| {
        let output = run(&[&["--config", config], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = said(&["--check"]);
    for part in [
        "127.0.0.1:8080",
        "app2.local",
        "http://127.0.0.1:9003",
        "round-robin",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let known = said(&["--explain", "GET http://app2.local/x"]);
    for part in [
        "block app2.local",
        "route /",
        "policy round-robin",
        "backend http://127.0.0.1:9002",
    ] {
        assert!(known.contains(part), "{part}: {known}");
    }
    let near = said(&["--explain", "http://app.local/"]);
    assert!(
        near.contains("no block") && near.contains("nearly: host app1.local"),
        "{near}"
    );
    let wrong = run(&["--config", config, "--explain", "nonsense"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// The lines of a log, once there are so many.
fn lines_of(log: &Path, count: usize) -> Vec<String> {
    let until = Instant::now() + AGES;
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "{count} lines never come: {text}");
        yield_now();
    }
}

#[test]
fn the_access_log_names_route_backends_attempts_and_times() {
    let backend = Started::new(BACKEND, &["--open"]);
    let folder = tempfile::tempdir().unwrap();
    let (log, old) = (folder.path().join("log"), folder.path().join("old"));
    // Nothing can listen at port 1 without root, and nothing does.
    let text = format!(
        "host \"a.local\" {{\n  proxy_pass http://127.0.0.1:1;\n  proxy_pass http://{};\n}}\n",
        backend.address
    );
    let config = write(folder.path(), &text);
    let path = log.to_str().unwrap();
    let proxy = Started::new(PROXY, &["--config", &config, "--access-log", path]);
    assert_eq!(status_of(&proxy, "a.local"), 200);
    let line = &lines_of(&log, 1)[0];
    let parts = [
        "127.0.0.1 - - [",
        "\"GET / HTTP/1.1\" 200 ",
        " time=\"0.",
        " host=\"a.local\" route=\"a.local /\"",
        &format!(
            " upstream=\"http://127.0.0.1:1, http://{}\"",
            backend.address
        ),
        " attempts=\"2\" upstream_status=\"connection_refused, 200\" first_byte=\"-, 0.",
    ];
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
    fs::rename(&log, &old).unwrap();
    proxy.signal("HUP");
    let until = Instant::now() + AGES;
    while !log.exists() {
        assert!(Instant::now() < until, "SIGHUP begins no new file");
        yield_now();
    }
    assert_eq!(status_of(&proxy, "unknown.local"), 404);
    let line = &lines_of(&log, 1)[0];
    assert!(
        line.contains("host=\"unknown.local\" route=\"-\" upstream=\"-\""),
        "{line}"
    );
    assert_eq!(lines_of(&old, 1).len(), 1);

    for (format, ends) in [
        ("common", "] \"GET / HTTP/1.1\" 404 "),
        ("combined", "\"-\" \"-\""),
    ] {
        let log = folder.path().join(format);
        let path = log.to_str().unwrap();
        let arguments = [
            "--config",
            &config,
            "--access-log",
            path,
            "--log-format",
            format,
        ];
        let proxy = Started::new(PROXY, &arguments);
        assert_eq!(status_of(&proxy, "b.local"), 404);
        let line = &lines_of(&log, 1)[0];
        let is_so = if format == "common" {
            line.contains(ends)
        } else {
            line.ends_with(ends)
        };
        assert!(is_so && !line.contains("upstream"), "{line}");
    }
    let output = run(&["--log-format", "common"]);
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["--config", &config, "--access-log", "/no/such/folder/log"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: cannot write /no/such/folder/log: "),
        "{said}"
    );
}

/// A client that has the token of the live view gets its request explained.
#[test]
fn live_requests_are_explained() {
    let backend = Started::new(BACKEND, &["--open"]);
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), &host("a.local", &[&backend]));
    let token = "0123456789abcdef";
    let inspect = ["--inspect", "127.0.0.1:0", "--inspect-token", token];
    let proxy = Started::new(PROXY, &[&["--config", &config], &inspect[..]].concat());
    let fields = [
        "-H",
        "Host: a.local",
        "-H",
        &format!("Kamea-Explain: {token}"),
    ];
    let explanation = proxy.curl("/", &fields);
    let parts = [
        "finds the route / of host a.local".to_owned(),
        format!("{config}:1"),
        format!("chooses http://{} by round-robin", backend.address),
        format!(
            "gets the response of http://{} in 1 attempt",
            backend.address
        ),
    ];
    for part in parts {
        assert!(explanation.contains(&part), "{part}: {explanation}");
    }
}

/// Reads a stream of events until a text is in it.
fn event_with(address: &str, token: &str, text: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(AGES)).unwrap();
    write!(
        stream,
        "GET /events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let until = Instant::now() + AGES;
    let line = lines.find(|line| {
        assert!(Instant::now() < until, "no event has {text:?}");
        line.as_ref().unwrap().contains(text)
    });
    line.expect("an event with the text").unwrap()
}

/// Hosts, policies and backends, with their figures.
#[test]
fn the_live_view_draws_the_proxy() {
    let backend = Started::new(BACKEND, &["--open"]);
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), &host("a.local", &[&backend]));
    let address = free_address().unwrap().to_string();
    let token = "0123456789abcdef";
    let inspect = ["--inspect", &address, "--inspect-token", token];
    let proxy = Started::new(PROXY, &[&["--config", &config], &inspect[..]].concat());
    assert_eq!(status_of(&proxy, "a.local"), 200);
    let line = event_with(&address, token, &format!("http://{}", backend.address));
    for part in [
        "clients",
        "a.local",
        "/ by round-robin",
        "up, ",
        " in flight, ",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // Another backend comes with a reload.
    let two = Started::new(BACKEND, &["--open"]);
    write(folder.path(), &host("a.local", &[&backend, &two]));
    proxy.signal("HUP");
    event_with(&address, token, &format!("http://{}", two.address));
}
