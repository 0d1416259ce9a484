//! The bulletin board, step 7: connected users get new messages at once.

use bytes::Bytes;
use kamea::{Composite, Graph, Pipe, PipeHandles, Sender, map, pipeline};
use kamea_components::chassis::{Backplane, Slow, publish_to, subscribe_to};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

mod board;
mod conversation;
mod menu;

use board::{Ask, keep_board};
use menu::converse;

fn main() -> Outcome {
    let [address, file] = &arguments()[..] else {
        return Err("usage: bulletin_board_7 ADDRESS FILE".into());
    };
    // A client that does not read misses new messages, and slows nobody.
    let plane = Backplane::new().slow(Slow::DropOldest);
    let mut graph = Graph::new("bulletin board");
    let board = graph.add("board", keep_board(file.into()));
    let format = graph.add("format", map(|news| format!("\r\n* {news}\r\n")));
    let publish = graph.add("publish", publish_to(&plane, "news"));
    graph.link(board.news, format.inbox);
    graph.link(format.outbox, publish.inbox);
    let asks = graph.feed(board.asks);
    let protocol = move || protocol(asks.clone(), &plane);
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}

/// The graph of a connection: the text of the conversation and the new messages both go to the
/// user.
fn protocol(board: Sender<Ask>, plane: &Backplane<String>) -> Composite<Pipe<Bytes, Bytes>> {
    let mut graph = Graph::new("client");
    let (inbox, said) = pipeline!(graph, lines(512) => converse(board));
    let news = graph.add("news", subscribe_to(plane, "news"));
    let encode = graph.add("encode", map(Bytes::from));
    // The connection ends with the conversation: new messages do not keep it open.
    graph.link(said, encode.inbox).feedback(news.outbox);
    let outbox = encode.outbox;
    graph.expose(PipeHandles { inbox, outbox })
}
