//! WebSockets of an application, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use kamea::testing::block_on;
use kamea::{Graph, Scheduler};
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::server::{Listening, Site, WebServer};
use kamea_components::websocket::{
    CloseCode, Decoder, Encoder, Event, Limits, Message, Origins, Role, WebSocketOptions,
};
use kamea_session::{
    MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
};

use crate::{App, Call, Form, Problem, Reply, WebSocketUpgrade};

async fn log_in(call: Call<(), Form<String>, Session>) -> Result<(), Problem> {
    Ok(call.with.log_in(&call.body.0).await?)
}

/// A room for users who have logged in. It counts the messages of a session.
async fn enter(call: Call<String, (), (Session, WebSocketUpgrade)>) -> Result<Reply, Problem> {
    let ((session, upgrade), room) = (call.with, call.params);
    let Some(user) = session.user() else {
        let why = "log in first";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, why));
    };
    Ok(upgrade.serve(async move |ws: &mut WebSocket<'_>| {
        ws.send(format!("{user} is in {room}")).await?;
        loop {
            let message = ws.receive().await?;
            if message.as_text() == Some("leave") {
                ws.close(CloseCode(4000), "bye");
                return Ok(());
            }
            let add = |count: Option<u64>| count.unwrap_or(0) + 1;
            let count = session.update("count", add).await?;
            ws.send(count.to_string()).await?;
        }
    }))
}

async fn open_to_all(call: Call<(), (), WebSocketUpgrade>) -> Reply {
    let mut options = WebSocketOptions::default();
    options.handshake.origins = Origins::Any;
    options.handshake.protocols = vec!["v2".to_owned()];
    let upgrade = call.with.options(options);
    upgrade.serve(async |ws: &mut WebSocket<'_>| {
        let protocol = ws.subprotocol().unwrap_or("none").to_owned();
        Ok(ws.send(protocol).await?)
    })
}

/// Sessions in memory, on this scheduler.
fn sessions(scheduler: &Scheduler) -> Sessions {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    scheduler.run(graph).unwrap();
    sessions
}

fn app(sessions: Sessions) -> App {
    App::new()
        .post("/login", log_in)
        .get("/rooms/{room}", enter)
        .get("/open", open_to_all)
        .around("sessions", load_sessions(sessions), save_sessions())
}

fn run(scheduler: &Scheduler, server: WebServer) -> (Listening, SocketAddr) {
    let listening = server.run(scheduler, &["127.0.0.1:0".parse().unwrap()]);
    let listening = listening.unwrap();
    let address = listening.addresses()[0];
    (listening, address)
}

/// Logs ada in. Returns the field with her cookie.
fn cookie(address: SocketAddr) -> String {
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nContent-Length: 8\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n"
    );
    let (_, answer) = Client::ask(address, &head, "name=ada");
    let cookie = answer.split("Set-Cookie: ").nth(1).unwrap();
    format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
}

struct Client {
    stream: TcpStream,
    decoder: Decoder,
}

impl Client {
    /// Sends the head of a request, and a body. Returns the head of the response too.
    fn ask(address: SocketAddr, head: &str, body: &str) -> (Self, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        write!(stream, "{head}\r\n{body}").unwrap();
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let decoder = Decoder::new(Role::Client, Limits::default(), None);
        let client = Self { stream, decoder };
        (client, String::from_utf8(answer).unwrap())
    }

    /// Asks for a WebSocket.
    fn open(address: SocketAddr, path: &str, fields: &str) -> (Self, String) {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{fields}"
        );
        Self::ask(address, &head, "")
    }

    fn send(&mut self, text: &'static str) {
        let mut bytes = BytesMut::new();
        Encoder::new(Role::Client, None).message(&Message::text(text), &mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    fn next(&mut self) -> Event {
        let mut buffer = [0; 1000];
        loop {
            if let Some(event) = self.decoder.next().unwrap() {
                return event;
            }
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection has ended without a close frame");
            self.decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
        }
    }

    fn expect(&mut self, text: &str) {
        match self.next() {
            Event::Data { bytes, .. } => assert_eq!(bytes, text),
            other => panic!("{other:?}"),
        }
    }

    fn expect_close(&mut self, code: u16) {
        match self.next() {
            Event::Close(close) => assert_eq!(close.code, CloseCode(code)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_websocket_has_the_parameters_and_the_session_of_its_request() {
    let scheduler = Scheduler::with_workers(1);
    let server = app(sessions(&scheduler)).server().unwrap();
    let (_listening, address) = run(&scheduler, server);
    let cookie = cookie(address);
    for count in ["1", "2"] {
        let (mut client, answer) = Client::open(address, "/rooms/blue%20one", &cookie);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        client.expect("ada is in blue one");
        client.send("hello");
        client.expect(count);
        client.send("leave");
        client.expect_close(4000);
    }
    let evil = format!("{cookie}Origin: https://evil.example\r\n");
    for (fields, status) in [("", "401 "), (&*evil, "403 ")] {
        let (_, answer) = Client::open(address, "/rooms/blue", fields);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let fields = "Origin: https://evil.example\r\nSec-WebSocket-Protocol: v1, v2\r\n";
    let (mut client, answer) = Client::open(address, "/open", fields);
    assert!(
        answer.contains("Sec-WebSocket-Protocol: v2\r\n"),
        "{answer}"
    );
    client.expect("v2");
    client.expect_close(1000);
}

/// A plain function of a server has the session too.
#[test]
fn a_sock_has_the_session_of_its_request() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = sessions(&scheduler);
    let (_app, at_app) = run(&scheduler, app(sessions.clone()).server().unwrap());
    let sock = Sock::new().route("/who", async |ws: &mut WebSocket<'_>| {
        let session = Session::of(ws.request()).await?;
        let user = session.user().unwrap_or_else(|| "nobody".to_owned());
        Ok(ws.send(user).await?)
    });
    let server = WebServer::new(Site::without_files()).sock(sock);
    let server = server.around("sessions", load_sessions(sessions), save_sessions());
    let (_server, address) = run(&scheduler, server);
    for (fields, user) in [(&*cookie(at_app), "ada"), ("", "nobody")] {
        let (mut client, answer) = Client::open(address, "/who", fields);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        client.expect(user);
        client.expect_close(1000);
    }
}

#[test]
fn a_request_that_is_no_handshake_gets_a_problem() {
    let scheduler = Scheduler::with_workers(1);
    let app = app(sessions(&scheduler));
    block_on(async {
        let answer = app.test().get("/open").send().await;
        assert_eq!(answer.status(), 426);
        assert_eq!(answer.field("upgrade"), Some("websocket"));
        assert!(answer.text().contains("WebSocket"), "{}", answer.text());
        // A body is refused before the handler.
        let answer = app.test().get("/open").body("text/plain", "x").send().await;
        assert_eq!(answer.status(), 400);
    });
}
