//! WebSockets of a whole server, over raw sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use kamea::{Done, End, Handle, Scheduler, link, pipeline};

use super::*;
use crate::gateway::{ConnectionClosed, WebSocket, answer_websocket};
use crate::server::{Explanations, Listening, LogEntry, Site, Tls};
use crate::stream::echo;
use crate::tls::{ClientTls, ServerTls, TlsOptions, self_signed};
use crate::web::{Failure, FilterPorts, Request, Response};
use crate::websocket::{
    Assembler, Close, CloseCode, Decoder, Delivery, Encoder, Event, Limits, Origins, Role,
    websocket_client,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn request(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

fn run(server: WebServer) -> (Scheduler, Listening, SocketAddr) {
    let scheduler = Scheduler::with_workers(1);
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
    let listening = listening.unwrap();
    let address = listening.addresses()[0];
    (scheduler, listening, address)
}

/// A client that speaks HTTP, and then WebSocket.
struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    decoder: Decoder,
    assembler: Assembler,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let limits = Limits {
            message: 64 << 20,
            frame: 64 << 20,
            ..Limits::default()
        };
        Self {
            stream,
            unread: Vec::new(),
            decoder: Decoder::new(Role::Client, limits, None),
            assembler: Assembler::default(),
        }
    }

    fn open(address: SocketAddr, path: &str) -> Self {
        let mut client = Self::connect(address);
        let head = client.ask(&request(path, ""));
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn read(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).unwrap();
        self.unread.extend_from_slice(&buffer[..count]);
        count
    }

    /// Sends a request, and returns the head of the response. What follows stays unread.
    fn ask(&mut self, request: &str) -> String {
        self.write(request.as_bytes());
        self.head()
    }

    fn head(&mut self) -> String {
        loop {
            let end = self.unread.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.read() > 0, "the connection has ended");
        }
    }

    /// The body of a response with a length.
    fn body(&mut self, head: &str) -> String {
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        while self.unread.len() < length {
            assert!(self.read() > 0, "the connection has ended");
        }
        String::from_utf8(self.unread.drain(..length).collect()).unwrap()
    }

    fn send(&mut self, message: impl Into<Message>) {
        let mut bytes = BytesMut::new();
        let rest = Encoder::new(Role::Client, None).message(&message.into(), &mut bytes);
        self.write(&bytes);
        self.write(&rest.unwrap_or_default());
    }

    fn close(&mut self, close: &Close) {
        let mut bytes = BytesMut::new();
        Encoder::new(Role::Client, None).close(close, &mut bytes);
        self.write(&bytes);
    }

    /// The next message, or how the server closes.
    fn next(&mut self) -> Result<Message, Close> {
        loop {
            self.decoder
                .feed(Bytes::from(std::mem::take(&mut self.unread)));
            while let Some(event) = self.decoder.next().unwrap() {
                match event {
                    Event::Data {
                        kind,
                        bytes,
                        is_last,
                    } => {
                        if let Some(message) = self.assembler.add(kind, bytes, is_last).unwrap() {
                            return Ok(message);
                        }
                    }
                    Event::Close(close) => return Err(close),
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            assert!(
                self.read() > 0,
                "the connection has ended without a close frame"
            );
        }
    }

    /// Waits for the end of the connection.
    fn expect_end(&mut self) {
        while self.read() > 0 {}
    }
}

fn text(text: &str) -> Result<Message, Close> {
    Ok(Message::text(text.to_owned()))
}

#[test]
fn a_connection_continues_as_a_websocket() {
    let (_scheduler, _listening, address) =
        run(WebServer::new(Site::new(".")).websocket("/echo", || echo));
    let mut client = Client::connect(address);
    // Requests before it, on the same connection.
    let head = client.ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    client.body(&head);
    let head = client.ask(&request("/echo", ""));
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nConnection: Upgrade\r\n"), "{head}");
    assert!(
        head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{head}"
    );
    assert!(!head.contains("Content-Length"), "{head}");
    client.send("hello");
    assert_eq!(client.next(), text("hello"));
    let large = Message::binary(vec![7; 1_000_000]);
    client.send(large.clone());
    assert_eq!(client.next(), Ok(large));
    client.close(&Close::new(CloseCode::NORMAL, "bye"));
    assert_eq!(client.next().unwrap_err().code, CloseCode::NORMAL);
    client.expect_end();
}

/// What comes with the handshake, or while it is answered, belongs to the WebSocket.
#[test]
fn bytes_behind_the_handshake_are_not_lost() {
    let (_scheduler, _listening, address) =
        run(WebServer::new(Site::new(".")).websocket("/echo", || echo));
    let mut frames = BytesMut::new();
    let mut encoder = Encoder::new(Role::Client, None);
    for number in 0..2000 {
        let message = Message::text(format!("message {number} {}", "x".repeat(100)));
        assert!(encoder.message(&message, &mut frames).is_none());
    }
    let bytes = [request("/echo", "").as_bytes(), &frames].concat();
    for piece in [bytes.len(), 60_000, 999] {
        let mut client = Client::connect(address);
        let mut writer = client.stream.try_clone().unwrap();
        let bytes = bytes.clone();
        let writing = std::thread::spawn(move || {
            for piece in bytes.chunks(piece) {
                writer.write_all(piece).unwrap();
            }
        });
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        for number in 0..2000 {
            let message = client.next().unwrap();
            let expected = format!("message {number} ");
            assert!(
                message.as_text().unwrap().starts_with(&expected),
                "{message:?}"
            );
        }
        writing.join().unwrap();
    }
}

/// A refusal is an ordinary response, and the connection continues with HTTP.
#[test]
fn a_refused_handshake_gets_a_response_of_the_error_component() {
    let mut options = WebSocketOptions::default();
    options.handshake.origins = Origins::These(vec!["https://friend.example".to_owned()]);
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new("."))
        .websocket("/echo", || echo)
        .websocket_with("/friends", options, |_| echo));
    let handshake = request("/echo", "");
    let origin = |path, origin| request(path, &format!("Origin: {origin}\r\n"));
    let rows = [
        (
            "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "426 ",
            "Upgrade: websocket",
        ),
        (
            handshake.replace(": 13", ": 12"),
            "426 ",
            "Sec-WebSocket-Version: 13",
        ),
        (
            handshake.replace("dGhl", "dGh"),
            "400 ",
            "Content-Type: text/html",
        ),
        (handshake.replace("GET", "DELETE"), "405 ", "Allow: GET"),
        (
            origin("/echo", "http://evil.example"),
            "403 ",
            "Content-Type: text/html",
        ),
        (origin("/friends", "http://a"), "403 ", ""),
        (
            handshake.replace(
                "Sec-WebSocket-Key",
                "Content-Length: 2\r\nSec-WebSocket-Key",
            ) + "hi",
            "400 ",
            "",
        ),
    ];
    for (request, status, field) in rows {
        let mut client = Client::connect(address);
        let head = client.ask(&request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}\n{head}"
        );
        assert!(
            head.contains(field) && !head.contains("Connection: close"),
            "{head}"
        );
        let page = client.body(&head);
        assert!(page.contains("<svg"), "the page of the server: {page}");
        // The connection goes on, even with a handshake.
        let head = client.ask(&handshake);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client.send("hello");
        assert_eq!(client.next(), text("hello"));
    }
    for request in [
        origin("/echo", "http://a"),
        origin("/friends", "https://friend.example"),
    ] {
        let head = Client::connect(address).ask(&request);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }
    // A connection that is to close cannot continue.
    let closing = handshake.replace("keep-alive", "close");
    let head = Client::connect(address).ask(&closing);
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

