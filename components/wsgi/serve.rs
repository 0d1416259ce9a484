//! The handler that serves requests by a WSGI application.

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::turn;
use kamea::{Component, link};

use super::WsgiPool;
use super::frame::{CHUNK, RequestBody, encode_request};
use super::pool::{Job, Outcome};
use crate::gateway::{Mount, Variables};
use crate::web::{Buffered, Content, Failure, HandlerPorts, Request, WINDOW};

/// Serves requests by the application behind `pool`. The variables of its environ are those of
/// `mount`.
///
/// It waits for several responses at the same time, and passes each on when it arrives.
pub fn serve_wsgi(pool: WsgiPool, mount: Mount) -> impl Component<HandlerPorts> {
    async move |io: &mut HandlerPorts| {
        let (sender, mut outcomes) = link::<Outcome>(WINDOW as usize);
        let mut awaited = 0_u64;
        let mut are_more = true;
        while are_more || awaited > 0 {
            let outcome = match outcomes.try_next() {
                Some(outcome) => Ok(Some(outcome)),
                None => {
                    let request = async {
                        if !are_more {
                            std::future::pending::<()>().await;
                        }
                        Err(io.requests.next().await)
                    };
                    or(request, async { Ok(outcomes.next().await) }).await
                }
            };
            match outcome {
                Ok(Some(outcome)) => {
                    awaited -= 1;
                    match outcome {
                        Ok(response) => io.responses.send(response).await?,
                        Err(failure) => io.failures.send(failure).await?,
                    }
                }
                Err(Some(request)) => {
                    log::debug!("{} | Handle WSGI", request.exchange.peer);
                    match variables(&request, &mount) {
                        Ok(variables) => {
                            awaited += 1;
                            let (frame, content) = frame(&variables, request.content);
                            pool.submit(Job {
                                frame,
                                exchange: request.exchange,
                                content,
                                outcomes: sender.clone(),
                                since: turn(),
                            });
                        }
                        Err(failure) => io.failures.send(failure).await?,
                    }
                }
                Ok(None) | Err(None) => are_more = false,
            }
        }
        Ok(())
    }
}

/// A request as a frame, and the rest of its body that is not in the frame.
fn frame(variables: &Variables, content: Option<Box<Content>>) -> (Bytes, Option<Box<Content>>) {
    let body = match content.as_deref().map(Content::buffered) {
        None => RequestBody::None,
        Some(Some(Buffered::Memory(bytes))) if bytes.len() <= CHUNK => RequestBody::Whole(bytes),
        Some(_) => RequestBody::OnRequest,
    };
    let frame = encode_request(variables, body);
    let is_asked_for = matches!(body, RequestBody::OnRequest);
    (frame, content.filter(|_| is_asked_for))
}

/// The CGI variables of a request (PEP 3333, "environ Variables").
fn variables(request: &Request, mount: &Mount) -> Result<Variables, Failure> {
    let mut variables = Variables::of(&request.head, &request.exchange, mount)
        .map_err(|bad| request.refuse(StatusCode::BAD_REQUEST, bad.to_string()))?;
    if variables.add_tls(request) {
        variables.set("wsgi.url_scheme", "https");
    }
    let may_upgrade = request.content.is_none() && !request.exchange.closes;
    if may_upgrade && request.head.asks_to_upgrade() {
        // Otherwise these fields are not the application's. The worker puts the socket in.
        let protocol = request.head.fields.get("upgrade").unwrap_or_default();
        variables.set("HTTP_CONNECTION", "Upgrade");
        variables.set("HTTP_UPGRADE", protocol);
        variables.set("werkzeug.socket", "");
    }
    Ok(variables)
}
