//! A WebSocket client: sends each line of the console, and prints what the server sends.

use kamea::{Graph, map, pipeline};
use kamea_components::console::{console_echoer, console_reader};
use kamea_components::websocket::{Message, WebSocketOptions, websocket_client};
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let arguments = arguments();
    let [url] = &arguments[..] else {
        return Err("usage: websocket_talk URL, such as ws://127.0.0.1:8080/echo".into());
    };
    let client = websocket_client(url, WebSocketOptions::default())?;
    let line = |message: Message| String::from_utf8_lossy(message.payload()).into_owned() + "\n";
    let mut graph = Graph::new("talk");
    pipeline!(graph, console_reader() => map(Message::from) => client => map(line) => console_echoer());
    run(graph)
}
