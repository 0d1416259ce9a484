//! Relays datagrams to a TCP server, each in a frame: its length as 4 bytes, then its data.

use std::time::Duration;

use kamea::{Graph, map, pipeline};
use kamea_components::net::{Datagram, tcp_client, udp};
use kamea_components::stream::{frame, null_sink};
use kamea_recipes::{Outcome, address, arguments, run};

fn main() -> Outcome {
    let [from, to] = &arguments()[..] else {
        return Err("usage: relay UDP-ADDRESS TCP-SERVER".into());
    };
    let mut graph = Graph::new("relay");
    let socket = graph.add("socket", udp(address(from)?));
    let content = map(|datagram: Datagram| datagram.content);
    let server = tcp_client(to, Duration::from_secs(10));
    let (datagrams, ()) = pipeline!(graph, content => frame(65_535) => server => null_sink);
    graph.link(socket.incoming, datagrams);
    run(graph)
}