/// Lets those pass that know the word.
async fn guard(io: &mut FilterPorts) -> Done {
    while let Some(request) = io.requests.next().await {
        if request.head.fields.get("cookie") == Some(b"word=swordfish") {
            io.passed.send(request).await?;
        } else {
            let failure = Failure::new(request.exchange, StatusCode::UNAUTHORIZED, "who is there?");
            io.failures.send(failure).await?;
        }
    }
    Ok(())
}

#[test]
fn the_filters_of_the_server_see_the_handshake() {
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new("."))
        .filter("guard", guard)
        .websocket("/echo", || echo));
    let mut client = Client::connect(address);
    let head = client.ask(&request("/echo", ""));
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let mut client = Client::connect(address);
    let head = client.ask(&request("/echo", "Cookie: word=swordfish\r\n"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send("hello");
    assert_eq!(client.next(), text("hello"));
}

#[test]
fn a_line_of_components_serves_a_websocket() {
    let shout = |message: Message| Message::text(message.as_text().unwrap_or("?").to_uppercase());
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new(".")).websocket(
        "/shout",
        move || pipeline!(kamea::map(shout) => kamea::map(Message::shared) => echo),
    ));
    let mut client = Client::open(address, "/shout");
    client.send("hello");
    assert_eq!(client.next(), text("HELLO"));
}

