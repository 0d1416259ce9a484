//! The router: each request to the component that serves it.

use http::{Method, StatusCode};
use kamea::{Component, Done, End, Inbox, Outbox, Outboxes, Ports};

use super::message::{Body, Failure, Request, Response};
use super::{Fields, ResponseHead};

/// The ports of [`route_requests`].
#[derive(Debug, Ports)]
pub struct RoutePorts {
    /// What the parser found.
    pub requests: Inbox<Request>,
    /// GET and HEAD.
    pub files: Outbox<Request>,
    /// One outbox for each further method, in the order in which the router was told of them.
    pub methods: Outboxes<Request>,
    /// Answers to OPTIONS, unless one of `methods` is for it: which methods there are, the router knows.
    pub responses: Outbox<Response>,
    /// What nobody serves.
    pub failures: Outbox<Failure>,
}

/// The methods that are known but not served unless a component does: RFC 9110 section 9, RFC 5789, and LINK and UNLINK of
/// RFC 1945. For those the answer is 405; for any other token it is 501 (RFC 9110 section 9.1).
const KNOWN: [&str; 11] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "LINK",
    "UNLINK",
];

/// Sends GET and HEAD to `files`, each of `methods` to its outbox, answers OPTIONS (RFC 9110 section 9.3.7), and reports the
/// rest as failures.
///
/// A method may be any token, GET, HEAD and OPTIONS among them.
pub fn route_requests(methods: Vec<Method>) -> impl Component<RoutePorts> + Clone {
    async move |io: &mut RoutePorts| {
        while let Some(request) = io.requests.next().await {
            let method = request.method();
            let own = methods
                .iter()
                .position(|own| own == method)
                .and_then(|branch| io.methods.get(branch));
            let outbox = match own {
                None if *method == Method::GET || *method == Method::HEAD => Some(&io.files),
                own => own,
            };
            match outbox {
                Some(outbox) => {
                    if let Err(kamea::Closed(unserved)) = outbox.send(request).await {
                        Box::pin(serverless(io, unserved)).await?;
                    }
                }
                None if *method == Method::OPTIONS => {
                    Box::pin(answer_options(io, request, &methods)).await?;
                }
                None => Box::pin(refuse(io, request, &methods)).await?,
            }
        }
        Ok(())
    }
}

/// The component that serves these requests is gone: it has failed.
async fn serverless(io: &RoutePorts, request: Request) -> Done {
    let exchange = request.exchange.closing();
    let failure = Failure::new(
        exchange,
        StatusCode::INTERNAL_SERVER_ERROR,
        "what serves this has failed",
    );
    Ok(io.failures.send(failure).await?)
}

/// Tells which methods there are, for a path as for the server as a whole (`*`).
async fn answer_options(io: &RoutePorts, mut request: Request, methods: &[Method]) -> Done {
    if let Err(failure) = request.discard_content().await {
        return Ok(io.failures.send(failure).await?);
    }
    log::debug!("{} | Handle Options", request.exchange.peer);
    let head = ResponseHead {
        status: StatusCode::NO_CONTENT,
        fields: Fields::new().with("Allow", allowed(methods)),
    };
    let response = Response {
        exchange: request.exchange,
        head,
        body: Body::Empty,
    };
    Ok(io.responses.send(response).await?)
}

/// The value of `Allow` (RFC 9110 section 10.2.1).
fn allowed(methods: &[Method]) -> String {
    let built_in = ["GET", "HEAD", "OPTIONS"];
    let own = methods.iter().map(Method::as_str);
    let own = own.filter(|method| !built_in.contains(method));
    let names: Vec<_> = built_in.into_iter().chain(own).collect();
    names.join(", ")
}

async fn refuse(io: &RoutePorts, mut request: Request, methods: &[Method]) -> Result<(), End> {
    if let Err(failure) = request.discard_content().await {
        return Ok(io.failures.send(failure).await?);
    }
    let method = request.method().as_str();
    let failure = if KNOWN.contains(&method) {
        let fields = Fields::new().with("Allow", allowed(methods));
        let explanation = format!("{method} is not for this resource");
        Failure {
            fields,
            ..Failure::new(
                request.exchange,
                StatusCode::METHOD_NOT_ALLOWED,
                explanation,
            )
        }
    } else {
        Failure::new(
            request.exchange,
            StatusCode::NOT_IMPLEMENTED,
            "nobody here knows this method",
        )
    };
    Ok(io.failures.send(failure).await?)
}

#[cfg(test)]
mod tests;
