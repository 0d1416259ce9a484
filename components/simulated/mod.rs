//! A simulated world: components that take the place of those which touch the real one, for graphs that run under a
//! [`Simulation`](kamea::Simulation). Everything that may happen here is drawn from the seed.

mod conditions;
mod endpoint;
mod network;

pub use conditions::Conditions;
pub use endpoint::Endpoint;
pub use network::Network;
