//! `spidey --acme` against Pebble, the test authority of Let's Encrypt, which refuses half of the
//! nonces and asks for every validation anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kamea_components::tls::self_signed;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing may hang. The machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The password of the live view.
const TOKEN: &str = "a-secret-of-this-test";

/// Longer than any test, in seconds: three months.
const LONG: u32 = 90 * 24 * 60 * 60;

/// A program that ends with the test, and the lines that it has written on stderr.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that contains all of these.
    fn wait_for(&self, parts: &[&str]) -> String {
        let (deadline, mut seen) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with {parts:?} in {seen:#?}");
            };
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
            seen.push(line);
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let signal = format!("-{name}");
        let status = Command::new("kill").args([&signal, &id]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority, the names that it resolves to this machine, and where it validates them.
struct Authority {
    folder: TempDir,
    _names: Running,
    pebble: Option<Running>,
    directory: u16,
    http: u16,
    tls: u16,
    live: u16,
}

/// Ports that nobody has now.
fn free_ports<const N: usize>() -> [u16; N] {
    let bound: Vec<_> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    let mut ports = bound
        .iter()
        .map(|listener| listener.local_addr().unwrap().port());
    [(); N].map(|()| ports.next().unwrap())
}

impl Authority {
    /// Starts an authority whose certificates are valid for so many seconds.
    fn start(validity: u32) -> Self {
        let [directory, management, http, tls, dns, live] = free_ports();
        // Not where the sandbox lets every server write.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let own = self_signed(&["localhost"]).unwrap();
        fs::write(folder.path().join("ca.pem"), own.to_pem()).unwrap();
        let key = own.key_to_pem().unwrap();
        fs::write(folder.path().join("key.pem"), key).unwrap();
        let local = |port| format!("127.0.0.1:{port}");
        let configuration = json!({ "pebble": {
            "listenAddress": local(directory),
            "managementListenAddress": local(management),
            "certificate": "ca.pem",
            "privateKey": "key.pem",
            "httpPort": http,
            "tlsPort": tls,
            "certificateValidityPeriod": validity,
        }});
        fs::write(folder.path().join("pebble.json"), configuration.to_string()).unwrap();
        let names = Running::start(
            Command::new("pebble-challtestsrv")
                .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
                .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
                .args(["-dns01", &local(dns), "-management", "127.0.0.1:0"]),
        );
        let pebble = Running::start(
            Command::new("pebble")
                .args(["-config", "pebble.json", "-dnsserver", &local(dns)])
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_WFE_NONCEREJECT", "50")
                .env("PEBBLE_AUTHZREUSE", "0")
                .current_dir(folder.path()),
        );
        let authority = Self {
            folder,
            _names: names,
            pebble: Some(pebble),
            directory,
            http,
            tls,
            live,
        };
        until("the authority listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, management)).is_ok()
                && TcpStream::connect((Ipv4Addr::LOCALHOST, directory)).is_ok()
        });
        let roots = authority.curl(&["-k", &format!("https://localhost:{management}/roots/0")]);
        assert!(roots.status.success(), "{roots:?}");
        fs::write(authority.path("root.pem"), roots.stdout).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server that gets its certificates from this authority.
    fn serve(&self, names: &[&str], options: &[&str]) -> Running {
        fs::create_dir_all(self.path("www")).unwrap();
        fs::write(self.path("www/hello.txt"), "hello\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidey"));
        command
            .arg(self.path("www"))
            .args(["-v", "-b", "127.0.0.1"]);
        for name in names {
            command.args(["--acme", name]);
        }
        command
            .arg(format!(
                "--acme-directory=https://localhost:{}/dir",
                self.directory
            ))
            .arg("--acme-ca")
            .arg(self.path("ca.pem"))
            .arg("--acme-state")
            .arg(self.path("state"))
            .args(["--acme-contact", "ada@example.org"])
            .arg(format!("--inspect=127.0.0.1:{}", self.live))
            .arg(format!("--inspect-token={TOKEN}"))
            .args(options);
        Running::start(&mut command)
    }

    /// The file of the certificate of a name.
    fn certificate(&self, name: &str) -> PathBuf {
        let folder = format!("localhost-{}-dir", self.directory);
        self.path("state").join(folder).join(format!("{name}.pem"))
    }

    fn curl(&self, options: &[&str]) -> Output {
        Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "30",
                "--noproxy",
                "*",
            ])
            .args(options)
            .output()
            .unwrap()
    }

    /// Asks a server for a file, as a client that trusts this authority alone.
    fn ask(&self, name: &str, port: u16) -> Output {
        let root = self.path("root.pem");
        self.curl(&[
            "--cacert",
            root.to_str().unwrap(),
            "--resolve",
            &format!("{name}:{port}:127.0.0.1"),
            &format!("https://{name}:{port}/hello.txt"),
        ])
    }

    fn is_served(&self, name: &str, port: u16) -> bool {
        self.ask(name, port).stdout == b"hello\n"
    }

    /// Asks the live view.
    fn view(&self, path: &str) -> Vec<u8> {
        let url = format!("http://127.0.0.1:{}{path}", self.live);
        let token = format!("Authorization: Bearer {TOKEN}");
        self.curl(&["-H", &token, &url]).stdout
    }

    /// What the live view shows of the renewals.
    fn renewals(&self) -> Value {
        let shown = self.view("/tls");
        serde_json::from_slice::<Value>(&shown).map_or(Value::Null, |tls| tls["renewals"].clone())
    }
}

