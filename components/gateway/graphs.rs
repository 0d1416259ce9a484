//! A graph for each request: makes the graph, feeds it the body, and makes a response of its
//! output.
//!
//! ```text
//! requests ──▶ ┌ serve_graphs ──────────────────────────────┐ ──▶ responses
//!              │   content ──▶ the request's graph ──▶ parts │ ──▶ failures
//!              └────────────────────────────────────────────┘
//! ```

use std::borrow::Cow;
use std::error::Error;

use bytes::Bytes;
use futures_lite::future::{or, try_zip};
use futures_lite::{Stream, stream};
use http::StatusCode;
use kamea::{Component, Done, Graph, Inbox, Outbox, Part, Ports, Receiver, Sender};

use super::respond::{Responder, ResponseError};
use crate::http::ResponseHead;
use crate::web::{Content, Failure, HandlerPorts, Incomplete, Request};

/// The ports of a graph, or a component, that serves one request.
#[derive(Debug, Ports)]
pub struct RequestPorts {
    /// The body of the request, while it arrives. Its end is the end of the body: if the body is
    /// incomplete, the graph is dropped.
    pub content: Inbox<Bytes>,
    /// The response: a head, then its body.
    pub response: Outbox<ResponsePart>,
}

/// The parts of a response, sent one after another by the graph of a request.
#[derive(Debug)]
pub enum ResponsePart {
    /// The head, first and once. If it has a `Content-Length`, the body must have that length.
    Head(ResponseHead),
    /// A part of the body.
    Data(Bytes),
    /// A failure instead of a head. After a head it cuts the connection.
    Failure {
        /// The status for the peer.
        status: StatusCode,
        /// What was wrong, in words that the peer may read.
        explanation: Cow<'static, str>,
    },
}

/// Serves each request by a graph, or a single component, that `make` creates for it.
///
/// The body enters the graph as it arrives, and the response leaves it as it is made: both at the
/// same time, each with backpressure. The response ends when the outbox `response` closes. The next
/// request of the connection starts when the whole graph has ended. A response that is complete at
/// once has a known length; a slower one is streamed.
///
/// The graph runs as a part of the connection's graph. It is dropped, with everything in it, when
/// nobody wants its response any more: the connection has ended, or the request was HEAD and the
/// head has been sent. If one of its components fails, or the body is incomplete, the request is
/// answered with an error. After a head the connection is cut instead, so that the peer does not
/// take a part for the whole.
///
/// A function that returns a single component must declare that the component keeps nothing of the
/// request: `fn make(_: &Request) -> impl Component<RequestPorts> + Send + use<>`.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::{Composite, Done, Graph, Pipe};
/// use kamea_components::gateway::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
/// use kamea_components::http::ResponseHead;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Request, Route};
///
/// async fn shout(io: &mut Pipe<bytes::Bytes, bytes::Bytes>) -> Done {
///     while let Some(bytes) = io.inbox.next().await {
///         io.outbox.send(bytes.to_ascii_uppercase().into()).await?;
///     }
///     Ok(())
/// }
///
/// async fn respond(io: &mut Pipe<bytes::Bytes, ResponsePart>) -> Done {
///     io.outbox.send(ResponsePart::Head(ResponseHead::new(StatusCode::OK))).await?;
///     while let Some(bytes) = io.inbox.next().await {
///         io.outbox.send(ResponsePart::Data(bytes)).await?;
///     }
///     Ok(())
/// }
///
/// /// Gives the content back in capitals, while it comes in.
/// fn capitals(_: &Request) -> Composite<RequestPorts> {
///     let mut graph = Graph::new("capitals");
///     let (shout, respond) = (graph.add("shout", shout), graph.add("respond", respond));
///     graph.link(shout.outbox, respond.inbox);
///     graph.expose(RequestPortsHandles { content: shout.inbox, response: respond.outbox })
/// }
///
/// let route = Route::path("/capitals").method("POST")?;
/// let server = WebServer::new(Site::new(".")).route("capitals", route, serve_graphs(capitals));
/// # server.check().unwrap();
/// # Ok::<(), http::method::InvalidMethod>(())
/// ```
pub fn serve_graphs<P, Kind>(
    make: impl Fn(&Request) -> P + Clone + Send + Sync + 'static,
) -> impl Component<HandlerPorts> + Clone + Send + Sync
where
    P: Part<RequestPorts, Kind> + 'static,
    Kind: 'static,
{
    async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            let graph = make(&request);
            // Boxed, so that connections that do not use it do not carry its size.
            Box::pin(serve(io, request, graph)).await?;
        }
        Ok(())
    }
}

