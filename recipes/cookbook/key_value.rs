//! A server that stores values: `SET sky blue`, `GET sky`. All connections share one store.

use std::collections::HashMap;

use bytes::Bytes;
use kamea::{Asker, Call, Component, Done, Graph, Pipe, Sink, map_async, pipeline};
use kamea_components::net::tcp_server;
use kamea_components::stream::{LONGEST_LINE, lines};

async fn store(io: &mut Sink<Call<String, String>>) -> Done {
    let mut values = HashMap::new();
    while let Some(Call { request, reply }) = io.inbox.next().await {
        let words: Vec<_> = request.splitn(3, ' ').collect();
        reply.send(match words[..] {
            ["SET", key, value] => {
                values.insert(key.to_owned(), value.to_owned());
                "OK".to_owned()
            }
            ["GET", key] => values.get(key).cloned().unwrap_or("NONE".to_owned()),
            _ => "ERROR: GET key, or SET key value".to_owned(),
        });
    }
    Ok(())
}

fn protocol(store: Asker<String, String>) -> impl Component<Pipe<String, Bytes>> + Send {
    map_async(async move |line| match store.ask(line).await {
        Ok(answer) => Bytes::from(answer + "\n"),
        Err(error) => Bytes::from(format!("ERROR: {error}\n")),
    })
}

fn main() -> Result<(), kamea::ProgramError> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:8080".to_owned());
    let mut graph = Graph::new("key-value server");
    let store = graph.ask("store", store);
    let connection = move || pipeline!(lines(LONGEST_LINE) => protocol(store.clone()));
    graph.add("server", tcp_server(address, connection));
    kamea::run(graph)
}
