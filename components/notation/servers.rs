//! Servers in a text: the component that listens begins a line, and the component that serves
//! connections ends it.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use kamea::{Component, Composite, Done, Graph, Pipe, Sink, Source, map, pipeline};

use super::mistake::Mistake;
use super::parameter::LineOf;
use crate::cgi::CgiOptions;
use crate::gateway::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
use crate::http::{Fields, ResponseHead};
use crate::net::{Accepted, accept, bind};
use crate::server::{Site, WebServer};
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
    pushed.map_err(|error| Mistake::nowhere(error.to_string()))?;
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
    let server = server.map_err(|error| Mistake::nowhere(error.to_string()))?;
    let accepted = map(|HttpConnection(accepted): HttpConnection| accepted);
    Ok(pipeline!(accepted => server))
}