/// Why the graph of a request was stopped.
enum Stop {
    /// Nobody wants its response any more.
    Unwanted,
    /// The body of the request is incomplete.
    Incomplete(Incomplete),
    /// It reported a failure.
    Failure(StatusCode, Cow<'static, str>),
    /// It failed.
    Fault(Box<dyn Error>),
}

async fn serve<Kind>(
    io: &HandlerPorts,
    request: Request,
    part: impl Part<RequestPorts, Kind>,
) -> Done {
    let exchange = request.exchange;
    log::debug!("{} | Handle Graph", exchange.peer);
    let responder = Responder::new(io, exchange);
    match run(&responder, request.content, part).await {
        Ok(()) | Err(Stop::Unwanted) => Ok(()),
        Err(Stop::Incomplete(cut)) => responder.fail(Failure::incomplete(exchange, cut)).await,
        Err(Stop::Failure(status, explanation)) => {
            let failure = Failure::new(exchange, status, explanation);
            responder.fail(failure).await
        }
        Err(Stop::Fault(cause)) => responder.fault(cause).await,
    }
}

async fn run<Kind>(
    responder: &Responder<'_>,
    content: Option<Box<Content>>,
    part: impl Part<RequestPorts, Kind>,
) -> Result<(), Stop> {
    let mut graph = Graph::new("request");
    let ports = graph.add("handler", part);
    let (to_graph, parts) = (graph.feed(ports.content), graph.take(ports.response));
    let flow = graph.start().map_err(|error| Stop::Fault(error.into()))?;
    let flow = async { flow.await.map_err(|fault| Stop::Fault(fault.into())) };
    let served = async { try_zip(flow, respond(responder, parts)).await.map(drop) };
    let served = or(feed(content, to_graph), served);
    let served = responder.while_wanted(served).await;
    served.unwrap_or(Err(Stop::Unwanted))
}

/// Feeds the body to the graph, as long as the graph reads. Ends only if the body is incomplete.
async fn feed(content: Option<Box<Content>>, to_graph: Sender<Bytes>) -> Result<(), Stop> {
    if let Some(mut content) = content {
        while let Some(bytes) = content.next().await.map_err(Stop::Incomplete)? {
            if to_graph.send(bytes).await.is_err() {
                break;
            }
        }
    }
    drop(to_graph);
    std::future::pending().await
}

/// Makes a response from its parts.
async fn respond(responder: &Responder<'_>, mut parts: Receiver<ResponsePart>) -> Result<(), Stop> {
    let head = match parts.next().await {
        Some(ResponsePart::Head(head)) => head,
        Some(ResponsePart::Data(_)) => return Err(wrong("it sent content before a head")),
        Some(ResponsePart::Failure {
            status,
            explanation,
        }) => {
            return Err(Stop::Failure(status, explanation));
        }
        None => return Err(wrong("it ended without a response")),
    };
    let responded = responder.respond(head, content_of(parts)).await;
    responded.map_err(|broken| match broken {
        ResponseError::Unwanted => Stop::Unwanted,
        ResponseError::Head(what) => wrong(what),
        ResponseError::Content(stop) => stop,
    })
}

fn content_of(parts: Receiver<ResponsePart>) -> impl Stream<Item = Result<Bytes, Stop>> {
    stream::unfold(parts, async |mut parts| {
        let data = match parts.next().await? {
            ResponsePart::Data(bytes) => Ok(bytes),
            ResponsePart::Head(_) => Err(wrong("it sent a second head")),
            ResponsePart::Failure {
                status,
                explanation,
            } => Err(Stop::Failure(status, explanation)),
        };
        Some((data, parts))
    })
}

fn wrong(what: &str) -> Stop {
    Stop::Fault(format!("the graph of a request is wrong: {what}").into())
}

#[cfg(test)]
mod tests;
