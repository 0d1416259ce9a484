//! The component of an application: requests in, responses and failures out.

mod listen;
mod main_function;
mod ports;
mod problems;
mod record;
mod respond;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{Method, StatusCode};
use kamea::time::now;
use kamea::{Component, End, Outbox};
use kamea_components::http::Target;
use kamea_components::server::{ConnectionGraph, Opened, Served};
use kamea_components::web::{CountedRoute, Exchange, HandlerPorts, Remark, Request};

pub use listen::AppError;
use ports::Answers;
pub use ports::{AppPorts, AppPortsHandles};
pub use problems::answer_problems;
use record::{Answered, log_request};
use respond::respond;

use crate::context::Context;
use crate::handler::Endpoint;
use crate::layers::{self, Layers};
use crate::routes::{Found, Table};
use crate::{App, Problem, Reply, RouteError, Urls};

/// The parts of an application that every connection shares.
#[derive(Clone)]
struct Shared {
    layers: Layers,
    dispatch: Endpoint,
    body_limit: usize,
    counted: Arc<[CountedRoute]>,
}

impl Shared {
    fn of<S: Send + Sync + 'static>(app: &App<S>) -> Result<Self, RouteError> {
        let mut table = app.table()?;
        let census = app.census();
        let counted = census.count(table.counted());
        let (urls, table, of_routes) = (Urls::of(&table), Arc::new(table), counted.clone());
        let metrics = app.metrics_path();
        let dispatch: Endpoint = Arc::new(move |mut context| {
            if !urls.is_empty() {
                context.insert(urls.clone());
            }
            if metrics.as_deref() == Some(context.path()) {
                let text = census.to_prometheus();
                return Box::pin(async { Reply::text(text) });
            }
            let (table, counted) = (table.clone(), of_routes.clone());
            Box::pin(async move { dispatch(&table, &counted, context).await })
        });
        Ok(Self {
            layers: app.outer_layers(),
            dispatch,
            body_limit: app.memory_limit(),
            counted,
        })
    }
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
    let shared = Shared::of(app)?;
    Ok(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            let answers = Answers {
                responses: &io.responses,
                failures: &io.failures,
            };
            // Boxed, so that connections that do not use it do not carry its size.
            Box::pin(serve(answers, &shared, request, None)).await?;
        }
        Ok(())
    })
}

/// The same, for [`WebServer::route_graph`](kamea_components::server::WebServer::route_graph):
/// explanations of requests then say which route matched, and which almost did.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, add_app, answer_problems};
/// use kamea_components::server::{Explanations, Site, WebServer};
/// use kamea_components::web::Route;
///
/// let api = App::new().get("/api/hello", async || "hello\n");
/// let server = WebServer::new(Site::new("."))
///     .route_graph("api", Route::below("/api"), add_app(&api)?)
///     .errors(answer_problems())
///     .explain(Explanations::new());
/// # server.check().unwrap();
/// # Ok::<(), kamea_app::RouteError>(())
/// ```
///
/// # Errors
///
/// [`RouteError`], if the routes conflict.
pub fn add_app<S: Send + Sync + 'static>(
    app: &App<S>,
) -> Result<impl Fn(&mut ConnectionGraph, &str) -> Served + Send + Sync + use<S>, RouteError> {
    let shared = Shared::of(app)?;
    Ok(move |graph: &mut ConnectionGraph, name: &str| {
        let shared = shared.clone();
        let added = graph.add_seeded(name, move |connection: &mut Opened| {
            let shared = shared.clone();
            connection.until_gone(async move |io: &mut AppPorts| {
                while let Some(request) = io.requests.next().await {
                    let answers = Answers {
                        responses: &io.responses,
                        failures: &io.failures,
                    };
                    Box::pin(serve(answers, &shared, request, io.remarks.as_ref())).await?;
                }
                Ok(())
            })
        });
        let mut served = Served::new(added.requests, vec![added.responses], vec![added.failures]);
        served.remarks = vec![added.remarks];
        served
    })
}

/// Finds the route of a request, and answers by it.
async fn dispatch(table: &Table, counted: &[CountedRoute], mut context: Context) -> Reply {
    let found = table.find(context.head());
    if let Some(resource) = found.resource() {
        context.pattern = Some(resource.pattern.clone());
    }
    if let Some(told) = context.explained.take() {
        let remark = table.explain_request(context.head()).into_remark();
        // It is told once.
        let _ = told.set(remark);
    }
    let number = found.number().unwrap_or(counted.len() - 1);
    let running = counted[number].begin(context.head().target.clone(), context.since);
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
    running.end(reply.status);
    Reply {
        route: Some(number),
        ..reply
    }
}

/// What the log needs of a request, once the request itself is gone.
struct Asked {
    method: Method,
    target: Target,
    exchange: Exchange,
    since: Instant,
}

/// Answers a request; where requests are explained, also says how it was routed.
async fn serve(
    answers: Answers<'_>,
    shared: &Shared,
    request: Request,
    remarks: Option<&Outbox<Remark>>,
) -> Result<(), End> {
    let mut context = Context::new(request, shared.body_limit, now());
    let asked = Asked {
        method: context.method().clone(),
        target: context.head().target.clone(),
        exchange: context.request.exchange,
        since: context.since,
    };
    let explained = remarks.map(|_| Arc::new(OnceLock::new()));
    context.explained.clone_from(&explained);
    let reply = layers::run(&shared.layers, &shared.dispatch, context).await;
    if let (Some(remarks), Some(explained)) = (remarks, explained) {
        let before = || Remark::new("answers by a layer, before the routes");
        remarks
            .send(explained.get().cloned().unwrap_or_else(before))
            .await?;
    }
    let (status, route) = (reply.status, reply.route);
    if route.is_none()
        && let Some(rest) = shared.counted.last()
    {
        let took = now().saturating_duration_since(asked.since);
        rest.record(status, asked.target.path(), took);
    }
    let id = reply.fields.get("x-request-id");
    let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
    let sent = respond(answers, asked.exchange, reply).await;
    log_request(&Answered {
        method: &asked.method,
        path: asked.target.path(),
        pattern: route.map(|number| shared.counted[number].pattern()),
        status,
        bytes: sent.as_ref().copied().unwrap_or_default(),
        since: asked.since,
        id: id.as_deref(),
    });
    sent.map(drop)
}
