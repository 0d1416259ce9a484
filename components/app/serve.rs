//! The component of an application: requests in, responses and failures out.

mod listen;
mod main_function;
mod problems;
mod record;

use std::sync::Arc;

use futures_lite::StreamExt;
use http::{Method, StatusCode};
use kamea::time::now;
use kamea::{Component, End, Sender, link};
use kamea_components::gateway::Chunks;
use kamea_components::http::{Chunk, ResponseHead, Target};
use kamea_components::web::{Body, Exchange, Failure, HandlerPorts, Request, Response};

pub use listen::AppError;
pub use problems::answer_problems;
use record::{Answered, Latencies};

use crate::context::Context;
use crate::handler::Endpoint;
use crate::layers::{self, Layers};
use crate::reply::ReplyContent;
use crate::routes::{Found, Table};
use crate::{App, Problem, Reply, RouteError, Urls};

/// How many chunks of a stream may wait for the encoder.
const CHUNKS: usize = 4;

/// The parts of an application that every connection shares.
#[derive(Clone)]
struct Served {
    layers: Layers,
    dispatch: Endpoint,
    body_limit: usize,
    latencies: Arc<Latencies>,
}

/// Serves requests by an application, one after another on each connection.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, answer_problems, serve_app};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::Route;
///
/// let api = App::new().get("/api/hello", async || "hello\n");
/// let server = WebServer::new(Site::new("."))
///     .route("api", Route::below("/api"), serve_app(&api)?)
///     .errors(answer_problems());
/// # server.check().unwrap();
/// # Ok::<(), kamea_app::RouteError>(())
/// ```
///
/// # Errors
///
/// [`RouteError`], if the routes conflict.
pub fn serve_app<S: Send + Sync + 'static>(
    app: &App<S>,
) -> Result<impl Component<HandlerPorts> + Clone + Send + Sync + use<S>, RouteError> {
    let table = Arc::new(app.table()?);
    let urls = Urls::of(&table);
    let patterns = table
        .resources
        .iter()
        .map(|resource| resource.pattern.clone());
    let latencies = Arc::new(Latencies::new(patterns));
    let shown = latencies.clone();
    let metrics = app.metrics_path();
    let served = Served {
        layers: app.outer_layers(),
        dispatch: Arc::new(move |mut context| {
            let (table, shown) = (table.clone(), shown.clone());
            if !urls.is_empty() {
                context.insert(urls.clone());
            }
            let is_metrics = metrics.as_deref() == Some(context.path());
            Box::pin(async move {
                match is_metrics {
                    true => Reply::text(shown.to_prometheus()),
                    false => dispatch(&table, context).await,
                }
            })
        }),
        body_limit: app.memory_limit(),
        latencies,
    };
    Ok(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            // Boxed, so that connections that do not use it do not carry its size.
            Box::pin(serve(io, &served, request)).await?;
        }
        Ok(())
    })
}

/// Finds the route of a request, and answers by it.
async fn dispatch(table: &Table, mut context: Context) -> Reply {
    let found = table.find(context.head());
    if let Some(resource) = found.resource() {
        context.pattern = Some(resource.pattern.clone());
    }
    let route = found.resource().map(|resource| resource.index);
    let reply = match found {
        Found::Handler {
            handler, captures, ..
        } => {
            context.captures = captures;
            layers::run(&handler.layers, &handler.endpoint, context).await
        }
        Found::Options { allow, .. } => Reply::new(StatusCode::NO_CONTENT).field("Allow", allow),
        Found::NotAllowed { allow, .. } => {
            let detail = format!("{} is not for this resource", context.method());
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
            problem.field("Allow", allow).into()
        }
        Found::Elsewhere(location) => {
            Reply::new(StatusCode::PERMANENT_REDIRECT).field("Location", location)
        }
        Found::Nothing(Some(fallback)) => {
            layers::run(&fallback.layers, &fallback.endpoint, context).await
        }
        Found::Nothing(None) => Problem::not_found("there is nothing at this place").into(),
        Found::Invalid(why) => Problem::bad_request(why).into(),
    };
    Reply {
        route: reply.route.or(route),
        ..reply
    }
}

