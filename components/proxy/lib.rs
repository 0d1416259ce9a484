//! A reverse proxy: it answers for many hosts, and forwards each request to one of their backends.
//!
//! ```text
//!  proxy.conf, proxy.toml ──▶ Plan ──▶ Block of the host ──▶ Route of the path
//!                                                              │
//!                              Candidates ──▶ Policy ──▶ Backend ──▶ fields of the request
//! ```
//!
//! The parts here do no I/O: what the configuration says ([`Plan`]), which backend gets a request
//! ([`Policy`](policy::Policy)), and how the header fields change ([`fields`]).

pub mod backends;
pub mod config;
pub mod fields;
pub mod forward;
mod near;
pub mod plan;
pub mod policy;
mod proxy;
pub mod proxy_protocol;
pub mod scripts;
mod serve;
mod status;

pub use plan::Plan;
pub use proxy::{Proxy, Reloaded, RouteStatus, UnknownBackendError};
pub use serve::{forward_route, serve_by_proxy};
pub use status::status_server;

#[cfg(test)]
mod tests;
