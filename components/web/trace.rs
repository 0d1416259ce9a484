//! TRACE (RFC 9110 section 9.3.8): shows the request as it arrives.

use http::{StatusCode, Version};
use kamea::Component;

use super::message::{Body, HandlerPorts, Request, Response};
use crate::http::{Fields, ResponseHead, is_secret};

/// Answers TRACE with the request itself, as `message/http`, without fields that may contain
/// secrets.
///
/// It is off by default: it shows clients what the proxies before the server add.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::answer_trace;
///
/// let server = WebServer::new(Site::new(".")).method("TRACE", answer_trace())?;
/// # let _ = server;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer_trace() -> impl Component<HandlerPorts> + Clone + Send + Sync {
    async |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            if let Err(failure) = request.discard_content().await {
                io.failures.send(failure).await?;
                continue;
            }
            log::debug!("{} | Handle Trace", request.exchange.peer);
            let head = ResponseHead {
                status: StatusCode::OK,
                fields: Fields::new().with("Content-Type", "message/http"),
            };
            let body = Body::Bytes(as_received(&request).into());
            io.responses
                .send(Response {
                    exchange: request.exchange,
                    head,
                    body,
                })
                .await?;
        }
        Ok(())
    }
}

fn as_received(request: &Request) -> Vec<u8> {
    let head = &request.head;
    let version = match head.version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let mut text = format!("{} {} {version}\r\n", head.method, head.target).into_bytes();
    let mut fields = head.fields.clone();
    // "the final recipient of the request SHOULD exclude any request fields that are likely to
    // contain sensitive data" (RFC 9110 section 9.3.8).
    let names = head.fields.iter().map(|(name, _)| name);
    names
        .filter(|name| is_secret(name))
        .for_each(|name| fields.remove(name));
    text.extend_from_slice(fields.as_bytes());
    text.extend_from_slice(b"\r\n");
    text
}
