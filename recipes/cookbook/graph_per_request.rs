//! A graph for each request: the body goes through its own pipeline, line by line, while the
//! response is sent.

use bytes::Bytes;
use http::StatusCode;
use kamea::{Composite, Done, End, Graph, Pipe};
use kamea_components::gateway::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
use kamea_components::http::{Fields, ResponseHead};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Route};
use kamea_recipes::{Outcome, serve};

/// The longest line, in bytes.
const LONGEST: usize = 64 * 1024;

/// Splits a stream of chunks into lines.
async fn split_lines(io: &mut Pipe<Bytes, String>) -> Done {
    let mut line = Vec::new();
    while let Some(bytes) = io.inbox.next().await {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            line.extend_from_slice(piece);
            if line.len() > LONGEST {
                return Err(End::fault("a line is too long"));
            }
            if line.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&line).into_owned();
                io.outbox.send(text).await?;
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        io.outbox
            .send(String::from_utf8_lossy(&line).into_owned())
            .await?;
    }
    Ok(())
}

/// Numbers the lines, which are the response. It begins with the first line.
async fn number_lines(io: &mut Pipe<String, ResponsePart>) -> Done {
    let head = ResponseHead {
        fields: Fields::new().with("Content-Type", "text/plain; charset=utf-8"),
        ..ResponseHead::new(StatusCode::OK)
    };
    io.outbox.send(ResponsePart::Head(head)).await?;
    let mut number = 0;
    while let Some(line) = io.inbox.next().await {
        number += 1;
        let line = format!("{number:>4}  {line}");
        io.outbox.send(ResponsePart::Data(line.into())).await?;
    }
    Ok(())
}

fn numbering(_: &Request) -> Composite<RequestPorts> {
    let mut graph = Graph::new("numbering");
    let split = graph.add("split", split_lines);
    let number = graph.add("number", number_lines);
    graph.link(split.outbox, number.inbox);
    graph.expose(RequestPortsHandles {
        content: split.inbox,
        response: number.outbox,
    })
}

fn main() -> Outcome {
    let route = Route::path("/number").method("POST")?;
    serve(WebServer::new(Site::new("www")).route("number", route, serve_graphs(numbering)))
}
