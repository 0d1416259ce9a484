//! Asks another server whether a request is allowed, before it goes to a backend.
//!
//! ```text
//!  routed ──▶ authorize_requests ──▶ passed        no question, or the answer is 2xx
//!                    │      └──────▶ responses     the answer is 401 or 403: the client gets it
//!                    └─────────────▶ failures      no answer
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::time::{sleep, turn};
use kamea::{Component, Inbox, Outbox, Ports};
use kamea_components::http::{
    BodyKind, ReceivedHead, RequestHead, ResponseHead, Target, encode_request,
};
use kamea_components::web::{Body, Failure, Response};

use super::exchange_requests::fail;
use super::{AttemptError, Routed};
use crate::Proxy;
use crate::backends::{BackendConnection, BackendState, ask, connect, keep, take};
use crate::fields::{Forwarding, remove};
use crate::plan::{Ejection, Errors, Route};

/// The ports of [`authorize_requests`].
#[derive(Debug, Ports)]
pub struct AuthorizePorts {
    /// The requests with their routes.
    pub routed: Inbox<Box<Routed>>,
    /// The requests that are allowed.
    pub passed: Outbox<Box<Routed>>,
    /// The answers to those that are not.
    pub responses: Outbox<Response>,
    /// The requests about which nobody could be asked.
    pub failures: Outbox<Failure>,
}

/// The limit for the body of an answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// Asks about each request of a route with [`AuthRequest`]: by GET, with the fields of the request
/// but without its body. The backend gets the fields of the answer that the route names, and never
/// those of the client with these names.
pub fn authorize_requests(proxy: Proxy) -> impl Component<AuthorizePorts> {
    async move |io: &mut AuthorizePorts| {
        while let Some(mut request) = io.routed.next().await {
            let group = request.group.clone();
            let Some(state) = group.auth() else {
                io.passed.send(request).await?;
                continue;
            };
            // Boxed, because most routes ask nobody.
            let asked = Box::pin(authorize(&proxy, &request, state)).await;
            match asked {
                Ok(answer) if answer.head.status.is_success() => {
                    request.arrival.authorized = Some(answer.head.fields);
                    io.passed.send(request).await?;
                }
                Ok(answer) => io.responses.send(answer).await?,
                Err(error) => {
                    log::error!("{} | {}: {error}", request.exchange.peer, state.backend());
                    let failure = fail(&request, error, Errors::Standard);
                    io.failures.send(failure).await?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the answer, which is 2xx, 401 or 403. The figures of the server count it.
async fn authorize(
    proxy: &Proxy,
    request: &Routed,
    state: &Arc<BackendState>,
) -> Result<Response, AttemptError> {
    let _place = Place::of(state);
    let answer = answer(proxy, request, state).await;
    if let Err(error) = &answer
        && error.is_of_backend()
    {
        state.failed(&NEVER, error);
    }
    answer
}

/// The only server that can say it is asked in any case.
const NEVER: Ejection = Ejection {
    failures: 0,
    pause: Duration::ZERO,
    longest: Duration::ZERO,
};

/// A question at the server, until it is dropped.
struct Place<'a>(Option<&'a BackendState>);

impl<'a> Place<'a> {
    fn of(state: &'a BackendState) -> Self {
        Self(state.enter().then_some(state))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            state.leave();
        }
    }
}

async fn answer(
    proxy: &Proxy,
    request: &Routed,
    state: &Arc<BackendState>,
) -> Result<Response, AttemptError> {
    let timeouts = &request.group.route().timeouts;
    let inbound = request.arrival.inbound();
    let route = request.group.route();
    let forwarding = Forwarding::new(&request.head, &inbound, route, state.backend());
    let question = question(request, &forwarding, state)?;
    let exchange = async {
        // It is only asked, so the question can be repeated.
        if let Some(mut connection) = take(state)
            && let Ok(answer) = ask(&mut connection, &question, LONGEST).await
        {
            keep_after(&answer.0, connection, state, route);
            return Ok(answer);
        }
        let mut connection = connect(state, proxy.connector(), timeouts.connect).await?;
        let answer = ask(&mut connection, &question, LONGEST).await?;
        keep_after(&answer.0, connection, state, route);
        Ok(answer)
    };
    let late = async {
        sleep(timeouts.first_byte).await;
        Err(AttemptError::FirstByte(timeouts.first_byte))
    };
    let began = turn();
    let (head, body) = or(exchange, late).await?;
    state.answered(head.status, turn() - began);
    match head.status {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
        status => return Err(AttemptError::Authorization(status)),
    }
    // The rest of a body that is under way would be taken for the next request.
    let answered = match request.body.is_empty() {
        true => request.exchange,
        false => request.exchange.closing(),
    };
    let fields = forwarding.response(&head.fields, head.version, false);
    Ok(Response {
        exchange: answered,
        head: ResponseHead {
            fields,
            is_forwarded: true,
            ..ResponseHead::new(head.status)
        },
        body: Body::Bytes(body),
    })
}

/// Keeps a connection for the next question, unless bytes are left that could be taken for its
/// answer.
fn keep_after(
    head: &ReceivedHead,
    connection: BackendConnection,
    state: &Arc<BackendState>,
    route: &Route,
) {
    if head.is_persistent() && connection.decoder.is_reusable() {
        keep(state, connection, route);
    }
}

/// The head of the question.
fn question(
    request: &Routed,
    forwarding: &Forwarding<'_>,
    state: &BackendState,
) -> Result<Vec<u8>, AttemptError> {
    let mut head = forwarding.request(false)?;
    let path = match state.backend().path.as_str() {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    head.target = Target::parse(&Method::GET, path.into()).map_err(|_| AttemptError::Target)?;
    head.method = Method::GET;
    for name in ["expect", "x-original-method", "x-original-uri"] {
        remove(&mut head.fields, name);
    }
    let RequestHead { method, target, .. } = &*request.head;
    // Not as a URL: the other server compares it with paths.
    let path = target.origin_form();
    // They were valid when they came in.
    let _ = head.fields.push("X-Original-Method", method.as_str());
    let _ = head.fields.push("X-Original-URI", &*path);
    let mut question = Vec::new();
    encode_request(&mut question, &head, BodyKind::None);
    Ok(question)
}
