//! A request that has a route, on its way to a backend.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use kamea::random;
use kamea::time::turn;
use kamea_components::http::{Fields, RequestHead};
use kamea_components::web::{Exchange, Request};

use super::body::OutgoingBody;
use super::report::Report;
use crate::backends::Group;
use crate::fields::Inbound;
use crate::proxy::Running;
use crate::proxy_protocol::ProxiedAddresses;

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
    /// When it found its route.
    pub(super) began: Instant,
    pub(super) arrival: Arrival,
    /// Its attempts, if somebody learns about them.
    pub(super) report: Option<Box<Report>>,
    pub(super) body: OutgoingBody,
}

/// How a request came in.
#[derive(Debug)]
pub(super) struct Arrival {
    running: Arc<Running>,
    peer: SocketAddr,
    local: SocketAddr,
    is_tls: bool,
    id: u128,
    /// The fields of the server that has allowed the request.
    pub(super) authorized: Option<Fields>,
}

impl Arrival {
    pub(super) fn new(
        request: &Request,
        running: Arc<Running>,
        local: SocketAddr,
        is_tls: bool,
    ) -> Self {
        Self {
            running,
            peer: request.exchange.peer,
            local,
            is_tls,
            id: u128::from(random::u64(..)) << 64 | u128::from(random::u64(..)),
            authorized: None,
        }
    }

    /// The addresses of the client's connection, for a backend that wants them first.
    pub(super) const fn addresses(&self) -> ProxiedAddresses {
        ProxiedAddresses::new(self.peer, self.local)
    }

    pub(super) fn inbound(&self) -> Inbound<'_> {
        let mut inbound = Inbound::new(self.peer, self.local.port(), &self.running.name);
        inbound.is_tls = self.is_tls;
        inbound.trusted = &self.running.plan.trusted;
        inbound.id = self.id;
        inbound.authorized = self.authorized.as_ref();
        inbound
    }
}

impl Routed {
    /// A request for one of the backends of `group`.
    pub(super) fn new(request: Request, group: Arc<Group>, arrival: Arrival) -> Box<Self> {
        let Request {
            exchange,
            head,
            content,
            ..
        } = request;
        let body = OutgoingBody::new(content, group.route().body);
        Box::new(Self {
            exchange,
            head,
            group,
            tried: Vec::new(),
            began: turn(),
            arrival,
            report: None,
            body,
        })
    }

    /// The address of the client: of the peer, or as a trusted peer says.
    pub fn client(&self) -> IpAddr {
        self.arrival.inbound().client(&self.head.fields)
    }

    /// Whether it asks for another protocol on its connection (RFC 9110 section 7.8). HTTP/2 is not
    /// passed on: its requests would go to the backend without having been looked at.
    pub(super) fn upgrades(&self) -> bool {
        self.head.fields.contains("upgrade")
            && !self.head.fields.list_contains("upgrade", "h2c")
            && self.head.fields.list_contains("connection", "upgrade")
            && self.body.is_empty()
            && !self.exchange.closes
    }

    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub(super) fn expects_continue(&self) -> bool {
        !self.body.is_empty() && self.head.expects_continue()
    }
}