/// Waits until something is true.
fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "not true in time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Passes connections to a port on to another one, as a router in front of a server does.
fn forward(from: u16, to: u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, from)).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else {
                continue;
            };
            let ends = [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ];
            for (mut from, mut to) in ends {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn certificates_come_by_http_and_are_kept() {
    let authority = Authority::start(LONG);
    let (http, tls) = (authority.http, authority.tls);
    let ports = [format!("--port={http}"), format!("--tls-port={tls}")];
    let names = ["www.site.test", "site.test"];
    let serve = || authority.serve(&names, &[&ports[0], &ports[1], "--redirect-http"]);
    let server = serve();
    server.wait_for(&[
        "www.site.test has no certificate yet",
        "clients get one that signs itself",
    ]);
    for name in names {
        until("the certificate is served", || {
            authority.is_served(name, tls)
        });
    }
    // Everything but the challenges is redirected.
    let plain = authority.curl(&["-i", &format!("http://127.0.0.1:{http}/hello.txt")]);
    assert!(plain.stdout.starts_with(b"HTTP/1.1 308"), "{plain:?}");
    let unknown = format!("http://127.0.0.1:{http}/.well-known/acme-challenge/unknown");
    let unknown = authority.curl(&["-i", &unknown]);
    assert!(unknown.stdout.starts_with(b"HTTP/1.1 308"), "{unknown:?}");

    // Nobody else can read a key, and no challenge is left.
    for name in names {
        assert_eq!(mode(&authority.certificate(name)), 0o600);
    }
    let account = authority.certificate("account").with_extension("json");
    assert_eq!(mode(&account), 0o600);
    until("the challenges are removed", || {
        fs::read_dir(authority.path("state/challenges"))
            .unwrap()
            .count()
            == 0
    });
    until("the live view shows it", || {
        let renewals = authority.renewals();
        let is_valid = |renewal: &Value| renewal["state"] == "valid";
        renewals
            .as_array()
            .is_some_and(|all| all.len() == 2 && all.iter().all(is_valid))
    });
    let metrics = String::from_utf8(authority.view("/metrics")).unwrap();
    assert!(
        metrics.contains("kamea_acme_failures{name=\"site.test\"} 0"),
        "{metrics}"
    );

    // The next start uses them again, even though the authority is gone.
    drop(server);
    let before = fs::read(authority.certificate("site.test")).unwrap();
    let mut authority = authority;
    authority.pebble = None;
    let server = authority.serve(&names, &[&ports[0], &ports[1]]);
    server.wait_for(&["TLS: certificate for site.test, by CN=Pebble Intermediate CA"]);
    until("the certificate is served", || {
        authority.is_served("site.test", tls)
    });
    assert_eq!(
        fs::read(authority.certificate("site.test")).unwrap(),
        before
    );
    // That the authority is gone is seen at once, and not only when the certificate has expired.
    server.wait_for(&[
        "ACME: ",
        "cannot reach the authority at localhost:",
        "its certificate has 89 days left",
    ]);
}

#[test]
fn certificates_come_by_a_handshake_where_there_is_no_http() {
    for mode in ["pool", "forking"] {
        let authority = Authority::start(LONG);
        let port = format!("--port={}", authority.tls);
        let server = authority.serve(&["site.test"], &[&port, "--mode", mode]);
        until("the certificate is served", || {
            authority.is_served("site.test", authority.tls)
        });
        // What a client of the site must not get: nothing is served by the protocol of challenges.
        let output = Command::new("openssl")
            .args([
                "s_client",
                "-alpn",
                "acme-tls/1",
                "-servername",
                "site.test",
                "-connect",
            ])
            .arg(format!("127.0.0.1:{}", authority.tls))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("alert"), "{mode}: {output:?}");
        drop(server);
    }
}

