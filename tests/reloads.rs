//! `spidey` reloads its certificates and its configuration again and again, while clients ask over
//! TLS: no connection is lost, no request fails, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kamea_components::tls::{Certificate, ClientTls, Session, self_signed};

/// Nothing may hang. The machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// After so many reloads, all buffers have their size.
const SETTLED: usize = 20;

/// How much memory may be added by all further reloads, in KiB. A server that kept what each of
/// 10,000 reloads has made, a graph and a certificate, would need hundreds of MiB.
const MOST_ADDED: u64 = 16 << 10;

struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    address: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidey"));
        let mut child = command
            .args([
                "-v",
                "-b",
                "127.0.0.1",
                "-p",
                "0",
                "--connections-per-client=1000",
            ])
            .arg("--tls-cert")
            .arg(folder.join("site.pem"))
            .arg(folder.join("www"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Every request is a line too.
                if line.contains("eloaded") && sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on ");
        let address = address.expect("it has started").parse().unwrap();
        Self {
            child,
            lines,
            address,
        }
    }

    fn reload(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-HUP", &id]).status().unwrap();
        assert!(status.success());
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a reload");
            assert!(!line.contains("Not reloaded"), "{line}");
            // The change of the file may have been noticed before the signal.
            if line.contains("Reloaded: new connections") {
                return;
            }
        }
    }

    fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection over TLS that is kept.
struct Client {
    stream: TcpStream,
    session: Session,
}

impl Client {
    fn connect(address: SocketAddr, tls: &ClientTls) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let session = Session::client(tls, "localhost").unwrap();
        let mut client = Self { stream, session };
        while client.session.is_handshaking() {
            client.flush();
            client.receive();
        }
        client.flush();
        client
    }

    fn flush(&mut self) {
        let records = self.session.take_outgoing();
        self.stream.write_all(&records).unwrap();
    }

    fn receive(&mut self) {
        let mut buffer = [0; 16 << 10];
        let count = self
            .stream
            .read(&mut buffer)
            .expect("the connection is open");
        assert_ne!(count, 0, "the server has closed the connection");
        self.session.receive(&buffer[..count]).unwrap();
    }

    fn ask(&mut self) {
        let request = b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut records = Vec::new();
        self.session.encrypt(request, &mut records).unwrap();
        self.stream.write_all(&records).unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\nhello\n") {
            let plaintext = self.session.take_plaintext();
            if plaintext.is_empty() {
                self.receive();
            }
            response.extend_from_slice(&plaintext);
        }
        assert!(response.starts_with(b"HTTP/1.1 200"));
    }
}

/// Puts a certificate and its key into a file, whole.
fn put(folder: &Path, certificate: &Certificate) {
    let new = folder.join("site.new");
    let text = certificate.to_pem() + &certificate.key_to_pem().unwrap();
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.join("site.pem")).unwrap();
}

fn reload_under_load(reloads: usize) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("www")).unwrap();
    fs::write(folder.join("www/hello.txt"), "hello\n").unwrap();
    let pairs = [0, 1].map(|_| self_signed(&["localhost"]).unwrap());
    put(folder, &pairs[0]);
    let server = Server::start(folder);
    let tls = ClientTls::trusting_all(&pairs).unwrap();
    let (is_over, requests, connections) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let address = server.address;
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (tls, is_over) = (tls.clone(), is_over.clone());
            let (requests, connections) = (requests.clone(), connections.clone());
            thread::spawn(move || {
                // Two keep their connection from the first reload to the last one.
                let mut client = Client::connect(address, &tls);
                while !is_over.load(Ordering::Relaxed) {
                    if number % 2 == 1 {
                        client = Client::connect(address, &tls);
                        connections.fetch_add(1, Ordering::Relaxed);
                    }
                    client.ask();
                    requests.fetch_add(1, Ordering::Relaxed);
                }
                client.ask();
            })
        })
        .collect();
    let mut before = (0, 0);
    for number in 0..reloads {
        put(folder, &pairs[number % 2]);
        server.reload();
        if number == SETTLED {
            before = (server.descriptors(), server.memory());
        }
    }
    let after = (server.descriptors(), server.memory());
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request fails");
    }
    let requests = requests.load(Ordering::Relaxed);
    let connections = connections.load(Ordering::Relaxed);
    eprintln!(
        "{reloads} reloads, {requests} requests, {connections} handshakes; \
         descriptors and KiB: {before:?} before, {after:?} after"
    );
    assert!(requests > 100 && connections > 10, "there was no load");
    // Connections that are just being made or closed.
    assert!(
        after.0 <= before.0 + 8,
        "descriptors: {before:?}, {after:?}"
    );
    assert!(
        after.1 <= before.1 + MOST_ADDED,
        "KiB: {before:?}, {after:?}"
    );
}

#[test]
fn nothing_is_lost_in_200_reloads() {
    reload_under_load(200);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_in_10_000_reloads() {
    reload_under_load(10_000);
}
