//! A simulated world: components that replace those with real I/O, for graphs that run under a
//! [`Simulation`](kamea::Simulation). All random events are drawn from the seed.

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
