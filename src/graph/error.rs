//! The errors of a graph, reported before anything runs.

use std::sync::Arc;

use crate::ports::Direction;

/// A mistake in a graph, found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A port that must be linked is not linked.
    #[error("graph `{graph}`: the {direction} `{port}` of component `{component}` is not linked")]
    Unlinked {
        /// The graph.
        graph: Arc<str>,
        /// The component.
        component: Arc<str>,
        /// The port.
        port: &'static str,
        /// Which end of a link it is.
        direction: Direction,
    },
    /// Two components have the same name.
    #[error("graph `{graph}`: two components have the name `{component}`")]
    DuplicateName {
        /// The graph.
        graph: Arc<str>,
        /// The name.
        component: Arc<str>,
    },
    /// A link uses a handle from another graph.
    #[error("graph `{graph}`: a link leads to a component of another graph")]
    ForeignHandle {
        /// The graph.
        graph: Arc<str>,
    },
    /// The faults of the graph, or the dead letters of an inbox, are linked to two inboxes.
    #[error("graph `{graph}`: {what} can be linked to one inbox only")]
    LinkedTwice {
        /// The graph.
        graph: Arc<str>,
        /// What is linked twice.
        what: String,
    },
    /// Components feed each other in a circle, so that their inboxes would never close.
    #[error(
        "graph `{graph}`: the components `{}` feed each other in a circle and would never end: \
         make the link that leads back a feedback link",
        components.join("`, `")
    )]
    Circle {
        /// The graph.
        graph: Arc<str>,
        /// The components of the circle.
        components: Vec<String>,
    },
    /// A message is too large to be moved over the stack, link by link.
    #[error(
        "graph `{graph}`: a message of type `{message}` takes {size} bytes by value, and at most {most} may be sent: put it into a `Box`"
    )]
    LargeMessage {
        /// The graph.
        graph: Arc<str>,
        /// The type of the message.
        message: &'static str,
        /// Its size, in bytes.
        size: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// The scheduler has been stopped or dropped, so that the graph cannot run.
    #[error("graph `{graph}` cannot be run: its scheduler has been stopped or dropped")]
    Stopped {
        /// The graph.
        graph: Arc<str>,
    },
}
