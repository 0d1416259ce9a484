//! Load over WebSockets: what each connection sends, and its handshake.

use clap::Args;
use kamea_components::http::{Fields, Url};
use kamea_components::load::{
    Generator, Load, MessageConnection, generate_messages, open_websocket,
};
use kamea_components::net::dial_any;
use kamea_components::websocket::{DeflateOptions, HandshakeOptions, Message};

use super::Failed;
use super::requests::{Server, connect, content, deal, fields, server};
use crate::options::Options;
use crate::values::{Size, Weighted};

/// The default size of a message, in bytes.
const USUAL_SIZE: usize = 20;

/// What messages are made of: text that compresses like text.
const TEXT: &str = "A message of thor, which measures how long servers take for their answers. ";

/// The messages of load over WebSockets.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load over WebSockets")]
pub(crate) struct MessageOptions {
    /// Size of each message: 20, 16KiB, 1MiB [default: 20 bytes]
    #[arg(
        long,
        value_name = "BYTES",
        requires = "how_much",
        conflicts_with = "body"
    )]
    message_size: Option<Size>,
    /// Send binary messages instead of text
    #[arg(long, requires = "how_much")]
    binary: bool,
    /// Compress messages (permessage-deflate, RFC 7692)
    #[arg(long, requires = "how_much")]
    deflate: bool,
    /// Subprotocol to ask for; repeatable
    #[arg(long, value_name = "NAME", requires = "how_much")]
    subprotocol: Vec<String>,
}

impl MessageOptions {
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        let options = [
            (self.message_size.is_some(), "--message-size"),
            (self.binary, "--binary"),
            (self.deflate, "--deflate"),
            (!self.subprotocol.is_empty(), "--subprotocol"),
        ];
        first_given(&options)
    }

    fn handshake(&self) -> HandshakeOptions {
        let deflate = DeflateOptions {
            peer_keeps_context: true,
            ..DeflateOptions::default()
        };
        HandshakeOptions {
            protocols: self.subprotocol.clone(),
            deflate: self.deflate.then_some(deflate),
            ..HandshakeOptions::default()
        }
    }
}

fn first_given(options: &[(bool, &'static str)]) -> Option<&'static str> {
    let given = options.iter().find(|(is_given, _)| *is_given);
    given.map(|(_, name)| *name)
}

/// Whether the URLs are those of WebSockets.
///
/// # Errors
///
/// URLs of both kinds, or options that are for the other one.
pub(super) fn are_websockets(options: &Options, urls: &[Weighted]) -> Result<bool, Failed> {
    let usage = |why: String| Err(Failed::Usage(why));
    let count = urls.iter().filter(|url| url.target.is_websocket).count();
    if count == 0 {
        return match options.messages.given() {
            Some(option) => usage(format!("{option} is for WebSockets: ws:// or wss://")),
            None => Ok(false),
        };
    }
    if count < urls.len() {
        return usage("a run is over HTTP or over WebSockets: the URLs are of both".to_owned());
    }
    let load = &options.load;
    let others = [
        (load.method.is_some(), "--method"),
        (load.no_keep_alive, "--no-keep-alive"),
        (options.strict, "--strict"),
    ];
    match first_given(&others) {
        Some(option) => usage(format!(
            "{option} is for HTTP, and the URL is of a WebSocket"
        )),
        None => Ok(true),
    }
}

/// The load of the options over WebSockets.
pub(super) fn generator(
    options: &Options,
    urls: &[Weighted],
    load: Load,
) -> Result<Generator, Failed> {
    let message = message(options)?;
    let fields = fields(options)?;
    check_fields(&fields)?;
    let tls = options.tls.for_urls(urls).map_err(Failed::Usage)?;
    let servers = urls.iter().map(|Weighted { target, weight }| {
        let (url, weight) = (target.url.clone(), u64::from(*weight));
        server(&target.url, tls.as_ref(), weight, url)
    });
    let servers: Vec<Server<Url>> = servers.collect::<Result<_, _>>()?;
    let dealt = deal(&servers, load.connections)?;
    let (handshake, timeout) = (options.messages.handshake(), options.timeout.0);
    let deflate = handshake.deflate.is_some();
    Ok(generate_messages(load, move |connection| {
        let Server {
            addresses,
            tls,
            work: url,
            ..
        } = servers[dealt[connection]].clone();
        let (handshake, fields) = (handshake.clone(), fields.clone());
        let open = async move |address| {
            let socket = connect(tls.as_ref(), address).await?;
            open_websocket(socket, &url, &handshake, &fields).await
        };
        MessageConnection {
            message: message.clone(),
            deflate,
            dial: dial_any(addresses, open, timeout),
        }
    }))
}

/// The message that is sent again and again.
fn message(options: &Options) -> Result<Message, Failed> {
    let bytes = match &options.load.body {
        Some(_) => content(options)?,
        None => {
            let size = options.messages.message_size;
            let size = size.map_or(USUAL_SIZE, |Size(size)| size);
            TEXT.bytes().cycle().take(size).collect()
        }
    };
    if options.messages.binary {
        return Ok(Message::binary(bytes));
    }
    String::from_utf8(bytes).map(Message::from).map_err(|_| {
        Failed::Usage("--body: the message is not UTF-8; --binary sends any bytes".to_owned())
    })
}

/// Fails if one of these fields belongs to the handshake itself.
fn check_fields(fields: &Fields) -> Result<(), Failed> {
    let own = [
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
    ];
    let own = own
        .iter()
        .chain(&["sec-websocket-extensions", "sec-websocket-protocol"]);
    for name in own {
        if fields.contains(name) {
            let why = match *name {
                "sec-websocket-protocol" => "--subprotocol asks for one",
                "sec-websocket-extensions" => "--deflate asks for compression",
                _ => "the handshake has its own",
            };
            return Err(Failed::Usage(format!("-H '{name}': {why}")));
        }
    }
    Ok(())
}
