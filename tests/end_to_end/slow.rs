//! Clients that are slow, many, or gone; files that change while they are sent.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::server::{Client, PATIENCE, Server};

const GET: &str = "GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n";

/// A file that is larger than both socket buffers together.
fn large_file(server: &Server, bytes: u64) {
    let mut file = File::create(server.path().join("large")).unwrap();
    let block: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
    for _ in 0..bytes >> 20 {
        file.write_all(&block).unwrap();
    }
}

#[test]
fn one_byte_at_a_time() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for byte in GET.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.response(false).text(), "hello\n");
}

#[test]
fn in_two_pieces_at_every_place() {
    let server = Server::start(&[]);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{GET}"
    );
    let mut client = server.connect();
    for split in 1..request.len() {
        client.send(&request[..split]);
        client.send(&request[split..]);
        assert_eq!(client.response(false).status, 405, "{split}");
        assert_eq!(client.response(false).text(), "hello\n", "{split}");
    }
}

#[test]
fn five_hundred_at_once() {
    let server = Server::start(&["--connections-per-client", "500"]);
    let mut clients: Vec<Client> = (0..500).map(|_| server.connect()).collect();
    for _ in 0..3 {
        clients.iter_mut().for_each(|client| client.send(GET));
        clients
            .iter_mut()
            .for_each(|client| assert_eq!(client.response(false).text(), "hello\n"));
    }
}

#[test]
fn a_large_file_arrives_whole() {
    let server = Server::start(&[]);
    large_file(&server, 200 << 20);
    let response = server.get("/large");
    assert_eq!(response.body.len(), 200 << 20);
    assert!(response.body == fs::read(server.path().join("large")).unwrap());
}

#[test]
fn a_client_that_vanishes_harms_nobody() {
    let server = Server::start(&[]);
    large_file(&server, 50 << 20);
    for _ in 0..50 {
        let mut client = server.connect();
        client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n");
        client.stream.read_exact(&mut [0; 1000]).unwrap();
        drop(client);
        drop(server.connect());
        server.assert_well();
    }
}

#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let server = Server::start(&["-v", "--write-timeout", "0.2"]);
    large_file(&server, 50 << 20);
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n");
    server.logged("the peer reads nothing");
    server.logged("Finish");
    assert!(client.rest().len() < 50 << 20);
    server.assert_well();
}

#[test]
fn a_head_that_does_not_come_is_408() {
    let server = Server::start(&["--header-timeout", "0.2", "--body-timeout", "0.2"]);
    for begun in [
        "GET / HTT",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab",
    ] {
        let mut client = server.connect();
        client.send(begun);
        let response = client.response(false);
        assert_eq!(
            (response.status, response.closes()),
            (408, true),
            "{begun:?}"
        );
        // RFC 9110 section 15.5.9: the server closes, since it has given up on the request.
        assert_eq!(client.rest(), b"");
        server.assert_well();
    }
}

#[test]
fn a_silent_connection_is_closed() {
    let server = Server::start(&["--keep-alive", "0.3"]);
    let mut silent = server.connect();
    assert_eq!(silent.rest(), b"");
    let mut once = server.connect();
    once.send(GET);
    assert_eq!(once.response(false).text(), "hello\n");
    assert_eq!(once.rest(), b"");
}

/// Between requests the graph of a connection is folded up, but the connection stays open.
#[test]
fn a_connection_rests_and_goes_on() {
    let server = Server::start(&["-v"]);
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(GET);
        assert_eq!(client.response(false).text(), "hello\n");
        let until = Instant::now() + Duration::from_millis(250);
        while Instant::now() < until {
            server.assert_well();
        }
    }
}

#[test]
fn too_many_connections_are_told_so() {
    for option in ["--connections", "--connections-per-client"] {
        let server = Server::start(&["--workers", "1", option, "2"]);
        let mut held: Vec<Client> = (0..2).map(|_| server.connect()).collect();
        for client in &mut held {
            client.send(GET);
            assert_eq!(client.response(false).status, 200);
            // An idle connection would make room.
            client.send("GET /hel");
        }
        // Until the server has noticed that both are busy.
        let response = loop {
            let mut third = server.connect();
            third.send(GET);
            let response = third.response(false);
            if response.status != 200 {
                break response;
            }
        };
        assert_eq!(
            (response.status, response.field("retry-after")),
            (503, Some("1")),
            "{option}"
        );
        drop(held);
        let freed = Instant::now();
        loop {
            let mut client = server.connect();
            client.send(GET);
            if client.response(false).status == 200 {
                break;
            }
            assert!(
                freed.elapsed() < PATIENCE,
                "{option}: the places were not freed"
            );
        }
    }
}

/// The length was promised when the head was sent.
#[test]
fn a_file_that_changes_while_it_is_sent() {
    let server = Server::start(&[]);
    for grows in [true, false] {
        large_file(&server, 50 << 20);
        let mut client = server.connect();
        client.send("GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let mut head = [0; 1000];
        client.stream.read_exact(&mut head).unwrap();
        let file = OpenOptions::new()
            .write(true)
            .open(server.path().join("large"))
            .unwrap();
        file.set_len(if grows { 60 << 20 } else { 1 << 20 })
            .unwrap();
        let total = head.len() + client.rest().len();
        let head_length = String::from_utf8_lossy(&head).find("\r\n\r\n").unwrap() + 4;
        if grows {
            assert_eq!(
                total - head_length,
                50 << 20,
                "as long as it was when it was asked for"
            );
        } else {
            assert!(total - head_length < 50 << 20, "cut off, not filled up");
        }
        server.assert_well();
    }
}

/// Returns the processor time of the server, in hundredths of a second.
fn processor_time(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    // Fields 14 and 15 of proc_pid_stat(5); the third is the first after the name.
    fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

/// Connections that have been served, and that are idle. (A single one kept Axon busy for most of a
/// core.)
#[test]
fn idle_connections_cost_nothing() {
    let server = Server::start(&[]);
    let mut idle: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.send(GET);
        assert_eq!(client.response(false).text(), "hello\n");
    }
    let before = processor_time(&server);
    std::thread::sleep(Duration::from_secs(2));
    let spent = processor_time(&server) - before;
    assert!(spent <= 10, "{spent} hundredths of a second in 2 s");
    for client in &mut idle {
        client.send(GET);
        assert_eq!(client.response(false).text(), "hello\n");
    }
}
