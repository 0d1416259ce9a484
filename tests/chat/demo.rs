//! `make demo`: all programs together, behind the proxy, and nothing of them afterwards.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kamea_components::net::testing::free_ports;

use crate::server::PATIENCE;

const TRACKER: &str = env!("CARGO_BIN_EXE_start_tracker");

/// The demonstration, with free ports.
struct Demo {
    child: Child,
    first: u16,
    /// What it prints until it is ready.
    printed: String,
}

impl Demo {
    fn start() -> Self {
        let programs = Path::new(TRACKER).parent().unwrap();
        let others = programs.join("start_proxy");
        assert!(
            others.exists(),
            "first: cargo build --workspace --exclude kamea-benches --bins"
        );
        let first = free_ports(9).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/demo.sh");
        // A shell cannot handle a signal that is ignored when it starts, as in a background job.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", script])
            .env("PROGRAMS", programs)
            .env("FIRST_PORT", first.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        for line in lines.map_while(Result::ok) {
            printed += &format!("{line}\n");
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        assert!(printed.contains("Ctrl-C ends"), "{printed}");
        Self {
            child,
            first,
            printed,
        }
    }

    /// Runs curl on a path of the proxy. Returns the status and the body.
    fn curl(&self, arguments: &[&str], host: &str, path: &str) -> (String, String) {
        let port = self.first;
        let output = Command::new("curl")
            .args(["-s", "--max-time", "60", "-w", "\n%{http_code}"])
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
            .args(arguments)
            .arg(format!("http://{host}:{port}{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// The processes of the demonstration: those whose environment names its ports.
    fn processes(&self) -> Vec<String> {
        let wanted = format!("FIRST_PORT={}", self.first);
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let environment = read("environ");
            if environment
                .split(|&byte| byte == 0)
                .any(|one| one == wanted.as_bytes())
            {
                let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                // One that has ended, and was not waited for yet, has no command line.
                found.extend(Some(line).filter(|line| !line.is_empty()));
            }
        }
        found
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until no process of it is left.
    fn is_gone(&mut self) {
        let until = Instant::now() + 2 * PATIENCE;
        while self.child.try_wait().unwrap().is_none() || !self.processes().is_empty() {
            assert!(
                Instant::now() < until,
                "these are left: {:#?}",
                self.processes()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(TcpListener::bind(("127.0.0.1", self.first)).expect("the port is free"));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn everything_runs_behind_the_proxy_and_ends_with_ctrl_c() {
    let mut demo = Demo::start();
    let own = "127.0.0.1";
    for (arguments, host, path, status, body) in [
        (&[][..], own, "/", "401", "login"),
        (
            &["-d", "username=admin&password=password"],
            own,
            "/login",
            "200",
            "html",
        ),
        (
            &["-d", "username=admin&password=x"],
            own,
            "/login",
            "401",
            "login",
        ),
        (&["-b", "auth=true"], own, "/", "200", "html"),
        (&[], own, "/sample/hello", "200", "Hello, world!"),
        (&[], own, "/tracker/", "200", "/connect-peer/"),
        (&[], own, "/tracker/get-list", "200", "\"peers\""),
        (&[], "login.localhost", "/", "303", ""),
        (&[], "login.localhost", "/login", "200", "Password"),
    ] {
        let (got, text) = demo.curl(arguments, host, path);
        assert_eq!(got, status, "{host}{path}: {text}");
        assert!(text.contains(body), "{host}{path}: {text}");
    }
    // The peers have found the tracker through the proxy.
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let (_, list) = demo.curl(&[], own, "/tracker/get-list/");
        if ["ada", "bob", "eve"].iter().all(|name| list.contains(name)) {
            break;
        }
        assert!(Instant::now() < until, "{list}");
    }
    // The token that was printed is that of the page, and nothing is done without it.
    let page = demo
        .printed
        .lines()
        .find(|line| line.starts_with("  ada"))
        .unwrap();
    let page = page.split_whitespace().last().unwrap();
    let (page, token) = page.split_once("#token=").unwrap();
    let bearer = format!("Authorization: Bearer {token}");
    let command = format!("{page}send-peer/");
    for (arguments, address, expected) in [
        (&[][..], page, "200"),
        (&["-X", "POST"], &command, "401"),
        (&["-X", "POST", "-H", &bearer], &command, "422"),
    ] {
        let output = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
            .args(arguments)
            .arg(address)
            .output()
            .unwrap();
        let status = String::from_utf8_lossy(&output.stdout);
        assert_eq!(status, expected, "{arguments:?} {address}");
    }
    assert!(demo.processes().len() >= 9, "{:#?}", demo.processes());
    let files = demo
        .printed
        .lines()
        .find_map(|line| line.strip_prefix("Files of this run: "));
    let files = Path::new(files.unwrap()).to_owned();
    assert!(files.join("proxy.conf").exists());
    demo.send("-INT");
    demo.is_gone();
    assert!(!files.exists());
}

#[test]
fn no_program_outlives_a_demonstration_that_is_killed() {
    let mut demo = Demo::start();
    assert!(demo.processes().len() >= 9, "{:#?}", demo.processes());
    demo.send("-KILL");
    demo.is_gone();
}