/// What the record needs of a request, once the request itself is gone.
struct Asked {
    method: Method,
    target: Target,
    exchange: Exchange,
}

async fn serve(io: &HandlerPorts, served: &Served, request: Request) -> Result<(), End> {
    let start = now();
    let context = Context::new(request, served.body_limit);
    let asked = Asked {
        method: context.method().clone(),
        target: context.head().target.clone(),
        exchange: context.request.exchange,
    };
    let reply = layers::run(&served.layers, &served.dispatch, context).await;
    let (status, route) = (reply.status, reply.route);
    let id = reply.fields.get("x-request-id");
    let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
    let sent = respond(io, asked.exchange, reply).await;
    served.latencies.record(&Answered {
        method: &asked.method,
        path: asked.target.path(),
        route,
        status,
        bytes: sent.as_ref().copied().unwrap_or_default(),
        elapsed: now().duration_since(start),
        id: id.as_deref(),
    });
    sent.map(drop)
}

/// Sends a reply as a response, or as a failure. Returns the length of the body, if it is known.
async fn respond(io: &HandlerPorts, exchange: Exchange, reply: Reply) -> Result<u64, End> {
    let Reply {
        status,
        fields,
        content,
        ..
    } = reply;
    let head = ResponseHead {
        fields,
        ..ResponseHead::new(status)
    };
    let (body, length) = match content {
        ReplyContent::Bytes(bytes) if bytes.is_empty() => (Body::Empty, 0),
        ReplyContent::Bytes(bytes) => {
            let length = bytes.len() as u64;
            (Body::Bytes(bytes), length)
        }
        ReplyContent::Body(body) => {
            let length = length(&body);
            (body, length)
        }
        ReplyContent::Stream(chunks) => {
            let (sender, receiver) = link(CHUNKS);
            let body = Body::Stream {
                chunks: receiver,
                length: None,
            };
            send(io, exchange, head, body).await?;
            return Ok(pump(exchange, chunks, sender).await);
        }
        ReplyContent::File(_) => {
            // A layer has answered with a file, and only a handler can.
            let problem = Problem::internal("a layer cannot answer with a file");
            return fail(io, exchange, head, problem).await;
        }
        ReplyContent::Problem(problem) => return fail(io, exchange, head, *problem).await,
    };
    send(io, exchange, head, body).await?;
    Ok(length)
}

fn length(body: &Body) -> u64 {
    match body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File(slice) => slice.length,
        Body::Pieces(pieces) => pieces.iter().map(|piece| piece.length()).sum(),
        _ => 0,
    }
}

async fn fail(
    io: &HandlerPorts,
    exchange: Exchange,
    head: ResponseHead,
    mut problem: Problem,
) -> Result<u64, End> {
    if let Some(cause) = problem.cause.take() {
        log::error!("{} | {cause}", exchange.peer);
    }
    let failure = Failure {
        fields: head.fields,
        status: head.status,
        ..problem.into_failure(exchange)
    };
    io.failures.send(failure).await?;
    Ok(0)
}

async fn send(
    io: &HandlerPorts,
    exchange: Exchange,
    head: ResponseHead,
    body: Body,
) -> Result<(), End> {
    let response = Response {
        exchange,
        head,
        body,
    };
    Ok(io.responses.send(response).await?)
}

/// Sends the chunks of a stream while the peer wants them. If it fails, the end is missing, and the
/// connection is cut. Returns how many bytes were sent.
async fn pump(exchange: Exchange, mut chunks: Chunks, sender: Sender<Chunk>) -> u64 {
    let mut bytes = 0;
    loop {
        let chunk = match sender.while_open(chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => {
                log::error!(
                    "{} | the stream of a response has failed: {error}",
                    exchange.peer
                );
                return bytes;
            }
            Ok(None) => {
                // If nobody wants the end, nobody misses it.
                let _ = sender.send(Chunk::END).await;
                return bytes;
            }
            Err(_) => return bytes,
        };
        let length = chunk.len() as u64;
        // An empty chunk would be the end of a chunked body.
        if length > 0 && sender.send(Chunk::Data(chunk)).await.is_err() {
            return bytes;
        }
        bytes += length;
    }
}
