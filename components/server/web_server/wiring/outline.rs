//! The graph of a connection while it is wired.

use std::collections::BTreeMap;

use kamea::{Component, Graph, InboxHandle, OutboxHandle, Policy, Ports};

use super::ConnectionGraph;
use crate::server::Tls;
use crate::server::connection::Opened;
use crate::server::explain::Rules;
use crate::web::{Failure, Forwarded, Notice, Remark, Response, ResponseFilterPortsHandles};

/// The graph of a connection while it is wired, with the open outboxes that lead to the error
/// component and to the encoder.
pub(super) struct Outline {
    pub(super) graph: ConnectionGraph,
    pub(super) failures: Vec<OutboxHandle<Failure>>,
    pub(super) responses: Vec<OutboxHandle<Response>>,
    /// The second halves of the filters around the handlers, in the order of the first halves.
    pub(super) halves: Vec<ResponseFilterPortsHandles>,
    /// Only to the encoder.
    pub(super) notices: Vec<OutboxHandle<Notice>>,
    /// To the recorder, if there is one.
    pub(super) forwarded: Vec<OutboxHandle<Forwarded>>,
    pub(super) recorder: Option<InboxHandle<Forwarded>>,
    /// To the explanation, if the graph is made for one.
    pub(super) remarks: Vec<OutboxHandle<Remark>>,
    /// The rules of the built-in routers.
    pub(super) rules: Rules,
    /// How TLS is spoken, if the connection is over TLS.
    pub(super) tls: Option<Tls>,
    policies: BTreeMap<String, Policy>,
}

impl Outline {
    pub(super) fn new(name: &str) -> Self {
        Self {
            graph: Graph::template(name),
            failures: Vec::new(),
            responses: Vec::new(),
            halves: Vec::new(),
            notices: Vec::new(),
            forwarded: Vec::new(),
            recorder: None,
            remarks: Vec::new(),
            rules: Rules::new(),
            tls: None,
            policies: BTreeMap::new(),
        }
    }

    /// Adds a component of the server, and says what its fault means: without it no answer is
    /// possible ([`Policy::Stop`]), or only the request that it serves fails
    /// ([`Policy::CarryOn`]). The latter is also what the fault of a user's component means.
    #[track_caller]
    pub(super) fn add<P: Ports, C: Component<P>>(
        &mut self,
        name: &str,
        on_fault: Policy,
        make: impl Fn(&mut Opened) -> C + Send + Sync + 'static,
    ) -> P::Handles {
        self.policies.insert(name.to_owned(), on_fault);
        self.graph.add_seeded(name, make)
    }

    /// Returns the graph, supervised.
    pub(super) fn into_graph(mut self) -> ConnectionGraph {
        let policies = self.policies;
        self.graph.supervise(move |fault| {
            let policy = policies.get(fault.component()).copied();
            policy.unwrap_or(Policy::CarryOn)
        });
        self.graph
    }
}
