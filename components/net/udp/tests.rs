use std::net::UdpSocket as Socket;
use std::time::Duration;

use kamea::{Graph, Scheduler, map, pipeline};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn peer() -> Socket {
    let peer = Socket::bind(any()).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

fn receive(peer: &Socket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let count = peer.recv(&mut buffer).unwrap();
    buffer[..count].to_vec()
}

#[test]
fn what_comes_can_be_answered_and_an_empty_datagram_is_one_too() {
    let mut graph = Graph::new("server");
    let socket = graph.add("socket", udp(any()));
    let answer = graph.add(
        "answer",
        map(|datagram: Datagram| Datagram {
            content: [&b"re: "[..], &datagram.content].concat().into(),
            ..datagram
        }),
    );
    let mut addresses = graph.take(socket.addresses);
    graph.link(socket.incoming, answer.inbox);
    graph.feedback(answer.outbox, socket.outgoing);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let address = addresses.next_blocking().unwrap();
    let peers = [peer(), peer()];
    for (peer, word) in peers.iter().zip(["one", ""]) {
        peer.send_to(word.as_bytes(), address).unwrap();
    }
    assert_eq!(receive(&peers[0]), b"re: one");
    assert_eq!(receive(&peers[1]), b"re: ");
    assert!(scheduler.stop(PATIENCE).is_ok(), "it ends with its graph");
}

#[test]
fn one_that_cannot_be_sent_does_not_hold_up_the_others() {
    let mut graph = Graph::new("sender");
    let socket = graph.add("socket", udp(any()));
    let outgoing = graph.feed(socket.outgoing);
    let scheduler = Scheduler::with_workers(1);
    let running = scheduler.run(graph).unwrap();
    let receiver = peer();
    let to = |content: Bytes| Datagram {
        peer: receiver.local_addr().unwrap(),
        content,
    };
    let too_large = to(vec![0; 70_000].into());
    let of_another_family = Datagram {
        peer: "[::1]:9".parse().unwrap(),
        content: "lost".into(),
    };
    for datagram in [too_large, of_another_family, to("found".into())] {
        outgoing.send_blocking(datagram).unwrap();
    }
    assert_eq!(receive(&receiver), b"found");
    // Its output is not linked: it ends when there is nothing more to send.
    drop(outgoing);
    running.wait().unwrap();
}

#[test]
fn it_ends_when_nobody_takes_what_comes() {
    let mut graph = Graph::new("receiver");
    let (_, incoming) = pipeline!(graph, udp(any()));
    drop(graph.take(incoming));
    Scheduler::with_workers(1)
        .run(graph)
        .unwrap()
        .wait()
        .unwrap();
}

#[test]
fn an_address_that_cannot_be_had_is_a_fault_that_names_it() {
    let held = peer();
    let address = held.local_addr().unwrap();
    let mut graph = Graph::new("late");
    let (_, incoming) = pipeline!(graph, udp(address));
    let _incoming = graph.take(incoming);
    let fault = Scheduler::with_workers(1)
        .run(graph)
        .unwrap()
        .wait()
        .unwrap_err();
    let expected = format!("cannot bind UDP to {address}: Address already in use");
    assert!(fault.to_string().contains(&expected), "{fault}");
}
