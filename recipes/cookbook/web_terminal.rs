//! A terminal in the browser, behind a login: each WebSocket has a shell of its own.

use kamea::{map, pipeline};
use kamea_components::process::{Command, unix_process};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Response, Route, User, ask_for_password};
use kamea_components::websocket::Message;
use kamea_recipes::{Outcome, serve, server_arguments};

const PAGE: &str = include_str!("web_terminal.html");

/// A shell in a terminal: `script` opens one (pty(7)) and passes it on to its own streams.
fn shell() -> Command {
    let shell = Command::new("script").args(["-qfc", "exec sh -i", "/dev/null"]);
    shell.env("TERM", "dumb").env("PS1", "$ ")
}

fn main() -> Outcome {
    let arguments = server_arguments();
    let [_, user] = &arguments[..] else {
        return Err("usage: web_terminal ADDRESS NAME:HASH (htpasswd -nB NAME makes one)".into());
    };
    let user: User = user.parse()?;
    // What is typed goes in as it is, and what the terminal shows comes back as bytes: a read may
    // end within a character.
    let typed = || map(|message: Message| message.payload().clone());
    let shown = || map(Message::binary);
    let terminal = move || pipeline!(typed() => unix_process(shell()) => shown());
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(Site::new("www"))
        .filter("login", ask_for_password(vec![user]))
        .websocket("/terminal", terminal)
        .handle("page", Route::path("/").method("GET")?, page);
    serve(server)
}