#[test]
fn a_handshake_has_a_line_in_the_access_log() {
    let (log, mut entries) = link(4);
    let server = WebServer::new(Site::new(".")).websocket("/echo", || echo);
    let (_scheduler, _listening, address) = run(server.records(log));
    let mut client = Client::open(address, "/echo?room=1");
    client.send("hello");
    assert_eq!(client.next(), text("hello"));
    let Some(LogEntry::Record(record)) = entries.next_blocking() else {
        panic!("no record");
    };
    assert_eq!(record.status, Some(StatusCode::SWITCHING_PROTOCOLS));
    assert_eq!(record.head.unwrap().target.to_string(), "/echo?room=1");
}

#[test]
fn explain_says_why_a_handshake_is_refused() {
    let explanations = Explanations::with_secret("a secret of the test");
    let server = WebServer::new(Site::new(".")).websocket("/echo", || echo);
    let (_scheduler, _listening, address) = run(server.explain(explanations));
    let explain = "Kamea-Explain: a secret of the test\r\n";
    let explained = |lines: &str| {
        let mut client = Client::connect(address);
        let head = client.ask(&request("/echo", &format!("{explain}{lines}")));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let explanation = client.body(&head);
        // The connection is none the worse, even after an explained 101.
        let head = client.ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        client.body(&head);
        let head = client.ask(&request("/echo", ""));
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        explanation
    };
    let refused = explained("Origin: http://evil.example\r\n");
    assert!(
        refused.contains("pages of this origin may not connect"),
        "{refused}"
    );
    assert!(
        refused.contains("\"status\":403") || refused.contains("\"status\": 403"),
        "{refused}"
    );
    for (lines, status, why) in [
        (
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            400,
            "16 bytes in base64, once",
        ),
        ("Sec-WebSocket-Version: 8\r\n", 426, "version 13 is"),
        (
            "Origin: http://a\r\nOrigin: http://a\r\n",
            403,
            "may not connect",
        ),
    ] {
        let refused = explained(lines).replace("\": ", "\":");
        assert!(refused.contains(why), "{lines}: {refused}");
        assert!(
            refused.contains(&format!("\"status\":{status}")),
            "{lines}: {refused}"
        );
    }
    let accepted = explained("");
    assert!(accepted.contains("101"), "{accepted}");
}

