//! The events of the open page, as server-sent events. Each stream ends, and its work with it, when
//! the page is closed.

use std::convert::Infallible;
use std::time::Duration;

use futures_lite::future::or;
use futures_lite::{Stream, StreamExt, stream};
use http::StatusCode;
use kamea::time::sleep;
use kamea::{TapOptions, Workers};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::topology::{Sketched, Sketches};
use crate::gateway::Reply;
use crate::http::redact;
use crate::server::Explanations;
use crate::tls::TlsCensus;
use crate::web::{Request, RouteCensus, UsedRoute};

/// How often a page gets a census.
const PERIOD: Duration = Duration::from_secs(1);

/// What a page observes.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) workers: Workers,
    pub(super) sketches: watch::Receiver<Sketches>,
    pub(super) explanations: Option<Explanations>,
    pub(super) tls: TlsCensus,
    pub(super) routes: RouteCensus,
}

/// Sends a census every second, and the drawings of programs whenever they have changed.
pub(super) async fn watch(watched: Watched) -> Reply {
    let program = std::env::args_os().next().unwrap_or_default();
    let program = std::path::Path::new(&program)
        .file_name()
        .unwrap_or_default();
    let hello = json!({
        "program": program.to_string_lossy(),
        "pid": std::process::id(),
        "explains": watched.explanations.is_some(),
        "explain_field": watched.explanations.as_ref().map(|explanations| {
            format!("Kamea-Explain: {}", explanations.secret())
        }),
    });
    let mut sketches = watched.sketches;
    sketches.mark_changed();
    let (tls, routes) = (watched.tls, watched.routes);
    let changes = stream::unfold((sketches, watched.workers, false), move |state| {
        let (tls, routes) = (tls.clone(), routes.clone());
        async move {
            let (mut sketches, workers, has_begun) = state;
            if sketches.has_changed().unwrap_or(false) {
                let shown: Value = sketches.borrow_and_update().iter().map(shown).collect();
                return Some((
                    event("sketches", &shown.to_string()),
                    (sketches, workers, has_begun),
                ));
            }
            if has_begun {
                sleep(PERIOD).await;
            }
            let census = workers.census().await.to_json();
            let tls = event("tls", &tls_to_json(&tls).to_string());
            let routes = event("routes", &routes_to_json(&routes).to_string());
            let told = event("census", &census) + &tls + &routes;
            Some((told, (sketches, workers, true)))
        }
    });
    reply(stream::once(event("hello", &hello.to_string())).chain(changes))
}

/// The handshakes and the certificates of a server.
pub(super) fn tls_to_json(tls: &TlsCensus) -> Value {
    let handshakes = tls.handshakes();
    let failures = handshakes.failures.iter().map(|(failed, count)| {
        json!({ "ended_by": failed.ended_by, "reason": failed.reason, "count": count })
    });
    let certificates = tls.certificates();
    let certificates = certificates.iter().map(
        |certificate| json!({ "names": certificate.names(), "days_left": certificate.days_left() }),
    );
    let renewals = tls.renewals();
    let renewals = renewals.iter().map(|renewal| {
        json!({
            "name": renewal.name,
            "state": renewal.state.to_string(),
            "last_error": renewal.last_error,
            "failures": renewal.failures,
            "next_try": renewal.next_try,
            "days_left": renewal.days_left,
        })
    });
    json!({
        "renewals": renewals.collect::<Value>(),
        "waiting": handshakes.waiting,
        "full": handshakes.full,
        "resumed": handshakes.resumed,
        "failures": failures.collect::<Value>(),
        "certificates": certificates.collect::<Value>(),
    })
}

/// How the routes of an application were used.
pub(super) fn routes_to_json(routes: &RouteCensus) -> Value {
    routes.used().iter().map(UsedRoute::to_json).collect()
}

fn shown(sketched: &Sketched) -> Value {
    json!({
        "program": sketched.program,
        "name": sketched.name,
        "is_connected": sketched.is_connected,
        "sketch": sketched.sketch.to_json(),
    })
}

/// Sends samples of the messages on the link that the query names: `graph`, `from`, `to`.
pub(super) async fn tap(workers: Workers, request: &Request) -> Reply {
    let [Some(graph), Some(from), Some(to)] =
        ["graph", "from", "to"].map(|name| query(request, name))
    else {
        return Reply::failure(StatusCode::BAD_REQUEST, "a tap needs graph, from and to");
    };
    let options = TapOptions::default();
    let tap = workers.tap(&graph, &from, &to, options);
    reply(stream::unfold(tap, move |mut tap| async move {
        let sample = tap.next().await?;
        let sample = json!({
            "number": sample.number,
            "worker": sample.worker,
            "text": redact(&sample.text),
            "is_cut": sample.is_cut,
            "per_second": options.per_second,
        });
        Some((event("sample", &sample.to_string()), tap))
    }))
}

/// Sends the explanation of the next request whose path matches the query's `path`.
pub(super) async fn explain(explanations: Option<Explanations>, request: &Request) -> Reply {
    let path = query(request, "path").unwrap_or_else(|| "*".to_owned());
    let Some(picked) = explanations.and_then(|explanations| explanations.pick(&path)) else {
        let why = "no more explanations can be waited for here";
        return reply(stream::once(event("refused", why)));
    };
    reply(stream::unfold(picked, async |mut picked| {
        let explanation = picked.explanation().await?.to_json();
        Some((event("explanation", &explanation.to_string()), picked))
    }))
}

/// A value of the query.
fn query(request: &Request, name: &str) -> Option<String> {
    let query = request.head.target.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// A server-sent event; `data` is one line.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// The events, and an empty line after a pause: only a write shows that the page has been closed.
fn reply(events: impl Stream<Item = String> + 'static) -> Reply {
    let lines = stream::unfold(Box::pin(events), async |mut events| {
        let quiet = async {
            sleep(PERIOD).await;
            Some("\n".to_owned())
        };
        let line = or(events.next(), quiet).await?;
        Some((Ok::<_, Infallible>(line), events))
    });
    Reply::stream(lines).with("Content-Type", "text/event-stream")
}