#[test]
fn what_fails_is_seen_and_tried_again_by_another_way_at_sighup() {
    let authority = Authority::start(LONG);
    // The authority asks at other ports: a router that does not forward them yet.
    let [http, tls] = free_ports();
    let ports = [format!("--port={http}"), format!("--tls-port={tls}")];
    let server = authority.serve(&["site.test"], &[&ports[0], &ports[1]]);
    let line = server
        .wait_for(&["ACME: site.test: the authority could not validate site.test by http-01"]);
    assert!(
        line.contains("it has no certificate; next try in "),
        "{line}"
    );
    until("the live view shows it", || {
        authority.renewals()[0]["state"] == "failing"
    });
    let renewal = authority.renewals()[0].clone();
    assert_eq!(
        (&renewal["state"], &renewal["failures"]),
        (&json!("failing"), &json!(1))
    );
    let error = renewal["last_error"].as_str().unwrap();
    assert!(error.contains("connection refused"), "{error}");
    assert!(renewal["days_left"].is_null());
    // The site is served nevertheless, to clients that do not mind.
    let url = format!("https://localhost:{tls}/hello.txt");
    assert_eq!(authority.curl(&["-k", &url]).stdout, b"hello\n");
    assert!(!authority.is_served("site.test", tls));

    forward(authority.tls, tls);
    server.signal("HUP");
    until("the certificate is served", || {
        authority.is_served("site.test", tls)
    });
    until("the live view shows it", || {
        let renewal = authority.renewals()[0].clone();
        renewal["state"] == "valid" && renewal["failures"] == 0 && renewal["last_error"].is_null()
    });
}

#[test]
fn a_certificate_is_renewed_before_it_ends_and_the_last_one_stays_in_force() {
    let mut authority = Authority::start(90);
    let (http, tls) = (authority.http, authority.tls);
    let ports = [format!("--port={http}"), format!("--tls-port={tls}")];
    let server = authority.serve(&["site.test"], &[&ports[0], &ports[1]]);
    until("the certificate is served", || {
        authority.is_served("site.test", tls)
    });
    let serial = || {
        let text = fs::read_to_string(authority.certificate("site.test")).unwrap();
        let begin = text.find("-----END CERTIFICATE").unwrap();
        text[..begin].to_owned()
    };
    let first = serial();
    let mut requests = 0;
    until("it is renewed", || {
        // No request fails meanwhile.
        assert!(
            authority.is_served("site.test", tls),
            "{:?}",
            authority.ask("site.test", tls)
        );
        requests += 1;
        serial() != first
    });
    assert!(requests > 10);
    server.wait_for(&["Reloaded the certificates"]);
    until("the new one is served", || {
        authority.is_served("site.test", tls)
    });
    authority.pebble = None;
    let kept = fs::read(authority.certificate("site.test")).unwrap();
    server.wait_for(&["ACME: site.test: cannot reach the authority"]);
    assert_eq!(fs::read(authority.certificate("site.test")).unwrap(), kept);
}

#[test]
fn mistakes_in_the_options_are_named() {
    for (options, expected) in [
        (
            vec!["--acme", "*.example.org"],
            "wildcards need the challenge dns-01",
        ),
        (
            vec!["--acme", "127.0.0.1"],
            "an address gets no certificate",
        ),
        (
            vec!["--acme", "a.example", "--acme-contact", "ada"],
            "such as ada@example.org",
        ),
        (
            vec![
                "--acme",
                "a.example",
                "--acme-directory",
                "http://ca.example/",
            ],
            "a directory is an https URL",
        ),
        (vec!["--acme-contact", "ada@example.org"], "--acme"),
        (
            vec!["--acme", "a.example", "--tls-self-signed"],
            "--tls-self-signed",
        ),
        (
            vec![
                "--acme",
                "a.example",
                "--port",
                "0",
                "--acme-state",
                "/dev/null/state",
            ],
            "--acme-state: cannot write to /dev/null/state",
        ),
        (
            vec![
                "--acme",
                "a.example",
                "--port",
                "0",
                "--acme-ca",
                "/dev/null",
            ],
            "/dev/null: no certificate in PEM form",
        ),
    ] {
        let mut spidey = Command::new(env!("CARGO_BIN_EXE_spidey"));
        let mut child = spidey
            .args(&options)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2), "{options:?}: {text}");
        assert!(text.contains(expected), "{options:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
