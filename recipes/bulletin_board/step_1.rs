//! The bulletin board, step 1: the server echoes what a client sends.

use bytes::Bytes;
use kamea::{Done, Graph, Pipe};
use kamea_components::net::tcp_server;
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let [address] = &arguments()[..] else {
        return Err("usage: bulletin_board_1 ADDRESS".into());
    };
    let mut graph = Graph::new("bulletin board");
    graph.add("server", tcp_server(address.as_str(), || echo));
    run(graph)
}

/// Sends back all data.
async fn echo(io: &mut Pipe<Bytes, Bytes>) -> Done {
    while let Some(bytes) = io.inbox.next().await {
        io.outbox.send(bytes).await?;
    }
    Ok(())
}
