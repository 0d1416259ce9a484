//! The component of an application: requests in, responses and failures out.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::{StreamExt, future::or};
use http::StatusCode;
use kamea::time::now;
use kamea::{Component, Done, Sender, link};
use kamea_components::gateway::Chunks;
use kamea_components::http::{Chunk, ResponseHead};
use kamea_components::web::{Body, Exchange, Failure, HandlerPorts, Request, Response};

use crate::context::Context;
use crate::handler::Endpoint;
use crate::layers::{self, Layers};
use crate::reply::ReplyContent;
use crate::routes::{Found, Table};
use crate::{App, Problem, Reply, RouteError};

/// How many chunks of a stream may wait for the encoder.
const CHUNKS: usize = 4;

/// The parts of an application that every connection shares.
#[derive(Clone)]
struct Served {
    layers: Layers,
    dispatch: Endpoint,
    body_limit: usize,
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
    let served = Served {
        layers: app.outer_layers(),
        dispatch: Arc::new(move |context| Box::pin(dispatch(table.clone(), context))),
        body_limit: app.memory_limit(),
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
async fn dispatch(table: Arc<Table>, mut context: Context) -> Reply {
    match table.find(context.head()) {
        Found::Handler {
            resource,
            handler,
            captures,
        } => {
            context.captures = captures;
            context.pattern = Some(resource.pattern.clone());
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
    }
}

async fn serve(io: &HandlerPorts, served: &Served, request: Request) -> Done {
    let start = now();
    let context = Context::new(request, served.body_limit);
    let exchange = context.request.exchange;
    let reply = layers::run(&served.layers, &served.dispatch, context).await;
    let _ = start;
    respond(io, exchange, reply).await
}

/// Sends a reply as a response, or as a failure.
async fn respond(io: &HandlerPorts, exchange: Exchange, reply: Reply) -> Done {
    let Reply {
        status,
        fields,
        content,
    } = reply;
    let head = ResponseHead { status, fields };
    match content {
        ReplyContent::Bytes(bytes) => {
            let body = match bytes.is_empty() {
                true => Body::Empty,
                false => Body::Bytes(bytes),
            };
            send(io, exchange, head, body).await
        }
        ReplyContent::Stream(chunks) => {
            let (sender, receiver) = link(CHUNKS);
            let body = Body::Stream {
                chunks: receiver,
                length: None,
            };
            send(io, exchange, head, body).await?;
            pump(exchange, chunks, sender).await;
            Ok(())
        }
        ReplyContent::Problem(mut problem) => {
            if let Some(cause) = problem.cause.take() {
                log::error!("{} | {cause}", exchange.peer);
            }
            let failure = Failure {
                fields: head.fields,
                status,
                ..problem.into_failure(exchange)
            };
            Ok(io.failures.send(failure).await?)
        }
    }
}

async fn send(io: &HandlerPorts, exchange: Exchange, head: ResponseHead, body: Body) -> Done {
    let response = Response {
        exchange,
        head,
        body,
    };
    Ok(io.responses.send(response).await?)
}

/// Sends the chunks of a stream while the peer wants them. If it fails, the end is missing, and the
/// connection is cut.
async fn pump(exchange: Exchange, chunks: Chunks, sender: Sender<Chunk>) {
    let mut chunks = Box::pin(chunks);
    loop {
        let unwanted = async {
            sender.closed().await;
            None
        };
        let next = async { Some(next(chunks.as_mut()).await) };
        match or(next, unwanted).await {
            Some(Some(Ok(bytes))) => {
                if sender.send(Chunk::Data(bytes)).await.is_err() {
                    return;
                }
            }
            Some(Some(Err(error))) => {
                log::error!(
                    "{} | the stream of a response has failed: {error}",
                    exchange.peer
                );
                return;
            }
            Some(None) => {
                // If nobody wants the end, nobody misses it.
                let _ = sender.send(Chunk::END).await;
                return;
            }
            None => return,
        }
    }
}

async fn next(
    mut chunks: Pin<&mut Chunks>,
) -> Option<Result<Bytes, kamea_components::gateway::BoxError>> {
    chunks.next().await
}
