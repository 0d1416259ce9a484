//! The web server over TLS, as clients see it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use kamea::Scheduler;

use super::*;
use crate::cgi::CgiOptions;
use crate::http::Chunk;
use crate::server::{Bound, Explanations, Listening, Site, WebServer};
use crate::tls::{Certificate, ClientTls, TlsError, TlsOptions, self_signed};
use crate::web::{HandlerPorts, Response, Route};

/// A folder with a few files, and a server of it.
struct Serving {
    _folder: tempfile::TempDir,
    listening: Listening,
    certificate: Certificate,
    scheduler: Scheduler,
}

const LARGE: usize = 3_000_000;

fn large() -> Vec<u8> {
    (0..LARGE).map(|place| (place * 7 % 253) as u8).collect()
}

fn serve(change: impl FnOnce(&mut Site, &mut Tls)) -> Serving {
    serve_all(change, |server| server)
}

fn serve_with(add: impl FnOnce(WebServer) -> WebServer) -> Serving {
    serve_all(|_, _| {}, add)
}

fn serve_all(
    change: impl FnOnce(&mut Site, &mut Tls),
    add: impl FnOnce(WebServer) -> WebServer,
) -> Serving {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("hello.txt"), "hello\n").unwrap();
    fs::write(path("large.bin"), large()).unwrap();
    fs::create_dir(path("cgi-bin")).unwrap();
    let program = "#!/bin/sh\necho Content-Type: text/plain\necho\nenv | grep -E '^(HTTPS|SSL_|REQUEST_SCHEME)' | sort\n";
    fs::write(path("cgi-bin/env"), program).unwrap();
    fs::set_permissions(path("cgi-bin/env"), fs::Permissions::from_mode(0o755)).unwrap();

    // Longer than a client that has gone is waited for.
    let slow = "#!/bin/sh\nsleep 2\necho Content-Type: text/plain\necho\necho slow\n";
    fs::write(path("cgi-bin/slow"), slow).unwrap();
    fs::set_permissions(path("cgi-bin/slow"), fs::Permissions::from_mode(0o755)).unwrap();

    let certificate = self_signed(&["site.example"]).unwrap();
    let options = TlsOptions::new(vec![certificate.clone()]);
    let mut tls = Tls::new(ServerTls::new(options).unwrap());
    let mut site = Site::new(folder.path());
    change(&mut site, &mut tls);
    let scheduler = Scheduler::with_workers(2);
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bound = Bound::new(&[local], 2).unwrap().tls(&[local]).unwrap();
    let server = add(WebServer::new(site).cgi(CgiOptions::default()).tls(tls));
    let listening = server.run_on(&scheduler, bound).unwrap();
    Serving {
        _folder: folder,
        listening,
        certificate,
        scheduler,
    }
}

impl Serving {
    fn plain(&self) -> TcpStream {
        TcpStream::connect(self.listening.addresses()[0]).unwrap()
    }

    fn socket(&self) -> TcpStream {
        TcpStream::connect(self.listening.addresses()[1]).unwrap()
    }

    fn client(&self) -> Client {
        let tls = ClientTls::trusting(&self.certificate).unwrap();
        Client::over(self.socket(), &tls, "site.example")
    }
}

/// A client over TLS that blocks.
struct Client {
    socket: TcpStream,
    session: Session,
    plaintext: Vec<u8>,
}

impl Client {
    fn over(socket: TcpStream, tls: &ClientTls, name: &str) -> Self {
        Self::try_over(socket, tls, name).unwrap()
    }

    fn try_over(mut socket: TcpStream, tls: &ClientTls, name: &str) -> Result<Self, TlsError> {
        let mut session = Session::client(tls, name).unwrap();
        let mut buffer = [0; 4096];
        loop {
            socket.write_all(&session.take_outgoing()).unwrap();
            if !session.is_handshaking() {
                break;
            }
            let count = socket.read(&mut buffer).unwrap();
            session.receive(&buffer[..count])?;
        }
        Ok(Self {
            socket,
            session,
            plaintext: Vec::new(),
        })
    }

    fn send(&mut self, text: &str) {
        let mut records = Vec::new();
        self.session.encrypt(text.as_bytes(), &mut records).unwrap();
        self.socket.write_all(&records).unwrap();
    }

    /// Reads until the plaintext that has arrived is enough; otherwise until the end.
    fn read_until(&mut self, is_enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut buffer = vec![0; 64 * 1024];
        while !is_enough(&self.plaintext) && !self.session.has_peer_closed() {
            let count = self.socket.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            self.session.receive(&buffer[..count]).unwrap();
            self.plaintext
                .extend_from_slice(&self.session.take_plaintext());
        }
        std::mem::take(&mut self.plaintext)
    }

