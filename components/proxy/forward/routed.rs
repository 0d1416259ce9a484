//! A request that has a route, on its way to a backend.

use std::sync::Arc;

use kamea_components::http::RequestHead;
use kamea_components::web::{Exchange, Request};

use super::body::OutgoingBody;
use crate::backends::Group;

/// A request that has a route. It travels between the components of the proxy until a response has
/// begun.
#[derive(Debug)]
pub struct Routed {
    /// The properties that the response must match.
    pub exchange: Exchange,
    /// The head, as the client sent it.
    pub head: Box<RequestHead>,
    /// The backends of its route.
    pub group: Arc<Group>,
    /// The backends that have failed to answer it, by their positions in the route.
    pub tried: Vec<usize>,
    pub(super) body: OutgoingBody,
}

impl Routed {
    /// A request for one of the backends of `group`.
    #[must_use]
    pub fn new(request: Request, group: Arc<Group>) -> Box<Self> {
        let Request {
            exchange,
            head,
            content,
            ..
        } = request;
        Box::new(Self {
            exchange,
            head,
            group,
            tried: Vec::new(),
            body: OutgoingBody::new(content),
        })
    }

    /// Whether it asks for another protocol on its connection (RFC 9110 section 7.8).
    pub(super) fn upgrades(&self) -> bool {
        self.head.fields.contains("upgrade")
            && self.head.fields.list_contains("connection", "upgrade")
            && self.body.is_empty()
            && !self.exchange.closes
    }

    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub(super) fn expects_continue(&self) -> bool {
        !self.body.is_empty() && self.head.expects_continue()
    }
}
