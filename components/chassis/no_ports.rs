//! The ports of a component without ports.

use kamea::Ports;

/// The ports of a component that has none: the graphs that it runs have no links to its own graph.
#[derive(Debug, Ports)]
pub struct NoPorts {}
