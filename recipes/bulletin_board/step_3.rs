//! The bulletin board, step 3: users have names.

use bytes::Bytes;
use kamea::{Done, Graph, map, pipeline};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

mod conversation;

use conversation::{User, login, say};

fn main() -> Outcome {
    let [address] = &arguments()[..] else {
        return Err("usage: bulletin_board_3 ADDRESS".into());
    };
    let mut graph = Graph::new("bulletin board");
    let protocol = || pipeline!(lines(512) => converse => map(Bytes::from));
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}

/// One conversation, from the greeting to the goodbye.
async fn converse(user: &mut User) -> Done {
    say(user, "Welcome to the bulletin board.").await?;
    let Some(nick) = login(user).await else {
        return Ok(());
    };
    say(user, &format!("Hello, {nick}.")).await?;
    Ok(say(user, "Goodbye.").await?)
}
