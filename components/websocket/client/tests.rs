use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use kamea::{Handle, Scheduler};

use super::*;
use crate::net::tcp_server;
use crate::stream::echo;
use crate::tls::{Certificate, ServerTls, TlsOptions, self_signed, tls_server};
use crate::websocket::{connect_websocket, websocket};

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
