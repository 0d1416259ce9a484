//! The ports of an application.

use kamea::{Inbox, Outbox, Ports};
use kamea_components::web::{Failure, Remark, Request, Response};

/// The ports of an application: those of a handler, and one for explanations.
#[derive(Debug, Ports)]
pub struct AppPorts {
    /// The requests to serve.
    pub requests: Inbox<Request>,
    /// The answers, in the order of the requests.
    pub responses: Outbox<Response>,
    /// The requests that could not be served.
    pub failures: Outbox<Failure>,
    /// Which route each request had, and which almost matched.
    pub remarks: Option<Outbox<Remark>>,
}

/// Where answers go.
#[derive(Clone, Copy)]
pub(super) struct Answers<'p> {
    pub(super) responses: &'p Outbox<Response>,
    pub(super) failures: &'p Outbox<Failure>,
}
