//! Over TCP: with a server of this library, and with one that does what it should not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kamea::{Graph, Receiver, Scheduler, Sender};

use super::*;
use crate::net::{DialEvent, Ending, HangUp, Outgoing, dial_any, tcp_server};
use crate::stream::echo;
use crate::tls::{Certificate, ServerTls, TlsOptions, self_signed, tls_server};

/// How long anything may take on a busy machine.
const AGES: Duration = Duration::from_secs(60);

fn own() -> (Certificate, ServerTls) {
    let own = self_signed(&["localhost"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![own.clone()])).unwrap();
    (own, tls)
}

/// The ends of a `dial` over TLS.
struct Dialled {
    outgoing: Sender<Outgoing>,
    hang_ups: Sender<HangUp>,
    events: Receiver<DialEvent>,
    _scheduler: Scheduler,
}

impl Dialled {
    fn new(tls: ClientTls, address: SocketAddr) -> Self {
        let connect = async move |address| connect_tls(&tls, "localhost", address).await;
        let mut graph = Graph::new("client");
        let dial = graph.add("dial", dial_any([address], connect, AGES));
        let (outgoing, hang_ups) = (graph.feed(dial.outgoing), graph.feed(dial.hang_ups));
        let events = graph.take(dial.events);
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(graph).unwrap();
        Self {
            outgoing,
            hang_ups,
            events,
            _scheduler: scheduler,
        }
    }

    fn send(&self, bytes: Bytes) {
        let outgoing = Outgoing { bytes, requests: 1 };
        assert!(self.outgoing.send_blocking(outgoing).is_ok());
    }

    /// Receives that many bytes.
    fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut received = Vec::new();
        while received.len() < count {
            match self.events.next_blocking() {
                Some(DialEvent::Received { bytes, .. }) => received.extend_from_slice(&bytes),
                Some(DialEvent::Sending { .. }) => {}
                other => panic!("{other:?} after {} bytes", received.len()),
            }
        }
        received
    }

    /// How the connection ends.
    fn ending(&mut self) -> Ending {
        loop {
            match self.events.next_blocking() {
                Some(DialEvent::Ended { how, .. }) => return how,
                Some(DialEvent::Sending { .. } | DialEvent::Received { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn much_goes_in_both_directions_at_once() {
    let (own, tls) = own();
    let mut graph = Graph::new("echoes");
    let part = move || tls_server(&tls, echo);
    let server = graph.add("server", tcp_server("127.0.0.1:0", part));
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let address = addresses.next_blocking().unwrap();
    let mut dialled = Dialled::new(ClientTls::trusting(&own).unwrap(), address);
    for length in [1, 20_000, 5 << 20, 1] {
        let text: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
        dialled.send(text.clone().into());
        assert!(dialled.receive(length) == text, "{length}");
    }
}

/// A server of one connection: it makes the handshake, answers four bytes with four others, and
/// ends as `end` does. Returns whether the client has said its end.
fn server(
    tls: ServerTls,
    end: impl FnOnce(&mut TcpStream, &mut Session) + Send + 'static,
) -> (SocketAddr, JoinHandle<Result<bool, TlsError>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut session = Session::server(&tls);
        let mut end = Some(end);
        loop {
            let mut records = [0; 1000];
            let count = stream.read(&mut records).unwrap();
            if count == 0 {
                return Ok(session.has_peer_closed());
            }
            let received = session.receive(&records[..count]);
            stream.write_all(&session.take_outgoing()).unwrap();
            received?;
            if session.take_plaintext() == "ping"
                && let Some(end) = end.take()
            {
                let mut pong = Vec::new();
                session.encrypt(b"pong", &mut pong).unwrap();
                stream.write_all(&pong).unwrap();
                end(&mut stream, &mut session);
            }
        }
    });
    (address, serving)
}

#[test]
fn the_end_of_a_connection_is_told_from_a_truncation() {
    for is_polite in [true, false] {
        let (own, tls) = own();
        let end = move |stream: &mut TcpStream, session: &mut Session| {
            let mut last = Vec::new();
            if is_polite {
                session.close(&mut last).unwrap();
            }
            stream.write_all(&last).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        };
        let (address, serving) = server(tls, end);
        let mut dialled = Dialled::new(ClientTls::trusting(&own).unwrap(), address);
        dialled.send("ping".into());
        assert_eq!(dialled.receive(4), b"pong");
        match (is_polite, dialled.ending()) {
            (true, Ending::Finished) => {}
            (false, Ending::Read(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert!(error.to_string().contains("close_notify"), "{error}");
            }
            (_, other) => panic!("{other:?}"),
        }
        assert!(serving.join().unwrap().unwrap(), "the client has said it");
    }
}

#[test]
fn a_connection_that_is_hung_up_says_so() {
    let (own, tls) = own();
    let (address, serving) = server(tls, |_, _| {});
    let mut dialled = Dialled::new(ClientTls::trusting(&own).unwrap(), address);
    dialled.send("ping".into());
    assert_eq!(dialled.receive(4), b"pong");
    dialled.hang_ups.send_blocking(HangUp(1)).unwrap();
    assert!(serving.join().unwrap().unwrap());
}

#[test]
fn a_server_that_is_not_trusted_is_unreachable_and_learns_why() {
    let (_, tls) = own();
    let (address, serving) = server(tls, |_, _| {});
    let other = ClientTls::trusting(&own().0).unwrap();
    let mut dialled = Dialled::new(other, address);
    dialled.send("ping".into());
    let event = dialled.events.next_blocking();
    let Some(DialEvent::Unreachable {
        requests: 1, error, ..
    }) = event
    else {
        panic!("{event:?}");
    };
    assert!(error.to_string().contains("certificate"), "{error}");
    match serving.join().unwrap() {
        Err(TlsError::Alert(alert)) => assert!(!alert.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_unreachable() {
    for answer in ["", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 10]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        let mut dialled = Dialled::new(ClientTls::trusting_anyone().unwrap(), address);
        dialled.send("ping".into());
        let event = dialled.events.next_blocking();
        assert!(
            matches!(event, Some(DialEvent::Unreachable { .. })),
            "{event:?}"
        );
        serving.join().unwrap();
    }
}
