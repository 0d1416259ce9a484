use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};

use kamea::{Graph, Receiver, Running, Scheduler, Sender};
use rustix::net::{AddressFamily, SocketType, socket};

use super::*;
use crate::net::testing::free_address;

const PATIENCE: Duration = Duration::from_secs(30);

struct Client {
    _scheduler: Scheduler,
    running: Running,
    outgoing: Sender<Bytes>,
    incoming: Receiver<Bytes>,
}

impl Client {
    fn of(server: impl Into<String>, within: Duration) -> Self {
        let mut graph = Graph::new("client");
        let client = graph.add("client", tcp_client(server, within));
        let (outgoing, incoming) = (graph.feed(client.inbox), graph.take(client.outbox));
        let scheduler = Scheduler::with_workers(1);
        Self {
            running: scheduler.run(graph).unwrap(),
            _scheduler: scheduler,
            outgoing,
            incoming,
        }
    }
}

fn connected() -> (Client, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = Client::of(address, PATIENCE);
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, server)
}

#[test]
fn its_end_is_told_to_the_server_which_may_still_answer() {
    let (client, mut server) = connected();
    client.outgoing.send_blocking("one ".into()).unwrap();
    client.outgoing.send_blocking("two".into()).unwrap();
    drop(client.outgoing);
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    assert_eq!(question, "one two");
    server.write_all(b"three").unwrap();
    drop(server);
    assert_eq!(
        client.incoming.into_iter().collect::<Vec<_>>().concat(),
        b"three"
    );
    client.running.wait().unwrap();
}

#[test]
fn it_ends_when_the_server_has_finished_though_more_could_be_sent() {
    let (client, mut server) = connected();
    server.write_all(b"bye").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.incoming.into_iter().collect::<Vec<_>>().concat(),
        b"bye"
    );
    client.running.wait().unwrap();
    assert!(client.outgoing.send_blocking("hello?".into()).is_err());
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn it_ends_when_nobody_takes_what_the_server_sends() {
    let (client, mut server) = connected();
    drop(client.incoming);
    client.running.wait().unwrap();
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
}

fn bind_with_backlog(backlog: i32) -> TcpListener {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, backlog).unwrap();
    socket.into()
}

#[test]
fn what_goes_wrong_is_a_fault_that_names_the_server() {
    let free = free_address().unwrap().to_string();
    // A listener that does not accept, and whose backlog is full, keeps all clients waiting.
    let deaf = bind_with_backlog(0);
    let full = deaf.local_addr().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&full, Duration::from_millis(100));
    let _waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).take(100).collect();
    let rows = [
        (free, PATIENCE, "Connection refused"),
        ("no-port".to_owned(), PATIENCE, "an address is HOST:PORT"),
        (":65536".to_owned(), PATIENCE, "ports end at 65535"),
        (full.to_string(), Duration::from_millis(50), "timed out"),
    ];
    for (server, within, expected) in rows {
        let client = Client::of(server.clone(), within);
        let fault = client.running.wait().unwrap_err().to_string();
        assert!(
            fault.contains(&format!("cannot connect to {server}: ")),
            "{fault}"
        );
        assert!(fault.contains(expected), "{fault}");
    }

    let (mut client, mut server) = connected();
    let name = server.local_addr().unwrap();
    // A client that has received something knows that it is connected.
    server.write_all(b"hello").unwrap();
    assert!(client.incoming.next_blocking().is_some());
    rustix::net::sockopt::set_socket_linger(&server, Some(Duration::ZERO)).unwrap();
    drop(server); // which resets the connection
    let fault = client.running.wait().unwrap_err().to_string();
    assert!(
        fault.contains(&format!("the connection to {name} was lost: ")),
        "{fault}"
    );
}

#[test]
fn a_server_that_does_not_read_holds_up_who_sends() {
    let (client, server) = connected();
    let chunk = Bytes::from(vec![7; 65536]);
    let mut sent = 0_u64;
    // Until nothing has moved for a while: then the buffers are full.
    let mut still = 0;
    while still < 50 {
        match client.outgoing.try_send(chunk.clone()) {
            Ok(()) => (sent, still) = (sent + chunk.len() as u64, 0),
            Err(_) => {
                still += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(sent < 1 << 30, "nothing holds it up");
    }
    drop(client.outgoing);
    let received = std::io::copy(&mut { server }, &mut std::io::sink()).unwrap();
    assert_eq!(received, sent, "none is lost");
    client.running.wait().unwrap();
}
