//! The gateway: what stands between the server and programs that know nothing of its components.

mod graphs;
mod mount;
mod respond;
#[cfg(test)]
mod testing;
mod variables;

pub use graphs::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
pub use mount::Mount;
pub use variables::Variables;
