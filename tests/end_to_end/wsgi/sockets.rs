//! WebSockets of Python applications: flask-sock from PyPI, which runs as it is.

use std::fs;

use kamea_components::websocket::{CloseCode, Message};

use super::super::server::Server;
use super::super::websocket::Client;
use super::flask::environment_with;

const APPLICATION: &str = r#"
import os, signal
from flask import Blueprint, Flask, request
from flask_sock import Sock

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25, "max_message_size": 100_000}
sock = Sock(app)
pages = Blueprint("pages", __name__, url_prefix="/pages")

@app.get("/hello")
def hello():
    return "hello"

@sock.route("/echo")
def echo(ws):
    while True:
        data = ws.receive()
        ws.send(data)

@sock.route("/patient")
def patient(ws):
    ws.send(str(ws.receive(timeout=0.05)))
    ws.close(reason=4001, message="enough")

@sock.route("/who/<name>", bp=pages)
def who(ws, name):
    ws.send(f"{name} {request.cookies.get('word')} {request.args['room']}")

@sock.route("/fails")
def fails(ws):
    1 / ws.receive()

@sock.route("/dies")
def dies(ws):
    ws.receive()
    os.kill(os.getpid(), signal.SIGKILL)

app.register_blueprint(pages)
"#;

fn serving(options: &[&str]) -> Server {
    let environment = environment_with("flask_sock", &["flask==3.1.*", "flask-sock==0.7.*"]);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("socks.py"), APPLICATION).unwrap();
    let path = root.path().to_str().unwrap().to_owned();
    let venv = environment.to_str().unwrap();
    let all = ["--wsgi", "socks:app", "--wsgi-path", &path, "--venv", venv];
    let all = [&all[..], &["--wsgi-workers", "1"], options].concat();
    Server::start_in(root, &all)
}

fn text(text: &str) -> Message {
    Message::text(text.to_owned())
}

#[test]
fn a_flask_sock_application_runs_as_it_is() {
    let server = serving(&["--wsgi-threads", "4"]);
    let address = server.address.to_string();
    let mut client = Client::open(&address, "/echo");
    // Another request, and another WebSocket, meanwhile.
    assert_eq!(server.get("/hello").text(), "hello");
    let mut other = Client::open(&address, "/echo");
    for message in [
        text("hello"),
        Message::binary(vec![0, 1, 2]),
        text(&"long ".repeat(10_000)),
    ] {
        for client in [&mut client, &mut other] {
            client.send(message.clone());
            assert_eq!(client.next(), Ok(message.clone()));
        }
    }
    client.close(CloseCode(3000));
    assert_eq!(client.next().unwrap_err().code, CloseCode(3000));
    client.expect_end();
    other.send(vec![0; 200_000]);
    assert_eq!(other.next().unwrap_err().code, CloseCode::TOO_BIG);

    let mut client = Client::open(&address, "/patient");
    assert_eq!(client.next(), Ok(text("None")));
    let close = client.next().unwrap_err();
    assert_eq!((close.code, &*close.reason), (CloseCode(4001), "enough"));
    client.expect_end();

    let fields = "Cookie: word=swordfish\r\n";
    let mut client = Client::open_with(&address, "/pages/who/ada?room=2", fields);
    assert_eq!(client.next(), Ok(text("ada swordfish 2")));
    assert_eq!(client.next().unwrap_err().code, CloseCode::NORMAL);

    let mut client = Client::open(&address, "/fails");
    client.send("none");
    client.expect_end();
    assert_eq!(server.get("/hello").text(), "hello");
}

#[test]
fn a_request_that_no_socket_serves_gets_an_ordinary_response() {
    let server = serving(&["--wsgi-threads", "2"]);
    // Flask: the route is for WebSockets only.
    assert_eq!(server.get("/echo").status, 400);
    let request =
        "GET /none HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(server.ask(request).status, 404);
    assert_eq!(server.get("/hello").text(), "hello");
}

#[test]
fn a_client_that_vanishes_frees_its_thread() {
    let server = serving(&["--wsgi-threads", "1"]);
    let address = server.address.to_string();
    for _ in 0..3 {
        let mut client = Client::open(&address, "/echo");
        client.send("hello");
        assert_eq!(client.next(), Ok(text("hello")));
        drop(client);
        assert_eq!(server.get("/hello").text(), "hello");
    }
}

#[test]
fn the_end_of_a_process_ends_its_sockets() {
    let server = serving(&["--wsgi-threads", "2"]);
    let address = server.address.to_string();
    let mut other = Client::open(&address, "/echo");
    let mut client = Client::open(&address, "/dies");
    client.send("now");
    client.expect_end();
    other.expect_end();
    assert_eq!(server.get("/hello").text(), "hello");
}

#[test]
fn a_reload_ends_the_sockets_of_the_old_process() {
    let server = serving(&["--wsgi-threads", "2", "--reload"]);
    let address = server.address.to_string();
    let mut client = Client::open(&address, "/echo");
    client.send("hello");
    assert_eq!(client.next(), Ok(text("hello")));
    let changed = APPLICATION.replace("return \"hello\"", "return \"changed\"");
    fs::write(server.path().join("socks.py"), changed).unwrap();
    client.expect_end();
    while server.get("/hello").text() != "changed" {}
    let mut client = Client::open(&address, "/echo");
    client.send("again");
    assert_eq!(client.next(), Ok(text("again")));
}
