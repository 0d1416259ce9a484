use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kamea::{Handle, Restart, Scheduler};

use super::*;
use crate::net::tcp_server;
use crate::stream::echo;
use crate::websocket::{Close, CloseCode, DeflateOptions, connect_websocket, websocket_client};

/// A server that echoes messages, and its address.
fn echoing(options: WebSocketOptions) -> (Scheduler, String) {
    let mut graph = Graph::new("echoing");
    let protocol = move || websocket(options.clone(), echo);
    let server = graph.add("server", tcp_server("127.0.0.1:0", protocol));
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let address = addresses.next_blocking().unwrap().to_string();
    (scheduler, address)
}

fn without_deflate() -> WebSocketOptions {
    let mut options = WebSocketOptions::default();
    options.handshake.deflate = None;
    options
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// All that a server answers to these bytes until it closes.
fn answer(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_client_gets_back_what_it_sends() {
    for options in [WebSocketOptions::default(), without_deflate()] {
        let (scheduler, address) = echoing(options.clone());
        let client = websocket_client(&format!("ws://{address}/"), options).unwrap();
        let mut client = Handle::run(&scheduler, client).unwrap();
        let messages = [
            Message::text("hello"),
            Message::text("long ".repeat(10_000)),
            Message::binary(vec![7; 100_000]),
            Message::text(""),
        ];
        for message in &messages {
            client.send_blocking(message.clone()).unwrap();
            assert_eq!(client.next_blocking().as_ref(), Some(message));
        }
        client.close();
        assert_eq!(client.next_blocking(), None);
        client.wait().unwrap();
    }
}

#[test]
fn what_comes_behind_the_handshake_at_once_is_not_lost() {
    let (_scheduler, address) = echoing(without_deflate());
    let frames = b"\x81\x82\0\0\0\0hi\x89\x81\0\0\0\0p\x88\x82\0\0\0\0\x03\xe8";
    let answer = answer(&address, &[REQUEST.as_bytes(), frames].concat());
    let head = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap()
        + 4;
    let text = String::from_utf8_lossy(&answer[..head]);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    let frames = answer[head..].to_vec();
    let mut decoder = crate::websocket::Decoder::new(Role::Client, Limits::default(), None);
    decoder.feed(frames.into());
    let mut events = Vec::new();
    while let Some(event) = decoder.next().unwrap() {
        events.push(event);
    }
    use crate::websocket::Event::{Data, Pong};
    assert!(events.contains(&Pong("p".into())), "{events:?}");
    assert_eq!(
        events.last(),
        Some(&crate::websocket::Event::Close(Close::new(
            CloseCode::NORMAL,
            ""
        )))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Data { bytes, .. } if bytes == "hi"))
    );
}

#[test]
fn handshakes_that_are_refused() {
    let (_scheduler, address) = echoing(WebSocketOptions::default());
    let without = |name: &str| {
        let lines = REQUEST.split_inclusive("\r\n");
        let is_kept = |line: &&str| !line.to_ascii_lowercase().starts_with(name);
        lines.filter(is_kept).collect::<String>()
    };
    let with = |field: &str| REQUEST.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
    let rows = [
        (without("upgrade"), "426 ", "Upgrade: websocket"),
        (without("connection"), "426 ", "Upgrade: websocket"),
        (
            without("sec-websocket-version"),
            "426 ",
            "Sec-WebSocket-Version: 13",
        ),
        (
            REQUEST.replace(": 13", ": 8"),
            "426 ",
            "Sec-WebSocket-Version: 13",
        ),
        (without("sec-websocket-key"), "400 ", "Sec-WebSocket-Key"),
        (
            REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
            "400 ",
            "16 bytes",
        ),
        (
            with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            "400 ",
            "once",
        ),
        (REQUEST.replace("GET", "POST"), "405 ", "Allow: GET"),
        (
            REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
            "426 ",
            "Upgrade: websocket",
        ),
        (with("Origin: http://evil.example"), "403 ", "origin"),
        (with("Origin: null"), "403 ", "origin"),
        (with("Origin: http://a.evil.example"), "403 ", "origin"),
        ("nonsense\r\n\r\n".to_owned(), "400 ", "malformed"),
    ];
    for (request, status, says) in rows {
        let answer = String::from_utf8(answer(&address, request.as_bytes())).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}\n{answer}"
        );
        assert!(answer.contains(says), "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
    }
    // A page of the same host may connect.
    let mut client = TcpStream::connect(&address).unwrap();
    client
        .write_all(with("Origin: https://a").as_bytes())
        .unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
}

