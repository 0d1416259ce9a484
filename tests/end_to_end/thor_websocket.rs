//! Load over WebSockets by `thor`: its counts match those of the server, and it distinguishes kinds
//! of errors.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::{Bytes, BytesMut};
use kamea::Scheduler;
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::server::{Listening, Site, Tls, WebServer};
use kamea_components::tls::{ServerTls, TlsOptions, self_signed};
use kamea_components::websocket::{
    CloseCode, Decoder, Encoder, Event, Kind, Limits, Message, Role, accept_key,
};

use super::server::PATIENCE;
use super::thor_load::{figure, row, table, text, thor};

/// What the server has received.
#[derive(Debug, Default)]
struct Received {
    texts: AtomicU64,
    binaries: AtomicU64,
    bytes: AtomicU64,
}

impl Received {
    /// Texts, binary messages, and bytes since the last call.
    fn take(&self) -> (u64, u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::SeqCst);
        (take(&self.texts), take(&self.binaries), take(&self.bytes))
    }
}

struct Serving {
    address: SocketAddr,
    received: Arc<Received>,
    _listening: Listening,
    _scheduler: Scheduler,
}

impl Serving {
    fn start(tls: Option<Tls>) -> Self {
        let received = Arc::new(Received::default());
        let counted = received.clone();
        let sock = Sock::new()
            .max_message_size(16 << 20)
            .route("/echo", async move |ws: &mut WebSocket<'_>| {
                loop {
                    let message = ws.receive().await?;
                    let count = match message.kind() {
                        Kind::Text => &counted.texts,
                        Kind::Binary => &counted.binaries,
                    };
                    count.fetch_add(1, Ordering::SeqCst);
                    let length = message.payload().len() as u64;
                    counted.bytes.fetch_add(length, Ordering::SeqCst);
                    ws.send(message).await?;
                }
            })
            .route("/closes", async |ws: &mut WebSocket<'_>| {
                ws.receive().await?;
                ws.close(CloseCode(4001), "enough");
                Ok(())
            })
            .route("/silent", async |ws: &mut WebSocket<'_>| {
                loop {
                    ws.receive().await?;
                }
            })
            .route("/chat", async |ws: &mut WebSocket<'_>| {
                let chosen = ws.subprotocol().unwrap_or("none").to_owned();
                loop {
                    ws.receive().await?;
                    ws.send(chosen.clone()).await?;
                }
            })
            .subprotocols(["chat.v2"]);
        let scheduler = Scheduler::with_workers(1);
        let server = WebServer::new(Site::new(".")).sock(sock);
        let server = match tls {
            None => server,
            Some(tls) => server.tls(tls),
        };
        let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
        let listening = listening.unwrap();
        Self {
            address: listening.addresses()[0],
            received,
            _listening: listening,
            _scheduler: scheduler,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

#[test]
fn each_message_is_sent_and_answered_once() {
    let server = Serving::start(None);
    let url = server.url("/echo");
    let rows: [(&[&str], &str, u64, bool); 8] = [
        (&["-n", "200", "-c", "4"], "20", 200, false),
        (
            &["-n", "300", "-c", "3", "--pipeline", "16"],
            "20",
            300,
            false,
        ),
        (
            &["-n", "100", "-c", "2", "--message-size", "16KiB"],
            "16,384",
            100,
            false,
        ),
        (
            &["-n", "20", "-c", "2", "--message-size", "1MiB", "--binary"],
            "1,048,576",
            20,
            true,
        ),
        (
            &["-n", "50", "-c", "1", "--message-size", "0"],
            "0",
            50,
            false,
        ),
        (&["-n", "100", "-c", "4", "--rate", "400"], "20", 100, false),
        (
            &[
                "-n",
                "100",
                "-c",
                "2",
                "--message-size",
                "2KiB",
                "--deflate",
                "--pipeline",
                "4",
            ],
            "2,048",
            100,
            false,
        ),
        (
            &["-n", "100", "-c", "2", "--threads", "2"],
            "20",
            100,
            false,
        ),
    ];
    for (options, size, count, is_binary) in rows {
        let table = table(0, &[options, &["-q", &url]].concat());
        let shown = format!("{options:?}: {table}");
        assert_eq!(figure(&table, "messages") as u64, count, "{shown}");
        assert_eq!(
            row(&table, "content"),
            format!("{size} bytes each"),
            "{shown}"
        );
        assert_eq!(row(&table, "errors"), "none", "{shown}");
        assert!(!table.contains("status"), "{shown}");
        let bytes = size.replace(',', "").parse::<u64>().unwrap() * count;
        let expected = match is_binary {
            true => (0, count, bytes),
            false => (count, 0, bytes),
        };
        assert_eq!(server.received.take(), expected, "{shown}");
    }
}

#[test]
fn a_file_is_the_message() {
    let server = Serving::start(None);
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    fs::write(path, "grüße").unwrap();
    let url = server.url("/echo");
    let options = ["-n", "10", "-c", "1", "-q", "--body", path];
    table(0, &[&options[..], &[&url]].concat());
    assert_eq!(server.received.take(), (10, 0, 70));
    fs::write(path, b"\xff\xfe").unwrap();
    let output = thor(&[&options[..], &[&url]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--binary sends any bytes"));
    table(0, &[&options[..], &["--binary", &url]].concat());
    assert_eq!(server.received.take(), (0, 10, 20));
}

#[test]
fn reports_have_the_figures_of_messages() {
    let server = Serving::start(None);
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("series.csv");
    let output = thor(&[
        "-n",
        "120",
        "-c",
        "3",
        "--json",
        "--csv",
        csv.to_str().unwrap(),
        &server.url("/echo"),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = json.to_string();
    assert_eq!(json["requests"], 120, "{shown}");
    assert_eq!(json["urls"][0], server.url("/echo"), "{shown}");
    assert!(fs::read_to_string(csv).unwrap().lines().count() > 1);
}

#[test]
fn a_rate_is_held_over_websockets() {
    let server = Serving::start(None);
    let options = ["-c", "4", "-d", "2s", "--rate", "200", "-q"];
    let table = table(0, &[&options[..], &[&server.url("/echo")]].concat());
    let count = figure(&table, "messages");
    // A loaded machine may send the last ones too late.
    assert!((300..=400).contains(&count), "{table}");
    assert!(table.contains("200 messages a second"), "{table}");
    assert!(
        table.contains("corrected ones from when it was planned"),
        "{table}"
    );
}

#[test]
fn websockets_over_tls_are_measured_like_any() {
    let own = self_signed(&["localhost"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![own.clone()])).unwrap();
    let server = Serving::start(Some(Tls::new(tls)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    fs::write(&file, own.to_pem()).unwrap();
    let url = format!("wss://localhost:{}/echo", server.address.port());
    let options = ["-n", "100", "-c", "4", "-q", "--pipeline", "4"];
    for trust in [&["--cacert", file.to_str().unwrap()][..], &["-k"]] {
        let table = table(0, &[&options[..], trust, &[&url]].concat());
        assert_eq!(figure(&table, "messages"), 100, "{table}");
        assert_eq!(row(&table, "errors"), "none", "{table}");
    }
    assert_eq!(server.received.take(), (200, 0, 4000));
    let output = thor(&["-n", "10", "-c", "1", "-q", &url]);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("no authority that is trusted"),
        "{complaint}"
    );
}

#[test]
fn what_goes_wrong_has_its_class() {
    let server = Serving::start(None);
    let rows: [(&[&str], &str, &str); 5] = [
        (
            &["-n", "4", "-c", "2"],
            "/none",
            "answered 404 Not Found instead of 101",
        ),
        (
            &["-n", "4", "-c", "2"],
            "/closes",
            "closed the WebSocket with code 4001: enough",
        ),
        (
            &["-n", "2", "-c", "2", "--timeout", "1s"],
            "/silent",
            "timed out",
        ),
        (
            &["-n", "4", "-c", "2", "-H", "Origin: http://evil.example"],
            "/echo",
            "403 Forbidden",
        ),
        (
            &[
                "-n",
                "4",
                "-c",
                "2",
                "--subprotocol",
                "chat.v9",
                "--deflate",
            ],
            "/none",
            "404",
        ),
    ];
    for (options, path, why) in rows {
        let output = thor(&[options, &["-q", &server.url(path)]].concat());
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{options:?}: {complaint}");
        assert!(
            complaint.starts_with("error: nothing was answered: "),
            "{complaint}"
        );
        assert!(complaint.contains(why), "{why}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
    let options = ["-n", "10", "-c", "1", "-q", "--subprotocol", "chat.v2"];
    let table = table(0, &[&options[..], &[&server.url("/chat")]].concat());
    assert_eq!(row(&table, "content"), "7 bytes each", "{table}");
}

/// A server of one WebSocket that sends a ping with its handshake, and answers only once that is
/// answered.
fn asking() -> (SocketAddr, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        tell.send(converse(&mut stream))
    });
    (address, told)
}

fn converse(stream: &mut TcpStream) -> Vec<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = text(&head);
    let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap();
    let accept = accept_key(key.lines().next().unwrap());
    let mut bytes = BytesMut::from(&*format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ));
    let mut encoder = Encoder::new(Role::Server, None);
    encoder.ping(&Bytes::from_static(b"there?"), &mut bytes);
    stream.write_all(&bytes).unwrap();
    let mut decoder = Decoder::new(Role::Server, Limits::default(), None);
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    let mut is_answered = false;
    loop {
        while let Some(event) = decoder.next().unwrap() {
            match event {
                Event::Pong(payload) => {
                    is_answered = true;
                    seen.push(format!("pong {}", text(&payload)));
                }
                Event::Data { .. } => seen.push("message".to_owned()),
                Event::Close(close) => {
                    seen.push(format!("close {}", close.code.0));
                    return seen;
                }
                Event::Ping(_) => {}
            }
            if is_answered && seen.iter().any(|event| event == "message") {
                let mut bytes = BytesMut::new();
                encoder.message(&Message::text("answer"), &mut bytes);
                stream.write_all(&bytes).unwrap();
                is_answered = false;
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "{seen:?}");
        decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
    }
}

#[test]
fn pings_are_answered_and_the_end_is_a_close_frame() {
    let (address, told) = asking();
    let url = format!("ws://{address}/");
    let table = table(0, &["-n", "1", "-c", "1", "-q", &url]);
    assert_eq!(figure(&table, "messages"), 1, "{table}");
    assert_eq!(row(&table, "errors"), "none", "{table}");
    let mut seen = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(seen.pop().unwrap(), "close 1000");
    seen.sort();
    assert_eq!(seen, ["message", "pong there?"]);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let rows: &[(&[&str], &str)] = &[
        (&["ws://127.0.0.1:1/"], "a WebSocket is for load"),
        (
            &["-n", "1", "ws://127.0.0.1:1/", "http://127.0.0.1:1/"],
            "of both",
        ),
        (
            &["-n", "1", "--method", "PUT", "ws://127.0.0.1:1/"],
            "--method is for HTTP",
        ),
        (
            &["-n", "1", "--no-keep-alive", "ws://127.0.0.1:1/"],
            "--no-keep-alive is for HTTP",
        ),
        (
            &["-n", "1", "--strict", "ws://127.0.0.1:1/"],
            "--strict is for HTTP",
        ),
        (
            &["-n", "1", "--message-size", "9", "127.0.0.1:1"],
            "--message-size is for WebSockets",
        ),
        (
            &["-n", "1", "--binary", "127.0.0.1:1"],
            "--binary is for WebSockets",
        ),
        (
            &["-n", "1", "--deflate", "127.0.0.1:1"],
            "--deflate is for WebSockets",
        ),
        (
            &["-n", "1", "--subprotocol", "a", "127.0.0.1:1"],
            "--subprotocol is for WebSockets",
        ),
        (
            &["-n", "1", "--message-size", "1GiB", "ws://127.0.0.1:1/"],
            "a size is",
        ),
        (
            &[
                "-n",
                "1",
                "--message-size",
                "9",
                "--body",
                "x",
                "ws://127.0.0.1:1/",
            ],
            "cannot be used with",
        ),
        (&["--binary", "ws://127.0.0.1:1/"], "--connections"),
        (
            &[
                "-n",
                "1",
                "-H",
                "Sec-WebSocket-Protocol: a",
                "ws://127.0.0.1:1/",
            ],
            "--subprotocol asks",
        ),
        (
            &["-n", "1", "-H", "Upgrade: a", "ws://127.0.0.1:1/"],
            "has its own",
        ),
        (
            &["-n", "1", "ws://127.0.0.1:0/"],
            "the port is not a number",
        ),
    ];
    for (arguments, part) in rows {
        let output = thor(arguments);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.starts_with("error: "), "{complaint}");
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
}
