//! WebSockets.

use std::path::PathBuf;

use bytes::Bytes;
use kamea::{Composite, Pipe, map, pipeline};

use super::{Entry, component};
use crate::notation::mistake::Mistake;
use crate::notation::parameter::LineOf;
use crate::notation::value::Size;
use crate::tls::{Certificate, ClientTls};
use crate::websocket::{
    Limits, Message, OpeningPorts, ReceivePorts, SendPorts, WebSocketOptions, websocket,
    websocket_client,
};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "websocket" = websocket in "websocket/part.rs" {
                /// The line that serves a connection, over the texts of messages.
                line: LineOf<Pipe<String, String>>,
                /// The largest message.
                largest: Size = "1MiB",
                /// The only path that is served; any path without it.
                path: Option<String>,
                => serve(line, largest, path)
            }
        },
        component! {
            "websocket.accept" = accept_opening in "websocket/opening.rs" over OpeningPorts,
            needs "what the handshake may accept; `websocket` has it"
        },
        component! {
            "websocket.connect" = connect_websocket in "websocket/connect.rs" over Pipe<Message, Message>,
            needs "a policy that restarts it; `websocket_client` is the client of a text"
        },
        component! {
            "websocket.receive" = receive_messages in "websocket/receive.rs" over ReceivePorts,
            needs "which end of a connection it is; `websocket` and `websocket_client` know it"
        },
        component! {
            "websocket.request" = request_opening in "websocket/opening.rs" over OpeningPorts,
            needs "the URL of a server; `websocket_client` takes it"
        },
        component! {
            "websocket.send" = send_messages in "websocket/send.rs" over SendPorts,
            needs "which end of a connection it is; `websocket` and `websocket_client` know it"
        },
        component! {
            "websocket.upgraded" = upgraded_websocket in "websocket/part.rs" over Pipe<Bytes, Bytes>,
            needs "what a handshake has agreed to; `websocket` does the handshake"
        },
        component! {
            "websocket.upgraded_with_close" = upgraded_websocket_with_close in "websocket/part.rs" over Pipe<Bytes, Bytes>,
            needs "what a handshake has agreed to; `websocket` does the handshake"
        },
        component! {
            "websocket_client" = websocket_client in "websocket/client.rs" {
                /// The server, as ws://host:port/path or wss://host:port/path.
                url: String,
                /// The largest message.
                largest: Size = "1MiB",
                /// Over wss: the PEM file of the certificates to trust. Those of the system without
                /// it.
                authorities: Option<PathBuf>,
                => client(&url, largest, authorities)?
            }
        },
    ]
}

fn options(largest: Size) -> WebSocketOptions {
    let message = largest.0 as u64;
    WebSocketOptions {
        limits: Limits {
            message,
            ..Limits::default()
        },
        ..WebSocketOptions::default()
    }
}

/// The text of a message; of a binary one, what of it is text.
fn text(message: Message) -> String {
    String::from_utf8_lossy(message.payload()).into_owned()
}

fn serve(
    line: LineOf<Pipe<String, String>>,
    largest: Size,
    path: Option<String>,
) -> Composite<Pipe<Bytes, Bytes>> {
    let mut options = options(largest);
    options.handshake.path = path;
    let line = line.make();
    websocket(options, pipeline!(map(text) => line => map(Message::text)))
}

fn client(
    url: &str,
    largest: Size,
    authorities: Option<PathBuf>,
) -> Result<Composite<Pipe<String, String>>, Mistake> {
    let mut options = options(largest);
    if let Some(file) = authorities {
        let wrong = |why: String| Mistake::nowhere(format!("`authorities`: {why}"));
        let trusted = Certificate::read_authorities(&file).map_err(|why| wrong(why.to_string()))?;
        let tls = ClientTls::trusting_all(&trusted).map_err(|why| wrong(why.to_string()))?;
        options.tls = Some(tls);
    }
    let client =
        websocket_client(url, options).map_err(|invalid| Mistake::nowhere(invalid.to_string()))?;
    Ok(pipeline!(map(Message::text) => client => map(text)))
}
