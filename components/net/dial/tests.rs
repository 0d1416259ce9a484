use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use kamea::{Graph, Receiver, Running, Scheduler, Sender};

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A running component, and the other ends of its links.
struct Dialling {
    outgoing: Sender<Outgoing>,
    hang_ups: Sender<HangUp>,
    events: Receiver<DialEvent>,
    running: Running,
    _scheduler: Scheduler,
}

impl Dialling {
    fn to(addresses: &[SocketAddr]) -> Self {
        let mut graph = Graph::new("dialling");
        let part = graph.add("dial", dial(addresses, LONG));
        let (outgoing, hang_ups) = (graph.feed(part.outgoing), graph.feed(part.hang_ups));
        let events = graph.take(part.events);
        let scheduler = Scheduler::with_workers(1);
        Self {
            outgoing,
            hang_ups,
            events,
            running: scheduler.run(graph).unwrap(),
            _scheduler: scheduler,
        }
    }

    fn send(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let piece = Outgoing { bytes, requests: 1 };
        self.outgoing.send_blocking(piece).unwrap();
    }

    /// Returns the next event as a word, with the number of its connection.
    fn event(&mut self) -> (String, u64) {
        match self.events.next_blocking().expect("something happens") {
            DialEvent::Sending { connection, .. } => ("sending".to_owned(), connection),
            DialEvent::Received {
                connection, bytes, ..
            } => (String::from_utf8_lossy(&bytes).into_owned(), connection),
            DialEvent::Ended {
                connection, how, ..
            } => {
                let how = match how {
                    Ending::Finished => "finished",
                    Ending::Read(_) => "cannot read",
                    Ending::Write(_) => "cannot write",
                };
                (how.to_owned(), connection)
            }
            DialEvent::Unreachable { error, .. } => (format!("{:?}", error.kind()), 0),
        }
    }

    fn expect(&mut self, what: &str, connection: u64) {
        assert_eq!(self.event(), (what.to_owned(), connection));
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn hear(stream: &mut TcpStream, what: &[u8]) {
    let mut heard = vec![0; what.len()];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(heard, what);
}

#[test]
fn a_connection_is_made_when_there_is_something_to_send_and_made_anew_when_it_has_ended() {
    let (listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    for connection in 1..=3 {
        for text in ["one", "two"] {
            dialling.send(text);
            dialling.expect("sending", connection);
        }
        let mut stream = accept(&listener);
        hear(&mut stream, b"onetwo");
        stream.write_all(b"heard").unwrap();
        dialling.expect("heard", connection);
        drop(stream);
        dialling.expect("finished", connection);
    }
    drop(dialling.outgoing);
    dialling.running.wait().unwrap();
}

#[test]
fn whoever_hangs_up_hears_no_more_of_that_connection() {
    let (listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    dialling.send("one");
    dialling.expect("sending", 1);
    let mut stream = accept(&listener);
    hear(&mut stream, b"one");
    dialling.hang_ups.send_blocking(HangUp(1)).unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0, "it is closed");
    // A hang-up for a closed connection does not affect another one.
    dialling.hang_ups.send_blocking(HangUp(1)).unwrap();
    dialling.send("two");
    dialling.expect("sending", 2);
    let mut stream = accept(&listener);
    hear(&mut stream, b"two");
    stream.write_all(b"heard").unwrap();
    dialling.expect("heard", 2);
}

#[test]
fn addresses_are_tried_in_turn_and_a_refusal_is_told() {
    let (listener, address) = listen();
    let (gone, nowhere) = listen();
    drop(gone);
    let mut dialling = Dialling::to(&[nowhere, address]);
    dialling.send("one");
    dialling.expect("sending", 1);
    drop(listener);
    dialling.event();
    for _ in 0..2 {
        dialling.send("two");
        dialling.expect("ConnectionRefused", 0);
    }
}

#[test]
fn a_server_that_neither_reads_nor_stops_writing_stands_in_nobodys_way() {
    let (listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    // More than the buffers of the system hold.
    dialling.send(vec![b'x'; 64 << 20]);
    dialling.expect("sending", 1);
    let mut stream = accept(&listener);
    stream.write_all(b"too much").unwrap();
    // It is read although not everything has been sent.
    dialling.expect("too much", 1);
    // Unread bytes are refused.
    drop(stream);
    let (how, _) = dialling.event();
    assert!(how == "cannot write" || how == "cannot read", "{how}");
}

#[test]
fn what_the_server_has_said_is_heard_before_the_end_of_its_patience() {
    let (listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    dialling.send("one");
    dialling.expect("sending", 1);
    let mut stream = accept(&listener);
    hear(&mut stream, b"one");
    stream.write_all(b"no more").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    dialling.expect("no more", 1);
    dialling.expect("finished", 1);
}

#[test]
fn it_ends_when_nobody_listens_any_more_though_it_waits_for_the_world() {
    let (_listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    dialling.send("one");
    dialling.expect("sending", 1);
    drop(dialling.events);
    dialling.running.wait().unwrap();
}

#[test]
fn bytes_without_a_request_open_no_connection() {
    let (listener, address) = listen();
    let mut dialling = Dialling::to(&[address]);
    let beside = |bytes: &'static str| Outgoing {
        bytes: bytes.into(),
        requests: 0,
    };
    dialling.outgoing.send_blocking(beside("lost")).unwrap();
    dialling.send("one");
    dialling.expect("sending", 1);
    dialling.outgoing.send_blocking(beside("two")).unwrap();
    dialling.expect("sending", 1);
    let mut stream = accept(&listener);
    hear(&mut stream, b"onetwo");
    drop(stream);
    dialling.expect("finished", 1);
    dialling.outgoing.send_blocking(beside("lost")).unwrap();
    drop(dialling.outgoing);
    dialling.running.wait().unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "no second connection is there");
}
