//! The bulletin board, step 2: the server speaks first, and in lines.

use bytes::Bytes;
use kamea::{Done, Graph, Pipe, map, pipeline};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let [address] = &arguments()[..] else {
        return Err("usage: bulletin_board_2 ADDRESS".into());
    };
    let mut graph = Graph::new("bulletin board");
    let protocol = || pipeline!(lines(512) => greet => map(Bytes::from));
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}

/// Greets, and repeats each line.
async fn greet(user: &mut Pipe<String, String>) -> Done {
    let greeting = "Welcome to the bulletin board.\r\n";
    user.outbox.send(greeting.to_owned()).await?;
    while let Some(line) = user.inbox.next().await {
        user.outbox.send(format!("You said: {line}\r\n")).await?;
    }
    Ok(())
}
