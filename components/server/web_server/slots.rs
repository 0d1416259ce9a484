//! The slots of a connection's graph, which components of a user fill.

use std::rc::Rc;

use kamea::{Component, Graph, InboxHandle, OutboxHandle, PerSeed};

use crate::documents::{Files, serve_files_until};
use crate::server::connection::Opened;
use crate::web::{
    Failure, FilterPorts, FilterPortsHandles, Forwarded, HandlerPorts, HandlerPortsHandles, Notice,
    Remark, Request, Response, ResponseFilterPortsHandles, buffer_bodies, spool_responses_until,
};

/// The graph of one connection while it is wired. Its seed is the connection.
pub type ConnectionGraph = Graph<PerSeed<Opened>>;

/// Adds a component to a graph of a connection, under the name of its slot.
pub(super) type Slot<Handles> = Box<dyn Fn(&mut ConnectionGraph, &str) -> Handles + Send + Sync>;

/// What serves the requests of a route: the ends of one component or of several.
#[derive(Debug)]
#[non_exhaustive]
pub struct Served {
    /// Where the requests go.
    pub requests: InboxHandle<Request>,
    /// Where the responses come from.
    pub responses: Vec<OutboxHandle<Response>>,
    /// Where the failures come from.
    pub failures: Vec<OutboxHandle<Failure>>,
    /// Where notices to the encoder come from, if there are any. This outbox and those below must
    /// be optional ports: not every graph links them. An explanation takes remarks alone.
    pub notices: Vec<OutboxHandle<Notice>>,
    /// Where the access log learns how requests were forwarded.
    pub forwarded: Vec<OutboxHandle<Forwarded>>,
    /// Where remarks for explanations come from.
    pub remarks: Vec<OutboxHandle<Remark>>,
}

impl Served {
    /// The ends that every handler has.
    #[must_use]
    pub const fn new(
        requests: InboxHandle<Request>,
        responses: Vec<OutboxHandle<Response>>,
        failures: Vec<OutboxHandle<Failure>>,
    ) -> Self {
        Self {
            requests,
            responses,
            failures,
            notices: Vec::new(),
            forwarded: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// The ends of a filter of requests, and of its second half, if it has one.
pub(super) struct Filtered {
    pub(super) requests: FilterPortsHandles,
    pub(super) responses: Option<ResponseFilterPortsHandles>,
}

impl From<HandlerPortsHandles> for Served {
    fn from(handles: HandlerPortsHandles) -> Self {
        let (responses, failures) = (vec![handles.responses], vec![handles.failures]);
        Self::new(handles.requests, responses, failures)
    }
}

/// A handler between two buffers: a slow client occupies it in neither direction.
pub(super) fn buffered(
    graph: &mut ConnectionGraph,
    name: &str,
    handler: HandlerPortsHandles,
) -> Served {
    let buffer = graph.add(&format!("{name} buffer"), buffer_bodies());
    let spool = add_spool(graph, &format!("{name} spool"));
    graph.link(buffer.passed, handler.requests);
    graph.link(handler.responses, spool.responses);
    let failures = vec![buffer.failures, handler.failures];
    Served::new(buffer.requests, vec![spool.passed], failures)
}

/// The handler of the files of one folder.
pub(super) fn files_of(
    connection: &Opened,
    files: Rc<Files>,
) -> impl Component<HandlerPorts> + use<> {
    let socket = connection.socket.clone();
    serve_files_until(files, move || {
        let socket = socket.clone();
        async move { socket.found_gone().await }
    })
}

/// A spool whose responses end with their peer.
pub(super) fn add_spool(graph: &mut ConnectionGraph, name: &str) -> ResponseFilterPortsHandles {
    graph.add_seeded(name, |connection: &mut Opened| {
        let socket = connection.socket.clone();
        spool_responses_until(move || {
            let socket = socket.clone();
            async move { socket.found_gone().await }
        })
    })
}

pub(super) fn filtered(
    component: impl Component<FilterPorts> + Clone + Send + Sync,
) -> Slot<Filtered> {
    Box::new(move |graph, name| Filtered {
        requests: graph.add(name, component.clone()),
        responses: None,
    })
}

pub(super) fn slot<P: kamea::Ports>(
    component: impl Component<P> + Clone + Send + Sync,
) -> Slot<P::Handles> {
    Box::new(move |graph, name| graph.add(name, component.clone()))
}
