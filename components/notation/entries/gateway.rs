//! Programs behind the server, and content codings.

use kamea::Pipe;

use super::{Entry, component};
use crate::cgi::CgiPorts;
use crate::http::Chunk;
use crate::web::HandlerPorts;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "cgi.serve" = serve_cgi in "cgi/serve.rs" over CgiPorts,
            needs "the files and the socket of a connection"
        },
        component! {
            "coding.encode" = encode in "coding/encode.rs" over Pipe<Chunk, Chunk>,
            needs "the pieces of a body, which only a handler makes"
        },
        component! {
            "gateway.application" = serve_application in "gateway/application.rs" over HandlerPorts,
            needs "an application"
        },
        component! {
            "gateway.graphs" = serve_graphs in "gateway/graphs.rs" over HandlerPorts,
            needs "a function that makes a graph of a request; `answer` has a line for that"
        },
        component! {
            "gateway.handler" = serve_handler in "gateway/handler.rs" over HandlerPorts,
            needs "a function"
        },
        component! {
            "gateway.websocket" = accept_websocket in "gateway/websocket.rs" over HandlerPorts,
            needs "the part that serves each WebSocket; `websocket` takes it as a line"
        },
        component! {
            "wsgi.serve" = serve_wsgi in "wsgi/serve.rs" over HandlerPorts,
            needs "the processes of an application"
        },
    ]
}
