//! The ports of a component that has none.

use kamea::Ports;

/// The ports of a component that has none, because the graphs that it runs live inside of it.
#[derive(Debug, Ports)]
pub struct NoPorts {}
