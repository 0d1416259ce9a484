//! A simulated world: components that take the place of those which touch the real one, for graphs that run under a
//! [`Simulation`](kamea::Simulation). Everything that may happen here is drawn from the seed.

mod conditions;
mod disk;
mod endpoint;
mod network;
mod process;

pub use conditions::Conditions;
pub use disk::Disk;
pub use endpoint::Endpoint;
pub use network::Network;
pub use process::process;
