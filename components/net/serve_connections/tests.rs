//! A server, over real sockets: connections do not affect each other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use futures_lite::future::zip;
use kamea::{Running, Scheduler, Simulation, blocking, map, pipeline};

use super::*;
use crate::net::{Listen, tcp_server};
use crate::simulated::{Conditions, Network};
use crate::stream::{echo, first_only, lines};

const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    scheduler: Scheduler,
    address: SocketAddr,
    running: Running,
}

impl Server {
    fn start<C, Kind>(
        limit: impl Fn(Listen<String>) -> Listen<String>,
        protocol: impl Fn() -> C + Send + 'static,
    ) -> Self
    where
        C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
        Kind: 'static,
    {
        let mut graph = Graph::new("server");
        let listen = limit(Listen::at("127.0.0.1:0"));
        let server = graph.add("server", tcp_server(listen, protocol));
        let mut addresses = graph.take(server.addresses);
        let scheduler = Scheduler::with_workers(2);
        let running = scheduler.run(graph).unwrap();
        Self {
            scheduler,
            address: addresses.next_blocking().unwrap(),
            running,
        }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Sends `words`, and closes its sending side; returns the response.
    fn ask(&self, words: &str) -> String {
        finish(self.client(), words)
    }
}

fn finish(mut client: TcpStream, words: &str) -> String {
    client.write_all(words.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether the server closes the connection, now or soon.
fn is_closed(mut client: TcpStream) -> bool {
    match client.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn as_it_is(listen: Listen<String>) -> Listen<String> {
    listen
}

async fn grumble(io: &mut Pipe<Bytes, Bytes>) -> kamea::Done {
    while let Some(bytes) = io.inbox.next().await {
        match &bytes[..] {
            b"fail" => return Err(kamea::End::fault("as you wish")),
            b"panic" => panic!("as you wish"),
            _ => io.outbox.send(bytes).await?,
        }
    }
    Ok(())
}

#[test]
fn any_kind_of_part_may_be_the_protocol() {
    let component = Server::start(as_it_is, || echo);
    assert_eq!(component.ask("hello"), "hello");

    let line = Server::start(
        as_it_is,
        || pipeline!(lines(100) => map(|line: String| Bytes::from(line.to_uppercase() + "\n"))),
    );
    assert_eq!(line.ask("one\ntwo"), "ONE\nTWO\n");

    let thread = Server::start(as_it_is, || {
        blocking(|io: &mut Pipe<Bytes, Bytes>| {
            while let Some(bytes) = io.inbox.next_blocking() {
                io.outbox.send_blocking(bytes)?;
            }
            Ok(())
        })
    });
    assert_eq!(thread.ask("hello"), "hello");
}

#[test]
fn a_client_that_has_finished_sending_gets_everything() {
    let server = Server::start(as_it_is, || echo);
    let words = "0123456789".repeat(500_000);
    let client = server.client();
    let (mut sending, expected) = (client.try_clone().unwrap(), words.clone());
    let sender = std::thread::spawn(move || {
        sending.write_all(words.as_bytes()).unwrap();
        sending.shutdown(Shutdown::Write).unwrap();
    });
    let mut heard = String::new();
    { client }.read_to_string(&mut heard).unwrap();
    sender.join().unwrap();
    assert!(heard == expected);
}

#[test]
fn a_protocol_that_ends_closes_the_connection_and_its_last_words_arrive() {
    let server = Server::start(as_it_is, || first_only(1));
    for _ in 0..20 {
        let mut client = server.client();
        client.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).unwrap();
        // Bytes that nobody reads must not cause an error for the client.
        let _ = client.write_all(b"are you still there?");
        assert!(is_closed(client));
    }
}

#[test]
fn what_goes_wrong_with_one_connection_concerns_no_other_one() {
    let server = Server::start(as_it_is, || grumble);
    let mut bystander = server.client();
    for word in ["fail", "panic"] {
        let mut client = server.client();
        client.write_all(word.as_bytes()).unwrap();
        assert!(is_closed(client), "{word}");
    }
    // One client that vanishes, and one that never reads.
    let mut vanishing = server.client();
    vanishing.write_all(b"hello").unwrap();
    drop(vanishing);
    let mut deaf = server.client();
    deaf.set_nonblocking(true).unwrap();
    while deaf.write(&[b'x'; 65536]).is_ok() {}

    bystander.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    bystander.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    assert_eq!(finish(bystander, "bye"), "bye");
}

#[test]
fn one_connection_too_many_is_closed_until_there_is_room_again() {
    type Limit = fn(Listen<String>) -> Listen<String>;
    let rows: [Limit; 2] = [
        |listen| listen.connections(2),
        |listen| listen.connections_per_client(2),
    ];
    for limit in rows {
        let server = Server::start(limit, || echo);
        let mut served: Vec<_> = (0..2).map(|_| server.client()).collect();
        for client in &mut served {
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0; 1]).unwrap();
        }
        assert!(is_closed(server.client()));
        assert_eq!(finish(served.remove(0), ""), "");
        let begin = Instant::now();
        loop {
            let mut client = server.client();
            let is_served = client
                .write_all(b"x")
                .and_then(|()| client.read_exact(&mut [0; 1]));
            if is_served.is_ok() {
                break;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "its place is not given to another one"
            );
        }
    }
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let server = Server::start(
        |listen| listen.connections(1).stall(Duration::from_millis(50)),
        || echo,
    );
    let mut deaf = server.client();
    let error = loop {
        if let Err(error) = deaf.write(&[b'x'; 65536]) {
            break error.kind();
        }
    };
    let given_up = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(given_up.contains(&error), "{error}");
    let begin = Instant::now();
    loop {
        let mut client = server.client();
        let served = client
            .write_all(b"x")
            .and_then(|()| client.read_exact(&mut [0; 1]));
        if served.is_ok() {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "it still holds the only place");
    }
}

#[test]
fn a_graceful_stop_lets_protocols_finish_what_they_have_begun() {
    async fn say_goodbye(io: &mut Pipe<Bytes, Bytes>) -> kamea::Done {
        while let Some(bytes) = io.inbox.next().await {
            io.outbox.send(bytes).await?;
        }
        Ok(io.outbox.send("goodbye".into()).await?)
    }
    let server = Server::start(as_it_is, || say_goodbye);
    let mut client = server.client();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    server.running.stop();
    let mut last = String::new();
    client.read_to_string(&mut last).unwrap();
    assert_eq!(last, "goodbye");
    server.running.wait().unwrap();
    assert!(
        TcpStream::connect(server.address).is_err(),
        "nobody listens"
    );
    assert!(server.scheduler.stop(PATIENCE).is_ok());
}

#[test]
fn an_address_that_cannot_be_had_is_a_fault_that_names_it() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let rows = [
        (taken.as_str(), "Address already in use"),
        ("127.0.0.1", "an address is HOST:PORT"),
        ("65536", "an address is HOST:PORT"),
        ("192.0.2.1:1", "Cannot assign requested address"),
    ];
    for (address, expected) in rows {
        let mut graph = Graph::new("server");
        graph.add("server", tcp_server(address, || echo));
        let fault = Scheduler::with_workers(1).run(graph).unwrap().wait();
        let fault = fault.unwrap_err().to_string();
        let named = format!("cannot listen on {address}: {expected}");
        assert!(fault.contains(&named), "{fault}");
    }
}

