use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use kamea::{Handle, Scheduler};

use super::*;
use crate::net::tcp_server;
use crate::stream::echo;
use crate::tls::{Certificate, ServerTls, TlsOptions, self_signed, tls_server};
use crate::websocket::{Decoder, Event, Limits, accept_key, connect_websocket, websocket};

/// A server that echoes messages over TLS, and its port.
fn echoing(own: &Certificate) -> (Scheduler, u16) {
    let tls = ServerTls::new(TlsOptions::new(vec![own.clone()])).unwrap();
    let protocol = move || tls_server(&tls, websocket(WebSocketOptions::default(), echo));
    let mut graph = Graph::new("echoing");
    let server = graph.add("server", tcp_server("127.0.0.1:0", protocol));
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let address: SocketAddr = addresses.next_blocking().unwrap();
    (scheduler, address.port())
}

fn trusting(certificate: &Certificate) -> WebSocketOptions {
    WebSocketOptions {
        tls: Some(ClientTls::trusting(certificate).unwrap()),
        ..WebSocketOptions::default()
    }
}

/// The fault of a client that gets no WebSocket.
fn fault(scheduler: &Scheduler, url: &str, options: WebSocketOptions) -> String {
    let client = websocket_client(url, options).unwrap();
    let mut client = Handle::run(scheduler, client).unwrap();
    assert_eq!(client.next_blocking(), None);
    client.wait().unwrap_err().to_string()
}

#[test]
fn a_client_speaks_over_tls() {
    let own = self_signed(&["localhost", "127.0.0.1"]).unwrap();
    let (scheduler, port) = echoing(&own);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("wss://{host}:{port}/");
        let client = websocket_client(&url, trusting(&own)).unwrap();
        let mut client = Handle::run(&scheduler, client).unwrap();
        for message in [
            Message::text("hello"),
            Message::text("long ".repeat(50_000)),
            Message::binary(vec![7; 300_000]),
            Message::text(""),
        ] {
            client.send_blocking(message.clone()).unwrap();
            assert_eq!(client.next_blocking(), Some(message));
        }
        client.close();
        assert_eq!(client.next_blocking(), None);
        client.wait().unwrap();
    }
}

#[test]
fn a_client_that_can_be_restarted_speaks_over_tls() {
    let own = self_signed(&["localhost"]).unwrap();
    let (scheduler, port) = echoing(&own);
    let client = connect_websocket(&format!("wss://localhost:{port}/"), trusting(&own)).unwrap();
    let mut client = Handle::run(&scheduler, client).unwrap();
    client.send_blocking(Message::text("hello")).unwrap();
    assert_eq!(client.next_blocking(), Some(Message::text("hello")));
}

#[test]
fn a_certificate_that_is_not_trusted_is_named() {
    let own = self_signed(&["localhost"]).unwrap();
    let (scheduler, port) = echoing(&own);
    let url = format!("wss://localhost:{port}/");
    let another = trusting(&self_signed(&["localhost"]).unwrap());
    // The authorities of the system do not know it either.
    for options in [another, WebSocketOptions::default()] {
        let fault = fault(&scheduler, &url, options);
        assert!(
            fault.contains("no authority that is trusted here"),
            "{fault}"
        );
    }
    let url = format!("wss://127.0.0.1:{port}/");
    let fault = fault(&scheduler, &url, trusting(&own));
    assert!(
        fault.contains("not valid for name \"127.0.0.1\""),
        "{fault}"
    );
}

#[test]
fn a_server_without_tls_is_a_fault_of_tls() {
    let own = self_signed(&["localhost"]).unwrap();
    let scheduler = Scheduler::with_workers(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        connection
    });
    let fault = fault(
        &scheduler,
        &format!("wss://localhost:{port}/"),
        trusting(&own),
    );
    assert!(fault.contains("decrypt"), "{fault}");
    assert!(fault.contains("InvalidContentType"), "{fault}");
    drop(answering.join().unwrap());
}

#[test]
fn what_is_no_url_of_a_websocket() {
    for (url, why) in [
        ("http://a/", "begins with ws:// or with wss://"),
        ("a", "begins with ws:// or with wss://"),
        ("wss://", "the host is missing"),
        ("ws://a:x/", "the port"),
    ] {
        let Err(error) = websocket_client(url, WebSocketOptions::default()) else {
            panic!("{url}")
        };
        assert!(error.to_string().contains(why), "{url}: {error}");
        assert!(connect_websocket(url, WebSocketOptions::default()).is_err());
    }
}

/// A server that sends these bytes behind its handshake, and returns what it receives until the
/// client has answered by a close frame, and how long that took.
fn closing(bytes: &'static [u8]) -> (String, std::thread::JoinHandle<(Vec<u8>, Duration)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap();
        let accept = accept_key(key.lines().next().unwrap());
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(bytes).unwrap();
        let begin = Instant::now();
        let (mut decoder, mut codes) = (
            Decoder::new(Role::Server, Limits::default(), None),
            Vec::new(),
        );
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the client has left without a close frame");
            decoder.feed(Bytes::copy_from_slice(&buffer[..count]));
            while let Some(event) = decoder.next().unwrap() {
                match event {
                    Event::Data { bytes, .. } => codes.extend_from_slice(&bytes),
                    Event::Close(close) => {
                        codes.extend_from_slice(format!(" {}", close.code.0).as_bytes());
                        return (codes, begin.elapsed());
                    }
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
        }
    });
    (url, serving)
}

/// RFC 6455 section 5.5.1: "If an endpoint receives a Close frame and did not previously send a
/// Close frame, the endpoint MUST send a Close frame in response. [...] It SHOULD do so as soon as
/// practical."
#[test]
fn a_client_answers_a_close_frame_behind_its_answers_and_at_once() {
    let scheduler = Scheduler::with_workers(1);
    for (bytes, expected) in [
        (&b"\x81\x02hi\x88\x02\x03\xe8"[..], "hi 1000"),
        (b"\x88\x02\x03\xe9", " 1001"),
        // Violations are answered alike: a masked frame, and text that is no UTF-8.
        (b"\x81\x02hi\x81\x82\0\0\0\0no", "hi 1002"),
        (b"\x81\x01\xff", " 1007"),
    ] {
        let (url, serving) = closing(bytes);
        let client = websocket_client(&url, WebSocketOptions::default()).unwrap();
        let mut client = Handle::run(&scheduler, client).unwrap();
        while let Some(message) = client.next_blocking() {
            client.send_blocking(message).unwrap();
        }
        client.close();
        let (told, took) = serving.join().unwrap();
        assert_eq!(String::from_utf8_lossy(&told), expected);
        // A client whose messages did not end would wait for five seconds, and for five more.
        assert!(took < Duration::from_secs(5), "{took:?}");
        client.wait().unwrap();
    }
}

#[test]
fn a_source_that_goes_on_does_not_hold_a_connection_that_closes() {
    let scheduler = Scheduler::with_workers(1);
    let (url, serving) = closing(b"\x88\x02\x03\xe8");
    let client = websocket_client(&url, WebSocketOptions::default()).unwrap();
    let mut client = Handle::run(&scheduler, client).unwrap();
    assert_eq!(client.next_blocking(), None);
    // The input stays open.
    let (told, took) = serving.join().unwrap();
    assert_eq!(told, b" 1000");
    assert!(took < Duration::from_secs(5), "{took:?}");
}
