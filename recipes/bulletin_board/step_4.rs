//! The bulletin board, step 4: a menu.

use bytes::Bytes;
use kamea::{Done, Graph, map, pipeline};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

mod conversation;

use conversation::{User, ask, login, say};

fn main() -> Outcome {
    let [address] = &arguments()[..] else {
        return Err("usage: bulletin_board_4 ADDRESS".into());
    };
    let mut graph = Graph::new("bulletin board");
    let protocol = || pipeline!(lines(512) => converse => map(Bytes::from));
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}

/// One conversation, from the greeting to the goodbye: its parts run one after another.
async fn converse(user: &mut User) -> Done {
    say(user, "Welcome to the bulletin board.").await?;
    let Some(nick) = login(user).await else {
        return Ok(());
    };
    say(user, &format!("Hello, {nick}. h is for help.")).await?;
    menu(user).await?;
    Ok(say(user, "Goodbye.").await?)
}

/// Executes the user's choices, until the user leaves.
async fn menu(user: &mut User) -> Done {
    while let Some(choice) = ask(user, "> ").await {
        match choice.as_str() {
            "h" => say(user, "h  this help\r\nq  leave").await?,
            "q" => break,
            _ => say(user, "There is no such choice; h is for help.").await?,
        }
    }
    Ok(())
}
