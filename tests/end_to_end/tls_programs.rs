//! The options of TLS in every server program of the project.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::app_recipes::build;
use super::cookbook::program;
use super::server::{PATIENCE, built};
use super::sessions::root;
use super::tls::Made;

/// A server program, and what it answers.
struct Program {
    path: PathBuf,
    /// Those that make it listen on a free port of this machine.
    arguments: Vec<String>,
    asked: &'static str,
    status: &'static str,
}

fn daemon(name: &str, more: &[&str], asked: &'static str, status: &'static str) -> Program {
    let arguments = ["--server-ip", "127.0.0.1", "--server-port", "0"];
    let arguments = arguments.iter().chain(more);
    Program {
        path: built(name),
        arguments: arguments.map(|text| (*text).to_owned()).collect(),
        asked,
        status,
    }
}

fn recipe(name: &str, more: &[&str], asked: &'static str, status: &'static str) -> Program {
    let arguments = ["127.0.0.1:0"].into_iter().chain(more.iter().copied());
    Program {
        path: program(name),
        arguments: arguments.map(str::to_owned).collect(),
        asked,
        status,
    }
}

/// One program of each kind: those that have a `main` of their own. `tests/all.sh` builds them.
fn kinds(folder: &Path) -> Vec<Program> {
    // Its backend is not there: the proxy answers by itself.
    let configuration = folder.join("proxy.conf");
    let text = "host default {\n    proxy_pass http://127.0.0.1:1;\n}\n";
    fs::write(&configuration, text).unwrap();
    let configuration = configuration.to_str().unwrap();
    vec![
        Program {
            path: built("spidey"),
            arguments: ["-b", "127.0.0.1", "-p", "0", "www"]
                .map(str::to_owned)
                .into(),
            asked: "/",
            status: "200",
        },
        daemon("start_proxy", &["--config", configuration], "/", "404"),
        daemon("start_backend", &["--open"], "/", "200"),
        daemon("start_sampleapp", &[], "/hello", "200"),
        daemon("login_for_real", &[], "/login", "200"),
        daemon("start_tracker", &[], "/get-list/", "200"),
        recipe("websocket_echo", &[], "/", "200"),
        recipe("app_hello", &[], "/hello/ada", "200"),
    ]
}

/// A program that runs until the end of its test.
struct Running {
    child: Child,
    /// Where it listens, with the scheme if it says so.
    said: Vec<String>,
}

