//! The bulletin board, step 6: users write messages, which one component stores.

use bytes::Bytes;
use kamea::{Graph, map, pipeline};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

mod board;
mod conversation;
mod menu;

use board::keep_board;
use menu::converse;

fn main() -> Outcome {
    let [address, file] = &arguments()[..] else {
        return Err("usage: bulletin_board_6 ADDRESS FILE".into());
    };
    let mut graph = Graph::new("bulletin board");
    let board = graph.add("board", keep_board(file.into()));
    let asks = graph.feed(board.asks);
    let protocol = move || pipeline!(lines(512) => converse(asks.clone()) => map(Bytes::from));
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}
