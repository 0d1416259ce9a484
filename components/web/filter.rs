//! Filters: components that see every request, or every response.

use kamea::{Component, Inbox, Outbox, Ports};

use super::message::{Failure, Request, Response};
use crate::http::Fields;

/// The ports of a filter of requests. It stands between the parser and the router. It passes a
/// request on, answers it itself, or fails it.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::Done;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Failure, FilterPorts};
///
/// /// Nobody gets at the drafts.
/// async fn guard_drafts(io: &mut FilterPorts) -> Done {
///     while let Some(mut request) = io.requests.next().await {
///         let path = request.head.target.decoded_path();
///         if !path.is_ok_and(|path| path.starts_with(b"/drafts/")) {
///             io.passed.send(request).await?;
///         } else if let Err(failure) = request.discard_content().await {
///             io.failures.send(failure).await?;
///         } else {
///             let failure = Failure::new(request.exchange, StatusCode::FORBIDDEN, "these are not finished");
///             io.failures.send(failure).await?;
///         }
///     }
///     Ok(())
/// }
///
/// let server = WebServer::new(Site::new(".")).filter("guard", guard_drafts);
/// # let _ = server;
/// ```
#[derive(Debug, Ports)]
pub struct FilterPorts {
    /// The requests, in the order of their arrival.
    pub requests: Inbox<Request>,
    /// The requests that pass.
    pub passed: Outbox<Request>,
    /// The filter's own answers.
    pub responses: Outbox<Response>,
    /// The requests that fail.
    pub failures: Outbox<Failure>,
}

/// The ports of a filter of responses. It stands before the encoder, and passes responses on,
/// changed or not.
#[derive(Debug, Ports)]
pub struct ResponseFilterPorts {
    /// The responses, in any order.
    pub responses: Inbox<Response>,
    /// The same responses, changed or not.
    pub passed: Outbox<Response>,
}

/// Adds fields to every response that does not have a field of the same name.
///
/// # Examples
///
/// ```
/// use kamea_components::http::Fields;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::add_fields;
///
/// let fields = Fields::new().with("X-Content-Type-Options", "nosniff");
/// let server = WebServer::new(Site::new(".")).response_filter("fields", add_fields(fields));
/// # let _ = server;
/// ```
pub fn add_fields(fields: Fields) -> impl Component<ResponseFilterPorts> + Clone + Send + Sync {
    async move |io: &mut ResponseFilterPorts| {
        while let Some(mut response) = io.responses.next().await {
            for (name, value) in fields.iter() {
                if !response.head.fields.contains(name) {
                    response.head.fields.push(name, value)?;
                }
            }
            io.passed.send(response).await?;
        }
        Ok(())
    }
}
