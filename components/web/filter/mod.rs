//! Filters: components that see every request, or every response.

mod around;

use kamea::{Component, Done, Inbox, Outbox, Ports};

use crate::http::Fields;
use crate::web::message::{Failure, Request, Response};

pub(crate) use around::NOTES;
pub use around::{
    Noted, Pending, RequestHalfPorts, RequestHalfPortsHandles, ResponseHalfPorts,
    ResponseHalfPortsHandles,
};

/// The ports of a filter of requests. It stands between the parser and the router. It passes a
/// request on, answers it itself, or fails it.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::Done;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::FilterPorts;
///
/// /// Refuses requests for drafts.
/// async fn guard_drafts(io: &mut FilterPorts) -> Done {
///     while let Some(request) = io.requests.next().await {
///         let path = request.head.target.decoded_path();
///         if !path.is_ok_and(|path| path.starts_with(b"/drafts/")) {
///             io.passed.send(request).await?;
///         } else {
///             let failure = request.refuse(StatusCode::FORBIDDEN, "these are not finished");
///             io.refuse(request, failure).await?;
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

impl FilterPorts {
    /// Refuses a request: discards its body, and reports the failure. If the body is invalid, that
    /// is reported instead.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub async fn refuse(&self, mut request: Request, failure: Failure) -> Done {
        let failure = request.discard_and_fail(failure).await;
        Ok(self.failures.send(failure).await?)
    }
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
