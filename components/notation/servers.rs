//! Servers in a text: the component that listens begins a line, and the component that serves
//! connections ends it.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use kamea::{Component, Composite, Done, Graph, MessageType, Pipe, Sink, Source, map, pipeline};

use super::mistake::Mistake;
use super::parameter::LineOf;
use crate::cgi::CgiOptions;
use crate::gateway::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
use crate::http::{Fields, ResponseHead};
use crate::net::{Accepted, Arrival, accept, bind, serve_connections_by};
use crate::server::{Site, WebServer};
use crate::tls::{Certificate, ClientTls, ServerTls, TlsOptions, tls_client, tls_server};
use crate::web::Route;

/// A connection that will speak HTTP.
#[derive(Debug)]
pub(super) struct HttpConnection(Accepted);

/// Listens for TCP connections, and passes them on. Logs its address.
pub(super) fn tcp(address: SocketAddr) -> Result<impl Component<Source<Accepted>> + Send, Mistake> {
    let failed = |error| Mistake::nowhere(format!("cannot listen on {address}: {error}"));
    let listener = bind(address, false).map_err(failed)?;
    log::info!("Listening on {}", listener.local_addr().map_err(failed)?);
    Ok(accept(listener))
}

/// Listens for connections of HTTP clients, and passes them on. Logs its address.
pub(super) fn http(address: SocketAddr) -> Result<Composite<Source<HttpConnection>>, Mistake> {
    Ok(pipeline!(tcp(address)? => map(HttpConnection)))
}

/// A connection that will speak TLS.
#[derive(Debug)]
pub(super) struct SecureConnection {
    accepted: Accepted,
    tls: ServerTls,
}

impl From<SecureConnection> for Arrival {
    fn from(connection: SecureConnection) -> Self {
        connection.accepted.into()
    }
}

/// The component that gives connections of this type, if they are served by `each`.
pub(super) fn connections_of(message: MessageType) -> Option<&'static str> {
    let servers = [
        (MessageType::of::<Accepted>(), "tcp"),
        (MessageType::of::<SecureConnection>(), "tls"),
    ];
    let found = servers.into_iter().find(|(given, _)| *given == message);
    found.map(|(_, name)| name)
}

/// Listens for connections of TLS clients, and passes them on; `each` serves them by a line of
/// plaintext. Logs its address. The certificate is read once, at the start.
pub(super) fn tls(
    address: SocketAddr,
    certificate: &Path,
    key: Option<&Path>,
) -> Result<Composite<Source<SecureConnection>>, Mistake> {
    // A file may have both.
    let certificate = Certificate::read(certificate, key.unwrap_or(certificate));
    let mut options = TlsOptions::new(vec![certificate.map_err(failed)?]);
    // A line speaks a protocol of its own: none is agreed on.
    options.protocols.clear();
    let tls = ServerTls::new(options).map_err(failed)?;
    let secure = move |accepted| SecureConnection {
        accepted,
        tls: tls.clone(),
    };
    Ok(pipeline!(tcp(address)? => map(secure)))
}

/// Serves each TLS connection by its own line of plaintext.
pub(super) fn each_secure(
    line: LineOf<Pipe<Bytes, Bytes>>,
) -> impl Component<Sink<SecureConnection>> + Send {
    serve_connections_by(move |connection: &SecureConnection| {
        tls_server(&connection.tls, line.make())
    })
}

/// Connects to a server over TLS. Trusts the authorities in a file, or those of the system.
pub(super) fn secure_client(
    server: &str,
    authorities: Option<&Path>,
    is_insecure: bool,
    connect_within: Duration,
) -> Result<Composite<Pipe<Bytes, Bytes>>, Mistake> {
    let tls = match authorities {
        _ if is_insecure => ClientTls::trusting_anyone(),
        Some(file) => {
            ClientTls::trusting_all(&Certificate::read_authorities(file).map_err(failed)?)
        }
        None => ClientTls::trusting_system(),
    };
    tls.and_then(|tls| tls_client(&tls, server, connect_within))
        .map_err(failed)
}

fn failed(error: impl fmt::Display) -> Mistake {
    Mistake::nowhere(error.to_string())
}

/// Serves the files of a folder over HTTP, like `spidey`, on one worker.
pub(super) fn files(
    folder: PathBuf,
    writable: bool,
    hidden: bool,
    cgi: bool,
) -> Result<Composite<Sink<HttpConnection>>, Mistake> {
    let mut site = Site::new(folder);
    site.files.writable = writable;
    site.files.hidden = hidden;
    let server = WebServer::new(site);
    serve(if cgi {
        server.cgi(CgiOptions::default())
    } else {
        server
    })
}

/// Answers each HTTP request, of any method and path, with its own line: the input is the body of
/// the request, and the output is the body of the response.
pub(super) fn answer(
    line: LineOf<Pipe<Bytes, Bytes>>,
    media_type: &str,
) -> Result<Composite<Sink<HttpConnection>>, Mistake> {
    let mut fields = Fields::new();
    let pushed = fields.push("Content-Type", media_type);
    pushed.map_err(failed)?;
    let make = move |_: &_| {
        let fields = fields.clone();
        let mut graph = Graph::new("answer");
        let line = graph.add("line", line.make());
        let respond = graph.add("respond", respond(fields));
        graph.link(line.outbox, respond.inbox);
        graph.expose::<RequestPorts>(RequestPortsHandles {
            content: line.inbox,
            response: respond.outbox,
        })
    };
    let server = WebServer::new(Site::new("."));
    serve(server.route("answer", Route::any_path(), serve_graphs(make)))
}

/// Puts a head before the body of a response.
fn respond(fields: Fields) -> impl Component<Pipe<Bytes, ResponsePart>> + Send {
    async move |io: &mut Pipe<Bytes, ResponsePart>| -> Done {
        let mut head = ResponseHead::new(http::StatusCode::OK);
        head.fields = fields.clone();
        io.outbox.send(ResponsePart::Head(head)).await?;
        while let Some(bytes) = io.inbox.next().await {
            io.outbox.send(ResponsePart::Data(bytes)).await?;
        }
        Ok(())
    }
}

fn serve(server: WebServer) -> Result<Composite<Sink<HttpConnection>>, Mistake> {
    let server = server.into_part();
    let server = server.map_err(failed)?;
    let accepted = map(|HttpConnection(accepted): HttpConnection| accepted);
    Ok(pipeline!(accepted => server))
}