/// Every client receives everything that it has sent, over connections of every kind.
#[test]
fn on_any_simulated_network_nothing_is_lost() {
    Simulation::seeds(0..300).check(|simulation| {
        let network = Network::new(Conditions::drawn);
        let address = "192.0.2.1:7".parse().unwrap();
        let server = pipeline!(network.accept(address) => serve_connections(|| echo));
        let clients = async move || {
            for length in [0_usize, 1, 700] {
                let words: Vec<u8> = (0..length).map(|n| n as u8).collect();
                let socket = network.connect(address).await.unwrap();
                let say = async {
                    let mut left = &words[..];
                    while !left.is_empty() {
                        left = &left[socket.write(left, false).await.unwrap()..];
                    }
                    socket.shut_down_writing();
                };
                let hear = async {
                    let (mut heard, mut buffer) = (Vec::new(), [0; 100]);
                    while let count @ 1.. = socket.read(&mut buffer).await.unwrap() {
                        heard.extend_from_slice(&buffer[..count]);
                    }
                    heard
                };
                let heard = zip(say, hear).await.1;
                assert!(heard == words, "{} of {length} came back", heard.len());
            }
        };
        simulation.beside("clients", clients).run(server)
    });
}

#[test]
fn few_addresses_do_not_take_all_places() {
    let mut graph = Graph::new("server");
    let server = graph.add("server", serve_connections_of_many(2, || echo));
    let arrivals = graph.feed(server.inbox);
    let scheduler = Scheduler::with_workers(1);
    let _running = scheduler.run(graph).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = |peer: &str| {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let accepted = Accepted {
            stream: stream.into(),
            peer: SocketAddr::new(peer.parse().unwrap(), 9000),
        };
        arrivals.send_blocking(accepted).unwrap();
        client
    };
    // Whether the third connection is served, and then one of another address.
    for (address, other, is_served) in [
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("::ffff:198.51.100.1", "198.51.100.2", false),
        ("127.0.0.1", "127.0.0.2", true),
        ("::1", "::1", true),
        ("::ffff:127.0.0.1", "127.0.0.1", true),
    ] {
        let kept = [connect(address), connect(address)];
        match is_served {
            true => assert_eq!(finish(connect(address), "hello"), "hello", "{address}"),
            false => assert!(is_closed(connect(address)), "{address}"),
        }
        assert_eq!(finish(connect(other), "hello"), "hello", "{other}");
        for client in kept {
            assert_eq!(finish(client, "hello"), "hello", "{address}");
        }
    }
}
