//! WebSockets of a web server: the handshake is a request like any other, and the connection then
//! continues with the WebSocket.
//!
//! ```text
//! requests ──▶ accept_websocket ──▶ responses     101, and the protocol that follows
//!                     └───────────▶ failures      400, 403, 405, 426, 503
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use kamea::{Component, Composite, Done, Part, Pipe, is_stopping};

use crate::http::ResponseHead;
use crate::net::NextProtocol;
use crate::web::{Body, Failure, HandlerPorts, Request, Response};
use crate::websocket::{
    Deflate, Handshake, HandshakeOptions, Message, WebSocketOptions, check_handshake,
    upgraded_websocket,
};

/// What a WebSocket began with.
#[derive(Debug)]
pub struct WebSocketRequest {
    /// The request, without a body: its target, its header fields and cookies, its peer.
    pub request: Request,
    /// The subprotocol that was agreed on.
    pub protocol: Option<String>,
}

/// Accepts WebSockets: answers each handshake with 101, and the connection continues with the part
/// that `part` makes for it. `name` is the name of the graphs of these connections in the census.
///
/// A request that is refused becomes a failure: 426 without a handshake or with another version
/// (RFC 6455 section 4.4), 403 for a page of another site, 400 or 405 if it is malformed, and 503
/// while the server stops. [`WebServer::websocket`](crate::server::WebServer::websocket) puts it
/// behind a route.
///
/// # Examples
///
/// ```
/// use kamea_components::gateway::accept_websocket;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::stream::echo;
/// use kamea_components::web::Route;
/// use kamea_components::websocket::{Origins, WebSocketOptions};
///
/// let mut options = WebSocketOptions::default();
/// options.handshake.origins = Origins::These(vec!["https://example.org".to_owned()]);
/// let echoes = accept_websocket("echoes", options, |_| echo);
/// let server = WebServer::new(Site::new(".")).route("echoes", Route::path("/echo"), echoes);
/// # server.check().unwrap();
/// ```
pub fn accept_websocket<C, Kind>(
    name: &str,
    options: WebSocketOptions,
    part: impl Fn(WebSocketRequest) -> C + Clone + Send + Sync + 'static,
) -> impl Component<HandlerPorts> + Clone + Send + Sync
where
    C: Part<Pipe<Message, Message>, Kind> + Send + 'static,
    Kind: 'static,
{
    let name = Arc::<str>::from(name);
    accept(options, move |options, deflate, request| {
        let websocket = upgraded_websocket(options, deflate, part(request));
        continue_with(name.clone(), options, websocket)
    })
}

/// A WebSocket as the protocol that a connection continues with.
pub(super) fn continue_with(
    name: Arc<str>,
    options: &WebSocketOptions,
    websocket: Composite<Pipe<Bytes, Bytes>>,
) -> NextProtocol {
    let next = NextProtocol::new(name, websocket);
    match options.receive_bytes {
        Some(bytes) => next.receive_bytes(bytes),
        None => next,
    }
}

/// Accepts WebSockets that continue with the protocol that `next` makes.
pub(super) fn accept(
    options: WebSocketOptions,
    next: impl Fn(&WebSocketOptions, Option<Deflate>, WebSocketRequest) -> NextProtocol
    + Clone
    + Send
    + Sync
    + 'static,
) -> impl Component<HandlerPorts> + Clone + Send + Sync {
    async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            match check(&request, &options.handshake) {
                Ok(handshake) => {
                    let response = switch(request, handshake, &options, &next);
                    io.responses.send(response).await?;
                }
                // Boxed, so that connections that are not refused do not carry its size.
                Err(failure) => Box::pin(refuse(io, request, failure)).await?,
            }
        }
        Ok(())
    }
}

/// Checks the handshake of a request.
pub(super) fn check(request: &Request, options: &HandshakeOptions) -> Result<Handshake, Failure> {
    if is_stopping() {
        return Err(request.refuse(StatusCode::SERVICE_UNAVAILABLE, "the server stops"));
    }
    let handshake = check_handshake(&request.head, options).map_err(|refusal| Failure {
        fields: refusal.fields,
        ..request.refuse(refusal.status, refusal.why)
    })?;
    let why = match request.exchange.closes {
        true => "a connection that is to close cannot become a WebSocket",
        false if request.content.is_some() => "a handshake of a WebSocket has no body",
        false => return Ok(handshake),
    };
    Err(request.refuse(StatusCode::BAD_REQUEST, why))
}

/// The response 101, and the protocol that follows it.
pub(super) fn switch(
    request: Request,
    handshake: Handshake,
    options: &WebSocketOptions,
    next: impl FnOnce(&WebSocketOptions, Option<Deflate>, WebSocketRequest) -> NextProtocol,
) -> Response {
    let exchange = request.exchange;
    log::debug!("{} | Handle WebSocket", exchange.peer);
    let Handshake {
        protocol,
        deflate,
        fields,
    } = handshake;
    let next = next(options, deflate, WebSocketRequest { request, protocol });
    let head = ResponseHead {
        fields: fields.with("Connection", "Upgrade"),
        ..ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS)
    };
    Response {
        exchange,
        head,
        body: Body::Upgrade(next),
    }
}

async fn refuse(io: &HandlerPorts, mut request: Request, failure: Failure) -> Done {
    let failure = match request.discard_content().await {
        Ok(()) => failure,
        Err(incomplete) => incomplete,
    };
    log::debug!(
        "{} | the WebSocket is refused: {}",
        failure.exchange.peer,
        failure.explanation
    );
    Ok(io.failures.send(failure).await?)
}