    /// The response to a request; its body has to be of text.
    fn ask(&mut self, request: &str) -> String {
        self.send(request);
        let response = self.read_until(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                return false;
            };
            let head = head.to_lowercase();
            match head.split_once("content-length: ") {
                Some((_, rest)) => {
                    body.len()
                        >= rest
                            .lines()
                            .next()
                            .unwrap()
                            .trim()
                            .parse::<usize>()
                            .unwrap()
                }
                None => body.ends_with("0\r\n\r\n"),
            }
        });
        String::from_utf8_lossy(&response).into_owned()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: site.example\r\n\r\n")
}

#[test]
fn files_are_the_same_over_tls_and_the_end_is_told() {
    let serving = serve(|_, _| {});
    let mut client = serving.client();
    let response = client.ask(&get("/hello.txt"));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\nhello\n"));
    assert!(!response.contains("Strict-Transport-Security"));
    // Pipelined requests, the second for a file that goes out in many records.
    client.send(
        &(get("/hello.txt")
            + &get("/large.bin").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")),
    );
    let both = client.read_until(|_| false);
    assert!(both.ends_with(&large()));
    assert!(client.session.has_peer_closed(), "without close_notify");
    let facts = client.session.facts().unwrap();
    assert_eq!((facts.version, facts.protocol), ("TLSv1.3", None));
    serving.scheduler.stop(Duration::from_secs(20)).unwrap();
}

#[test]
fn a_connection_goes_on_after_a_pause_in_which_it_has_no_graph() {
    let serving = serve(|site, _| site.patience.linger = Duration::from_millis(1));
    let mut client = serving.client();
    for _ in 0..5 {
        assert!(client.ask(&get("/hello.txt")).ends_with("hello\n"));
        let has_graph = || {
            let census = serving.scheduler.census();
            let mut graphs = census.graphs.iter();
            graphs.any(|graph| &*graph.name == "connection" && graph.running > 0)
        };
        while has_graph() {
            std::thread::yield_now();
        }
    }
    // After a pause the client is still there: what takes long is made for it.
    assert!(client.ask(&get("/cgi-bin/slow")).ends_with("slow\n"));
}

#[test]
fn a_connection_above_the_limit_gets_no_plaintext() {
    let serving = serve(|site, _| site.connections = 0);
    let mut refused = Vec::new();
    serving.plain().read_to_end(&mut refused).unwrap();
    assert!(refused.starts_with(b"HTTP/1.1 503 "));
    refused.clear();
    let tls = ClientTls::trusting(&serving.certificate).unwrap();
    let hello = Session::client(&tls, "site.example")
        .unwrap()
        .take_outgoing();
    let mut socket = serving.socket();
    // It may be closed already.
    let _ = socket.write_all(&hello);
    match socket.read_to_end(&mut refused) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(refused, b"");
}

#[test]
fn a_request_in_many_small_records_and_writes() {
    let serving = serve(|_, _| {});
    let mut client = serving.client();
    let mut records = Vec::new();
    for byte in get("/hello.txt").as_bytes() {
        client.session.encrypt(&[*byte], &mut records).unwrap();
    }
    for part in records.chunks(7) {
        client.socket.write_all(part).unwrap();
    }
    let response = client.read_until(|bytes| bytes.ends_with(b"hello\n"));
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn programs_learn_that_the_connection_is_secure() {
    let serving = serve(|_, _| {});
    let response = serving.client().ask(&get("/cgi-bin/env"));
    for line in [
        "HTTPS=on\n",
        "REQUEST_SCHEME=https\n",
        "SSL_PROTOCOL=TLSv1.3\n",
        "SSL_TLS_SNI=site.example\n",
        "SSL_CLIENT_VERIFY=NONE\n",
        "SSL_SESSION_RESUMED=Initial\n",
        "SSL_CIPHER=TLS_",
    ] {
        assert!(response.contains(line), "{line} in {response}");
    }
    // And that the other one is not.
    let mut plain = serving.plain();
    let request = get("/cgi-bin/env").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    plain.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    plain.read_to_string(&mut response).unwrap();
    assert!(response.contains("REQUEST_SCHEME=http\n") && !response.contains("HTTPS"));
}

#[test]
fn an_explanation_names_the_certificate_of_the_connection() {
    let serving = serve_with(|server| server.explain(Explanations::with_secret("secret")));
    let asking = get("/hello.txt").replace("\r\n\r\n", "\r\nKamea-Explain: secret\r\n\r\n");
    let response = serving.client().ask(&asking);
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let explained: serde_json::Value = serde_json::from_str(body).unwrap();
    let shown = &explained["tls"]["certificate"];
    assert_eq!(shown["names"][0], "site.example", "{explained}");
    let fingerprint = serving.certificate.fingerprint();
    assert_eq!(shown["fingerprint"], fingerprint, "{explained}");
    assert_eq!(shown["days_left"], 364, "{explained}");
    let session = explained["tls"]["session"].as_str().unwrap();
    assert!(session.starts_with("TLSv1.3 TLS_") && session.ends_with("for site.example"));
    // Without TLS there is none.
    let mut plain = serving.plain();
    let more = "\r\nKamea-Explain: secret\r\nConnection: close\r\n\r\n";
    let request = get("/hello.txt").replace("\r\n\r\n", more);
    plain.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    plain.read_to_string(&mut response).unwrap();
    assert!(response.contains("\"hops\"") && !response.contains("\"tls\""));
}

#[test]
fn the_certificates_of_a_server_can_be_replaced_while_connections_are_open() {
    let certificate = self_signed(&["site.example", "old.example"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![certificate.clone()])).unwrap();
    let served = Tls::new(tls.clone());
    let serving = serve_all(|_, tls| *tls = served, |server| server);
    let trusting = ClientTls::trusting(&certificate).unwrap();
    let mut open = Client::over(serving.socket(), &trusting, "old.example");
    let asked = get("/hello.txt").replace("site.example", "old.example");
    assert!(open.ask(&asked).starts_with("HTTP/1.1 200 "));
    let renewed = self_signed(&["site.example"]).unwrap();
    tls.replace(TlsOptions::new(vec![renewed.clone()])).unwrap();
    // The connection goes on, with the certificate of its handshake, which covers this host.
    assert!(open.ask(&asked).starts_with("HTTP/1.1 200 "));
    assert_eq!(tls.census().certificates().first(), Some(&renewed));
    // Every new connection gets the new one, at once and on every worker.
    let trusting = ClientTls::trusting(&renewed).unwrap();
    for _ in 0..8 {
        let mut client = Client::over(serving.socket(), &trusting, "site.example");
        assert!(client.ask(&get("/hello.txt")).ends_with("hello\n"));
        assert!(client.ask(&asked).starts_with("HTTP/1.1 421 "));
    }
    // Options that cannot be used change nothing.
    assert!(tls.replace(TlsOptions::new(Vec::new())).is_err());
    let mut client = Client::over(serving.socket(), &trusting, "site.example");
    assert!(client.ask(&get("/hello.txt")).ends_with("hello\n"));
}

#[test]
fn a_host_that_the_certificate_does_not_cover_gets_421() {
    let serving = serve(|_, _| {});
    let mut client = serving.client();
    let other = get("/hello.txt").replace("site.example", "other.example:443");
    assert!(client.ask(&other).starts_with("HTTP/1.1 421 "));
    // The connection goes on.
    for host in ["site.example", "SITE.example:9443", "site.example"] {
        let request = get("/hello.txt").replace("site.example", host);
        assert!(client.ask(&request).starts_with("HTTP/1.1 200 "), "{host}");
    }
}

#[test]
fn plain_requests_can_be_redirected_and_browsers_told_to_stay() {
    let serving = serve(|_, tls| {
        tls.redirect = Some(9443);
        tls.strict_transport = Some(Duration::from_secs(3600));
    });
    for (request, location) in [
        (get("/a%20b?c=d"), "https://site.example:9443/a%20b?c=d"),
        (
            get("/").replace("site.example", "site.example:80"),
            "https://site.example:9443/",
        ),
        (get("http://site.example/x"), "https://site.example:9443/x"),
        (
            get("//evil.example/"),
            "https://site.example:9443//evil.example/",
        ),
    ] {
        let mut plain = serving.plain();
        let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        plain.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        plain.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 308 "), "{response}");
        assert!(
            response.contains(&format!("\r\nLocation: {location}\r\n")),
            "{response}"
        );
        assert!(
            !response.contains("Strict-Transport-Security"),
            "RFC 6797 section 7.2"
        );
    }
    let response = serving.client().ask(&get("/hello.txt"));
    assert!(response.contains("\r\nStrict-Transport-Security: max-age=3600\r\n"));
}

#[test]
fn what_is_no_tls_ends_and_the_server_goes_on() {
    let serving = serve(|_, tls| tls.handshake_timeout = Duration::from_millis(300));
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\x16\x03\x01",
        b"",
    ] {
        let begun = std::time::Instant::now();
        let mut socket = serving.socket();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // An alert, or the end: the handshake has its time limit.
        match socket.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert!(!answer.starts_with(b"HTTP"));
        // The time limit without the option is ten seconds.
        assert!(begun.elapsed() < Duration::from_secs(9), "{bytes:?}");
    }
    assert!(
        serving
            .client()
            .ask(&get("/hello.txt"))
            .ends_with("hello\n")
    );
}

#[test]
fn a_client_that_vanishes_in_the_midst_of_a_file_ends_its_connection() {
    let serving = serve(|_, _| {});
    for _ in 0..3 {
        let mut client = serving.client();
        client.send(&get("/large.bin"));
        client.read_until(|bytes| bytes.len() > 100_000);
        drop(client);
    }
    assert!(
        serving
            .client()
            .ask(&get("/hello.txt"))
            .ends_with("hello\n")
    );
    serving.scheduler.stop(Duration::from_secs(20)).unwrap();
}

#[test]
fn a_reload_changes_the_certificate_of_new_connections_and_keeps_the_open_ones() {
    let serving = serve(|_, _| {});
    let mut open = serving.client();
    assert!(open.ask(&get("/hello.txt")).ends_with("hello\n"));
    let renewed = self_signed(&["site.example"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![renewed.clone()])).unwrap();
    let site = Site::new(serving._folder.path());
    let server = WebServer::new(site).tls(Tls::new(tls));
    kamea::testing::block_on(serving.listening.replace(server)).unwrap();
    assert!(open.ask(&get("/hello.txt")).ends_with("hello\n"));
    let trusting = ClientTls::trusting(&renewed).unwrap();
    // A worker may accept a connection before it takes the new configuration.
    let mut client = loop {
        if let Ok(client) = Client::try_over(serving.socket(), &trusting, "site.example") {
            break client;
        }
    };
    assert!(client.ask(&get("/hello.txt")).ends_with("hello\n"));
}

#[test]
fn a_websocket_over_tls_echoes() {
    let serving = serve_with(|server| server.websocket("/echo", || crate::stream::echo));
    let mut client = serving.client();
    // The frame comes with the handshake: its bytes are read ahead.
    client.send(
        "GET /echo HTTP/1.1\r\nHost: site.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let mut records = Vec::new();
    // "hi", masked with zeros (RFC 6455 section 5.3).
    let frame = b"\x81\x82\0\0\0\0hi";
    client.session.encrypt(frame, &mut records).unwrap();
    client.socket.write_all(&records).unwrap();
    let answer = client.read_until(|bytes| bytes.ends_with(b"\x81\x02hi"));
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // A close frame with code 1000 is answered, and then TLS ends.
    let close = b"\x88\x82\0\0\0\0\x03\xe8";
    let mut records = Vec::new();
    client.session.encrypt(close, &mut records).unwrap();
    client.socket.write_all(&records).unwrap();
    let rest = client.read_until(|_| false);
    assert_eq!(rest, b"\x88\x02\x03\xe8");
    assert!(client.session.has_peer_closed());
}

#[test]
fn a_request_without_a_host_is_served() {
    let serving = serve(|_, _| {});
    let mut client = serving.client();
    client.send("GET /hello.txt HTTP/1.0\r\n\r\n");
    let response = client.read_until(|_| false);
    assert!(
        response.ends_with(b"\r\n\r\nhello\n"),
        "{}",
        String::from_utf8_lossy(&response)
    );
}

#[test]
fn the_last_request_of_a_connection_is_answered_however_long_it_takes() {
    let serving = serve(|_, _| {});
    let mut client = serving.client();
    client.send(&get("/cgi-bin/slow").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    assert!(client.read_until(|_| false).ends_with(b"slow\n"));
}

#[test]
fn a_client_that_ends_without_close_notify_still_gets_its_response() {
    let serving = serve(|site, _| site.half_close = true);
    let mut client = serving.client();
    client.send(&get("/cgi-bin/slow"));
    client.socket.shutdown(std::net::Shutdown::Write).unwrap();
    let response = client.read_until(|_| false);
    assert!(String::from_utf8_lossy(&response).contains("slow\n"));
}

#[test]
fn a_long_stream_does_not_hold_the_next_request() {
    // More reports than the encoder reads while the response lasts.
    let stream = async |io: &mut HandlerPorts| {
        while let Some(request) = io.next_without_content().await? {
            let (sender, chunks) = kamea::link(1);
            io.answer(Ok(request.respond(Response::stream(chunks))))
                .await?;
            for _ in 0..60 {
                let chunk = Chunk::Data(vec![b'x'; 20 * 1024].into());
                sender.send(chunk).await?;
                sleep(Duration::from_millis(2)).await;
            }
            sender.send(Chunk::END).await?;
        }
        Ok(())
    };
    let serving = serve_with(|server| server.route("stream", Route::path("/stream"), stream));
    let mut client = serving.client();
    for _ in 0..2 {
        client.send(&get("/stream"));
        let response = client.read_until(|bytes| bytes.ends_with(b"0\r\n\r\n"));
        assert!(response.len() > 60 * 20 * 1024);
    }
}