impl Running {
    fn start(program: &Program, options: &[&str], data: &Path, addresses: usize) -> Self {
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .args(options)
            .env("XDG_DATA_HOME", data)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, found) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("Listening on ") {
                    let _ = sender.send(address.trim_end_matches('/').to_owned());
                }
            }
        });
        let path = program.path.display();
        let said = (0..addresses).map(|_| {
            let said = found.recv_timeout(3 * PATIENCE);
            said.unwrap_or_else(|_| panic!("{path} does not listen"))
        });
        let said = said.collect();
        Self { child, said }
    }

    fn port(&self, number: usize) -> u16 {
        let (_, port) = self.said[number].rsplit_once(':').unwrap();
        port.parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// The status of a response over https, and its fields.
    fn ask(&self, host: &str, number: usize, path: &str, options: &[&str]) -> (String, String) {
        let port = self.port(number);
        let output = curl(&format!("https://{host}:{port}{path}"), options);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
        (status, text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks with curl, every name at this machine; the fields of the response are in the output.
fn curl(url: &str, options: &[&str]) -> Output {
    let patience = PATIENCE.as_secs().to_string();
    Command::new("curl")
        .args(["--silent", "--include", "--http1.1", "--max-time"])
        .arg(patience)
        .args(["--connect-to", "::127.0.0.1:"])
        .args(options)
        .arg(url)
        .output()
        .unwrap()
}

/// The certificate that the programs of this test sign themselves.
fn own_certificate(data: &Path) -> String {
    let file = data.join("spidey/certificate.pem");
    file.to_str().unwrap().to_owned()
}

#[test]
fn every_server_program_serves_https_with_a_certificate_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    // All start at once, and have one certificate.
    let programs = kinds(data.path());
    let start = |program| Running::start(program, &["--tls-self-signed"], data.path(), 1);
    let running: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = programs
            .iter()
            .map(|program| scope.spawn(move || start(program)))
            .collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let own = own_certificate(data.path());
    for (program, running) in programs.iter().zip(&running) {
        let name = program.path.display();
        let trusting = ["--cacert", &own];
        let (status, text) = running.ask("localhost", 0, program.asked, &trusting);
        assert_eq!(status, program.status, "{name}: {text}");
        // Who does not trust it gets nothing, and neither does who speaks without TLS.
        let (status, _) = running.ask("localhost", 0, program.asked, &[]);
        assert_eq!(status, "", "{name}");
        let plain = format!("http://localhost:{}{}", running.port(0), program.asked);
        let plain = curl(&plain, &[]);
        assert!(!plain.stdout.starts_with(b"HTTP/1.1 "), "{name}: {plain:?}");
        assert!(!running.said[0].starts_with("http:"), "{name}");
    }
}

/// The names of the cookbook's web servers, and of the web applications.
fn web_recipes() -> Vec<String> {
    let calls = ["serve(", "serve_beside(", ".main(\""];
    let mut names = Vec::new();
    for (folder, prefix) in [("cookbook", ""), ("app", "app_")] {
        for entry in fs::read_dir(root().join("recipes").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            let text = if is_rust {
                fs::read_to_string(&path).unwrap()
            } else {
                continue;
            };
            let is_server = text
                .lines()
                .any(|line| calls.iter().any(|call| line.trim_start().starts_with(call)));
            if is_server {
                let stem = path.file_stem().unwrap().to_str().unwrap();
                names.push(format!("{prefix}{stem}"));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn every_recipe_that_is_a_web_server_speaks_tls() {
    build();
    let data = tempfile::tempdir().unwrap();
    let names = web_recipes();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let log = data.path().join("log");
        fs::write(&log, "line\n").unwrap();
        let more: &[&str] = match name.as_str() {
            "live_log" => &[log.to_str().unwrap()],
            "web_terminal" => &["ada:$2y$05$abcdefghijklmnopqrstuuMBhAkDvQtb7Qi5TVBmBGnDXMcVKdPOa"],
            _ => &[],
        };
        let program = recipe(&name, more, "/", "");
        let running = Running::start(&program, &["--tls-self-signed"], data.path(), 1);
        let own = own_certificate(data.path());
        let (status, text) = running.ask("localhost", 0, "/", &["--cacert", &own]);
        assert_eq!(status.len(), 3, "{name}: {text}");
    }
}

#[test]
fn what_is_wrong_with_the_options_is_one_line_in_every_program() {
    let made = Made::new();
    made.certificate("one", "one.example");
    made.certificate("two", "two.example");
    let (certificate, key) = (made.text("one.pem"), made.text("one.key"));
    let (other, missing) = (made.text("two.key"), made.text("missing.pem"));
    let pair = ["--tls-cert", &certificate, "--tls-key", &key];
    let data = tempfile::tempdir().unwrap();
    for program in kinds(data.path()) {
        let is_spidey = program.path.ends_with("spidey");
        // What its files say is a failure for most programs, and a wrong option for spidey.
        let failure = if is_spidey { 2 } else { 1 };
        for (options, status, expected) in [
            (
                &["--tls-cert", &certificate, "--tls-key", &other][..],
                failure,
                "the key does not match the certificate",
            ),
            (
                &["--tls-cert", &missing],
                failure,
                "missing.pem: No such file",
            ),
            (
                &["--tls-cert", &certificate],
                failure,
                "no private key in PEM form",
            ),
            (
                &[&pair[..], &["--tls-client-ca", &missing]].concat(),
                failure,
                "missing.pem: No such file",
            ),
            (&["--tls-port", "0"], 2, "--tls-port needs a certificate"),
            (&["--hsts", "60"], 2, "--hsts needs a certificate"),
            (&["--tls-min", "1.1"], 2, "1.2, 1.3"),
            (&["--tls-cert"], 2, "--tls-cert"),
            (
                &[&pair[..], &["--redirect-http"]].concat(),
                2,
                "--redirect-http needs --tls-port",
            ),
            (
                &[&pair[..], &["--tls-self-signed"]].concat(),
                2,
                "cannot be used with",
            ),
        ] {
            let output = Command::new("timeout")
                .arg("60")
                .arg(&program.path)
                .args(&program.arguments)
                .args(options)
                .env("XDG_DATA_HOME", data.path())
                .current_dir(root())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let name = program.path.display();
            assert_eq!(
                output.status.code(),
                Some(status),
                "{name} {options:?} {said}"
            );
            assert!(said.contains(expected), "{name} {options:?} {said}");
            assert_eq!(said.lines().count(), 1, "{name} {options:?} {said}");
        }
    }
}

#[test]
fn the_help_of_every_program_has_every_option_of_tls() {
    let data = tempfile::tempdir().unwrap();
    for program in kinds(data.path()) {
        let output = Command::new(&program.path).arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout);
        for option in kamea_components::server::TlsSettings::OPTIONS {
            let value = option.value.name();
            let shown = match value {
                Some(value) if help.contains("Usage: app_hello") => {
                    format!("--{} {value}", option.name)
                }
                Some(value) => format!("--{} <{value}>", option.name),
                None => format!("--{}", option.name),
            };
            assert!(help.contains(&shown), "{}: {shown}", program.path.display());
        }
    }
}

#[test]
fn http_beside_https_can_redirect_to_it() {
    let data = tempfile::tempdir().unwrap();
    let options = [
        "--tls-self-signed",
        "--tls-port",
        "0",
        "--redirect-http",
        "--hsts",
        "60",
    ];
    for program in kinds(data.path()) {
        let running = Running::start(&program, &options, data.path(), 2);
        let (plain, secure) = (running.port(0), running.port(1));
        let name = program.path.display();
        let output = curl(&format!("http://localhost:{plain}/a?b=c"), &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.starts_with("HTTP/1.1 308 "), "{name}: {text}");
        let location = format!("\r\nLocation: https://localhost:{secure}/a?b=c\r\n");
        assert!(text.contains(&location), "{name}: {text}");
        let own = own_certificate(data.path());
        let (status, text) = running.ask("localhost", 1, program.asked, &["--cacert", &own]);
        assert_eq!(status, program.status, "{name}: {text}");
        let field = "\r\nStrict-Transport-Security: max-age=60\r\n";
        assert!(text.contains(field), "{name}: {text}");
    }
}

/// Asks until a certificate is in force: a reload has no other sign that all programs show.
fn ask_until_trusted(running: &Running, program: &Program, authority: &str) {
    let until = Instant::now() + 3 * PATIENCE;
    loop {
        let trusting = ["--cacert", authority];
        let (status, _) = running.ask("one.example", 0, program.asked, &trusting);
        if status == program.status {
            return;
        }
        assert!(status.is_empty() && Instant::now() < until, "{status}");
    }
}

#[test]
fn certificates_are_reloaded_when_they_change_and_at_sighup_in_every_program() {
    let data = tempfile::tempdir().unwrap();
    for program in kinds(data.path()) {
        let made = Made::new();
        for name in ["one", "first", "second", "third"] {
            made.certificate(name, "one.example");
        }
        let (certificate, key) = (made.text("one.pem"), made.text("one.key"));
        fs::copy(made.path("one.pem"), made.path("zeroth.pem")).unwrap();
        let options = ["--tls-cert", &certificate, "--tls-key", &key];
        let options: &[&str] = match program.path.ends_with("spidey") {
            true => &[&options[..], &["--host", "one.example"]].concat(),
            false => &options,
        };
        let running = Running::start(&program, options, data.path(), 1);
        ask_until_trusted(&running, &program, &made.text("zeroth.pem"));
        // Half a pair changes nothing, at whatever signal.
        fs::copy(made.path("first.pem"), made.path("one.pem")).unwrap();
        running.signal("HUP");
        ask_until_trusted(&running, &program, &made.text("zeroth.pem"));
        fs::copy(made.path("first.key"), made.path("one.key")).unwrap();
        ask_until_trusted(&running, &program, &made.text("first.pem"));
        // Every renewal is noticed, not only the first one.
        for name in ["second", "third"] {
            fs::copy(made.path(&format!("{name}.key")), made.path("one.key")).unwrap();
            fs::copy(made.path(&format!("{name}.pem")), made.path("one.pem")).unwrap();
            running.signal("HUP");
            ask_until_trusted(&running, &program, &made.text(&format!("{name}.pem")));
        }
    }
}

#[test]
fn clients_and_versions_are_refused_as_the_options_say_in_every_program() {
    let data = tempfile::tempdir().unwrap();
    let made = Made::new();
    made.certificate("ours", "ours.example");
    made.signed("friend", "ours");
    let (ours, friend) = (made.text("ours.pem"), made.text("friend.pem"));
    let key = made.text("friend.key");
    for program in kinds(data.path()) {
        let options = [
            "--tls-self-signed",
            "--tls-client-ca",
            &ours,
            "--tls-min",
            "1.3",
        ];
        let running = Running::start(&program, &options, data.path(), 1);
        let own = own_certificate(data.path());
        let nobody = ["--cacert", &own];
        let friendly = ["--cacert", &own, "--cert", &friend, "--key", &key];
        let old = [&friendly[..], &["--tls-max", "1.2"]].concat();
        for (options, status) in [(&friendly[..], program.status), (&nobody, ""), (&old, "")] {
            let (found, text) = running.ask("localhost", 0, program.asked, options);
            let name = program.path.display();
            assert_eq!(found, status, "{name} {options:?} {text}");
        }
    }
}
