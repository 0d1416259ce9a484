//! The parts of a graph: components, and graphs that serve as components.

use std::fmt;

use super::{Graph, Node};
use crate::blocking::Blocking;
use crate::component::{Component, Done};
use crate::ports::{Ports, Wiring};
use crate::supervision::Supervisor;

/// What [`Graph::add`] takes: a component, or a graph that serves as one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be added to a graph as a component over the ports `{P}`",
    label = "not a component",
    note = "a component is an async function or async closure that takes `&mut` of a struct of ports and returns `kamea::Done`"
)]
pub trait Part<P: Ports, Kind> {
    #[doc(hidden)]
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles;
}

/// The ways in which a value can be a [`Part`]. They are inferred, and never written.
#[doc(hidden)]
pub(crate) mod kind {
    /// It is polled in the flow.
    #[derive(Debug)]
    pub struct Async;
    /// It has a thread of its own.
    #[derive(Debug)]
    pub struct Thread;
    /// It is a graph.
    #[derive(Debug)]
    pub struct Inner;
}

impl<P: Ports, C: Component<P> + Send> Part<P, kind::Async> for C {
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let handles = graph.insert::<P, C>(name, false, Box::new(|wiring| self.start_in(wiring)));
        graph.mark::<P, C>();
        handles
    }
}

impl<P: Ports, F> Part<P, kind::Thread> for Blocking<F>
where
    F: FnMut(&mut P) -> Done + Send + 'static,
{
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let thread = format!("{}/{name}", graph.name);
        let make = |wiring: &mut Wiring<'_>| self.start::<P>(thread, wiring.detach(P::PORTS));
        graph.insert::<P, F>(name, true, Box::new(make))
    }
}

/// A graph whose open ports stand for the ports `P`, so that it serves as a component. Made by
/// [`Graph::expose`].
pub struct Composite<P: Ports> {
    pub(super) graph: Graph,
    pub(super) ports: P::Handles,
}

impl<P: Ports> fmt::Debug for Composite<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.graph.fmt(f)
    }
}

impl<P: Ports> Part<P, kind::Inner> for Composite<P> {
    /// The components of the inner graph become components of the outer graph, named `outer
    /// name/inner name`. If the inner graph has a policy, it still applies to them.
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let prefix = name.len() + 1;
        let inner = self.graph.nodes.into_iter();
        graph.nodes.extend(inner.map(|node| {
            let supervisor = node
                .supervisor
                .map_or_else(|| Supervisor::of(self.graph.supervise.as_ref()), Some);
            Node {
                name: format!("{name}/{}", node.name),
                supervisor: supervisor.map(|supervisor| supervisor.within(prefix)),
                ..node
            }
        }));
        graph.links.extend(self.graph.links);
        graph.dead_letters.extend(self.graph.dead_letters);
        self.ports
    }
}
