//! Asks another server whether a request is allowed, before it goes to a backend.
//!
//! ```text
//!  routed ──▶ authorize_requests ──▶ passed        no question, or the answer is 2xx
//!                    │      └──────▶ responses     the answer is 401 or 403: the client gets it
//!                    └─────────────▶ failures      no answer
//! ```

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::time::sleep;
use kamea::{Component, Inbox, Outbox, Ports};
use kamea_components::http::{
    BodyKind, MalformedResponse, ReceivedHead, Reply, RequestHead, ResponseHead, Target,
    encode_request,
};
use kamea_components::net::Socket;
use kamea_components::web::{Body, Failure, Response};

use super::body::ended;
use super::exchange_requests::fail;
use super::{AttemptError, Routed};
use crate::Proxy;
use crate::backends::{BackendConnection, BackendState, connect, keep, take};
use crate::fields::{Forwarding, remove};
use crate::plan::{Errors, Route};

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
            let asked = Box::pin(ask(&proxy, &request, state)).await;
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

/// Returns the answer, which is 2xx, 401 or 403.
async fn ask(
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
            && let Ok(answer) = exchange(&mut connection, &question).await
        {
            keep_after(&answer.0, connection, state, route);
            return Ok(answer);
        }
        let mut connection = connect(state, proxy.connector(), timeouts.connect).await?;
        let answer = exchange(&mut connection, &question).await?;
        keep_after(&answer.0, connection, state, route);
        Ok(answer)
    };
    let late = async {
        sleep(timeouts.first_byte).await;
        Err(AttemptError::FirstByte(timeouts.first_byte))
    };
    let (head, body) = or(exchange, late).await?;
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

/// Sends the question, and returns the head and the body of the answer.
async fn exchange(
    connection: &mut BackendConnection,
    question: &[u8],
) -> Result<(ReceivedHead, Bytes), AttemptError> {
    let BackendConnection { socket, decoder } = connection;
    decoder.expect(&Method::GET);
    let mut left = question;
    while !left.is_empty() {
        let sent = socket.write(left, false).await;
        left = &left[sent.map_err(AttemptError::Lost)?..];
    }
    let (mut head, mut body) = (None, BytesMut::new());
    loop {
        match decoder.next()? {
            Some(Reply::Head(received, _)) => {
                head = Some(received);
            }
            Some(Reply::Chunk(part)) if body.len() + part.len() <= LONGEST => {
                body.extend_from_slice(&part);
            }
            Some(Reply::Chunk(_)) => return Err(AttemptError::TooLong),
            Some(Reply::End(_)) => {
                let head = head.ok_or(MalformedResponse::Unawaited)?;
                return Ok((head, body.freeze()));
            }
            Some(Reply::Interim(_)) => {}
            None => {
                let bytes = receive(socket).await?;
                if !bytes.is_empty() {
                    decoder.feed(bytes);
                } else if let (Some(Reply::End(_)), Some(head)) = (decoder.finish()?, head.take()) {
                    return Ok((head, body.freeze()));
                } else {
                    return Err(AttemptError::Lost(ended()));
                }
            }
        }
    }
}

async fn receive(socket: &Socket) -> Result<Bytes, AttemptError> {
    socket.receive().await.map_err(AttemptError::Lost)
}