#[test]
fn a_websocket_counts_as_a_connection_until_it_ends() {
    let mut site = Site::new(".");
    site.connections = 1;
    let (_scheduler, _listening, address) = run(WebServer::new(site).websocket("/echo", || echo));
    let mut first = Client::open(address, "/echo");
    let head = Client::connect(address).ask(&request("/echo", ""));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    first.close(&Close::new(CloseCode::NORMAL, ""));
    first.expect_end();
    drop(first);
    loop {
        let head = Client::connect(address).ask(&request("/echo", ""));
        if head.starts_with("HTTP/1.1 101 ") {
            break;
        }
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
}

#[test]
fn a_graceful_stop_closes_websockets_with_1001() {
    let (scheduler, listening, address) =
        run(WebServer::new(Site::new(".")).websocket("/echo", || echo));
    let mut clients: Vec<_> = (0..3).map(|_| Client::open(address, "/echo")).collect();
    for client in &mut clients {
        client.send("hello");
        assert_eq!(client.next(), text("hello"));
    }
    let closing = std::thread::spawn(move || {
        for mut client in clients {
            let close = client.next().unwrap_err();
            assert_eq!(close.code, CloseCode::GOING_AWAY);
            client.close(&close);
            client.expect_end();
        }
    });
    drop(listening);
    scheduler.stop(PATIENCE).unwrap();
    closing.join().unwrap();
}

#[test]
fn a_part_that_fails_closes_with_1011() {
    let part = || {
        async |io: &mut Pipe<Message, Message>| {
            let message = io.inbox.next().await;
            io.outbox.send(Message::text("one moment")).await?;
            Err(End::fault(format!("on purpose: {message:?}")))
        }
    };
    let in_line = move || pipeline!(echo => part() => echo);
    let server = WebServer::new(Site::new("."))
        .websocket("/fails", part)
        .websocket("/line", in_line);
    let (_scheduler, _listening, address) = run(server);
    for path in ["/fails", "/line"] {
        let mut client = Client::open(address, path);
        client.send("hello");
        assert_eq!(client.next(), text("one moment"));
        assert_eq!(client.next().unwrap_err().code, CloseCode::INTERNAL_ERROR);
        client.close(&Close::new(CloseCode::INTERNAL_ERROR, ""));
        client.expect_end();
    }
}

#[test]
fn a_plain_function_receives_and_sends() {
    let sock = Sock::new()
        .subprotocols(["chat.v2", "chat.v1"])
        .max_message_size(1000)
        .route("/echo", async |ws: &mut WebSocket<'_>| {
            loop {
                let data = ws.receive().await?;
                ws.send(data).await?;
            }
        })
        .route("/who", async |ws| {
            let cookie = ws.request().head.fields.get("cookie").unwrap_or_default();
            let cookie = String::from_utf8_lossy(cookie).into_owned();
            let protocol = ws.subprotocol().unwrap_or("none").to_owned();
            ws.send(format!("{cookie} {protocol}")).await?;
            assert!(ws.connected());
            ws.close(CloseCode(4001), "enough");
            assert!(!ws.connected());
            let refused = ws.send("too late").await.unwrap_err();
            assert_eq!(
                refused.to_string(),
                "the connection has closed: 4001 enough"
            );
            Ok(())
        })
        .route("/patient", async |ws| {
            let nothing = ws.receive_within(Duration::from_millis(20)).await?;
            assert_eq!(nothing, None);
            ws.send("nothing came").await?;
            let message = ws.receive_within(PATIENCE).await?;
            ws.send(message.unwrap()).await?;
            Ok(())
        });
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new(".")).sock(sock));
    let mut client = Client::open(address, "/echo");
    client.send("hello");
    client.send(vec![1, 2, 3]);
    assert_eq!(client.next(), text("hello"));
    assert_eq!(client.next(), Ok(Message::binary(vec![1, 2, 3])));
    client.send("x".repeat(1001));
    assert_eq!(client.next().unwrap_err().code, CloseCode::TOO_BIG);

    let mut client = Client::connect(address);
    let lines = "Cookie: name=ada\r\nSec-WebSocket-Protocol: chat.v1, chat.v0\r\n";
    let head = client.ask(&request("/who", lines));
    assert!(
        head.contains("\r\nSec-WebSocket-Protocol: chat.v1\r\n"),
        "{head}"
    );
    assert_eq!(client.next(), text("name=ada chat.v1"));
    assert_eq!(client.next(), Err(Close::new(CloseCode(4001), "enough")));

    let mut client = Client::open(address, "/patient");
    assert_eq!(client.next(), text("nothing came"));
    client.send("here I am");
    assert_eq!(client.next(), text("here I am"));
    assert_eq!(client.next().unwrap_err().code, CloseCode::NORMAL);
}

/// A handler may look at its request, and answer with a WebSocket or with anything else.
#[test]
fn a_handler_answers_with_a_websocket() {
    async fn greet(request: Request) -> Result<Response<()>, Failure> {
        let Some(name) = request.head.target.query().map(str::to_owned) else {
            return Err(request.refuse(StatusCode::BAD_REQUEST, "a name is missing"));
        };
        let options = WebSocketOptions::default();
        let greet = async move |ws: &mut WebSocket<'_>| {
            let host = ws.request().head.fields.get("host").unwrap_or_default();
            let host = String::from_utf8_lossy(host).into_owned();
            Ok(ws.send(format!("hello {name} at {host}")).await?)
        };
        answer_websocket(request, "greetings", &options, greet)
    }
    let server = WebServer::new(Site::new("."));
    let server = server.handle("greet", Route::path("/greet"), greet);
    let (_scheduler, _listening, address) = run(server);
    let mut client = Client::open(address, "/greet?ada");
    assert_eq!(client.next(), text("hello ada at a"));
    assert_eq!(client.next().unwrap_err().code, CloseCode::NORMAL);
    for (target, lines, status) in [
        ("/greet", "", "400 "),
        ("/greet?eve", "Origin: http://evil.example\r\n", "403 "),
    ] {
        let head = Client::connect(address).ask(&request(target, lines));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
    let plain = "GET /greet?ada HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = Client::connect(address).ask(plain);
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
}

