//! The bulletin board, step 5: users read messages from a file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use kamea::{Closed, Component, Done, Graph, map, pipeline, unblock};
use kamea_components::net::tcp_server;
use kamea_components::stream::lines;
use kamea_recipes::{Outcome, arguments, run};

mod conversation;

use conversation::{User, ask, login, say};

fn main() -> Outcome {
    let [address, file] = &arguments()[..] else {
        return Err("usage: bulletin_board_5 ADDRESS FILE".into());
    };
    let file = PathBuf::from(file);
    let mut graph = Graph::new("bulletin board");
    let protocol = move || pipeline!(lines(512) => converse(file.clone()) => map(Bytes::from));
    graph.add("server", tcp_server(address.as_str(), protocol));
    run(graph)
}

/// One conversation, from the greeting to the goodbye.
fn converse(file: PathBuf) -> impl Component<User> {
    async move |user: &mut User| {
        say(user, "Welcome to the bulletin board.").await?;
        let Some(nick) = login(user).await else {
            return Ok(());
        };
        say(user, &format!("Hello, {nick}. h is for help.")).await?;
        menu(user, &file).await?;
        Ok(say(user, "Goodbye.").await?)
    }
}

/// Executes the user's choices, until the user leaves.
async fn menu(user: &mut User, file: &Path) -> Done {
    while let Some(choice) = ask(user, "> ").await {
        match choice.as_str() {
            "r" => read(user, file).await?,
            "q" => break,
            _ => say(user, "r  read the messages\r\nq  leave").await?,
        }
    }
    Ok(())
}

/// Sends the messages, which are the lines of a file.
async fn read(user: &User, file: &Path) -> Result<(), Closed<String>> {
    let file = file.to_owned();
    let messages = unblock(move || std::fs::read_to_string(file)).await;
    for message in messages.unwrap_or_default().lines() {
        say(user, message).await?;
    }
    Ok(())
}
