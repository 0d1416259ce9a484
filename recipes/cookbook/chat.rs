//! A chat over TCP: every client gets every message.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kamea::{Graph, map, pipeline};
use kamea_components::chassis::{Backplane, Slow, publish_to, subscribe_to};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let address = arguments().into_iter().next();
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    // A client that does not read slows nobody.
    let (room, guests) = (Backplane::new().slow(Slow::DropOldest), AtomicU64::new(1));
    let chat = move || {
        let guest = guests.fetch_add(1, Ordering::Relaxed);
        let format = map(move |line| Bytes::from(format!("guest {guest}: {line}\n")));
        pipeline!(lines(1024) => format => publish_to(&room, "chat") => subscribe_to(&room, "chat"))
    };
    let mut graph = Graph::new("chat");
    graph.add("server", tcp_server(address, chat));
    run(graph)
}
