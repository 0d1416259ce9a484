//! TRACE (RFC 9110 section 9.3.8): shows the request as it arrives.

use http::Version;
use kamea::Component;

use super::message::{HandlerPorts, Request, Response};
use crate::http::is_secret;

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
        while let Some(request) = io.next_without_content().await? {
            log::debug!("{} | Handle Trace", request.exchange.peer);
            let response = Response::typed("message/http", as_received(&request));
            io.responses.send(request.respond(response)).await?;
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