#[test]
fn a_client_says_why_it_has_no_websocket() {
    let (scheduler, address) = echoing(WebSocketOptions::default());
    let mut options = WebSocketOptions::default();
    options.handshake.deflate = Some(DeflateOptions::default());
    let rows = [
        (
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "302 Found",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK"),
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "our key",
        ),
        ("SSH-2.0\r\n\r\n", "invalid"),
        ("", "has not answered"),
    ];
    for (response, why) in rows {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let client = websocket_client(&url, options.clone()).unwrap();
        let client = Handle::run(&scheduler, client).unwrap();
        let (mut connection, _) = listener.accept().unwrap();
        connection.write_all(response.as_bytes()).unwrap();
        let mut request = [0; 16];
        connection.read_exact(&mut request).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let fault = client.wait().unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
    assert!(websocket_client("http://a/", options.clone()).is_err());
    assert!(websocket_client(&format!("ws://{address}/"), options).is_ok());
}

#[test]
fn a_client_that_is_restarted_connects_again() {
    let mut graph = Graph::new("greeting");
    let greet = || {
        async |io: &mut Pipe<Message, Message>| {
            io.outbox.send(Message::text("hello")).await?;
            io.inbox.next().await;
            Ok(())
        }
    };
    let protocol = move || websocket(without_deflate(), greet());
    let server = graph.add("server", tcp_server("127.0.0.1:0", protocol));
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let url = format!("ws://{}/", addresses.next_blocking().unwrap());

    let mut graph = Graph::new("client");
    let often = Restart::new(10, Duration::from_secs(60));
    let often = often.pause(Duration::from_millis(1), Duration::from_millis(100));
    graph.supervise(move |_| Policy::Restart(often));
    let client = connect_websocket(&url, without_deflate()).unwrap();
    let client = graph.add("client", client);
    let (to, mut from) = (graph.feed(client.inbox), graph.take(client.outbox));
    let running = scheduler.run(graph).unwrap();
    for _ in 0..3 {
        assert_eq!(from.next_blocking(), Some(Message::text("hello")));
        to.send_blocking(Message::text("bye")).unwrap();
    }
    assert_eq!(from.next_blocking(), Some(Message::text("hello")));
    // The end of its input is its end.
    drop(to);
    assert_eq!(from.next_blocking(), None);
    running.wait().unwrap();
}

#[test]
fn a_peer_that_does_not_answer_a_close_frame_does_not_hold_the_connection() {
    for sends in [false, true] {
        let run = kamea::Simulation::seeds(0..50);
        run.check(move |simulation| {
            let mut graph = Graph::new("closing");
            // The part ends at once, so that the server closes.
            let part = async |_: &mut Pipe<Message, Message>| Ok(());
            let server = graph.add("server", websocket(without_deflate(), part));
            let bytes = graph.feed(server.inbox);
            let mut answers = graph.take(server.outbox);
            let peer = async move || {
                bytes.send(REQUEST.into()).await.unwrap();
                let frame = Bytes::from_static(b"\x82\x81\0\0\0\0x");
                while sends && bytes.send(frame.clone()).await.is_ok() {
                    kamea::time::sleep(Duration::from_millis(10)).await;
                }
                bytes.closed().await;
            };
            let reader = async move || while answers.next().await.is_some() {};
            let simulation = simulation.time_out(Duration::from_secs(30));
            simulation
                .beside("peer", peer)
                .beside("reader", reader)
                .run(graph)
        });
    }
}