#[test]
fn the_receive_buffer_bounds_what_is_read_at_once() {
    let options = WebSocketOptions {
        delivery: Delivery::Pieces,
        ..WebSocketOptions::default()
    };
    let sock = Sock::new().options(options).receive_bytes(100);
    let sock = sock.route("/sizes", async |ws: &mut WebSocket<'_>| {
        loop {
            let piece = ws.receive().await?;
            ws.send(piece.payload().len().to_string()).await?;
        }
    });
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new(".")).sock(sock));
    let mut client = Client::open(address, "/sizes");
    // What comes at once may have been read with the handshake.
    client.send(vec![7]);
    assert_eq!(client.next(), text("1"));
    client.send(vec![7; 5000]);
    let mut left = 5000;
    while left > 0 {
        let size = client.next().unwrap();
        let size: usize = size.as_text().unwrap().parse().unwrap();
        assert!((1..=100).contains(&size), "{size}");
        left -= size;
    }
}

/// The function learns how the connection has closed.
#[test]
fn a_plain_function_learns_why_the_connection_has_closed() {
    let (told, mut closed) = link::<ConnectionClosed>(4);
    let told = Mutex::new(told);
    let sock = Sock::new().route("/wait", async move |ws: &mut WebSocket<'_>| {
        loop {
            if let Err(closed) = ws.receive().await {
                assert_eq!(ws.send("gone").await, Err(closed.clone()));
                let told = told.lock().unwrap().clone();
                told.send(closed).await?;
                return Ok(());
            }
        }
    });
    let (_scheduler, _listening, address) = run(WebServer::new(Site::new(".")).sock(sock));
    type End = (fn(&mut Client), u16, &'static str);
    let ends: [End; 4] = [
        (
            |client| client.close(&Close::new(CloseCode(3333), "bye")),
            3333,
            "bye",
        ),
        (
            |client| client.close(&Close::new(CloseCode::NO_STATUS, "")),
            1005,
            "",
        ),
        (
            |client| client.write(b"\x83\x80\0\0\0\0"),
            1002,
            "opcode 3 is reserved",
        ),
        (
            |client| client.stream.shutdown(std::net::Shutdown::Both).unwrap(),
            1006,
            "the connection has ended",
        ),
    ];
    for (end, code, message) in ends {
        let mut client = Client::open(address, "/wait");
        end(&mut client);
        let expected = ConnectionClosed {
            reason: CloseCode(code),
            message: message.to_owned(),
        };
        assert_eq!(closed.next_blocking(), Some(expected));
    }
}

#[test]
fn the_census_counts_websockets_by_their_path() {
    let (scheduler, _listening, address) =
        run(WebServer::new(Site::new(".")).websocket("/echo", || echo));
    let mut clients = [(); 2].map(|()| Client::open(address, "/echo"));
    for client in &mut clients {
        client.send("hello");
        assert_eq!(client.next(), text("hello"));
    }
    let metrics = scheduler.census().to_prometheus();
    let to_part =
        "graph=\"websocket /echo\",from=\"protocol/receive.messages\",to=\"protocol/part.inbox\"";
    for line in [
        "kamea_graphs{graph=\"websocket /echo\"} 2\n".to_owned(),
        format!("kamea_link_messages_total{{{to_part}}} 2\n"),
        format!("kamea_link_bytes_total{{{to_part}}} 10\n"),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[test]
fn a_websocket_of_a_server_over_tls() {
    let own = self_signed(&["localhost"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![own.clone()]));
    let server = WebServer::new(Site::new(".")).tls(Tls::new(tls.unwrap()));
    let (scheduler, _listening, address) = run(server.websocket("/echo", || echo));
    let options = WebSocketOptions {
        tls: Some(ClientTls::trusting(&own).unwrap()),
        ..WebSocketOptions::default()
    };
    let url = |path| format!("wss://localhost:{}{path}", address.port());
    let client = websocket_client(&url("/echo"), options.clone()).unwrap();
    let mut client = Handle::run(&scheduler, client).unwrap();
    for message in [Message::text("hello"), Message::binary(vec![1; 100_000])] {
        client.send_blocking(message.clone()).unwrap();
        assert_eq!(client.next_blocking(), Some(message));
    }
    client.close();
    assert_eq!(client.next_blocking(), None);
    client.wait().unwrap();
    // A refusal is an ordinary response.
    let client = websocket_client(&url("/none"), options).unwrap();
    let fault = Handle::run(&scheduler, client).unwrap().wait().unwrap_err();
    assert!(fault.to_string().contains("404 Not Found"), "{fault}");
}
