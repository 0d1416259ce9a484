//! A reverse proxy: it answers for many hosts, and forwards each request to one of their backends.
//!
//! ```text
//!  proxy.conf, proxy.toml ──▶ Plan ──▶ Block of the host ──▶ Route of the path
//!                                                              │
//!                              Candidates ──▶ Policy ──▶ Backend ──▶ fields of the request
//! ```
//!
//! Most parts do no I/O: what the configuration says ([`Plan`] and [`config`], which only reads its
//! file), which backend gets a request ([`Policy`](policy::Policy)), how the header fields change
//! ([`fields`]), and how [`scripts`] and the [PROXY protocol](proxy_protocol) are encoded and
//! decoded. [`backends`] opens and checks connections; [`forward`] sends requests over them.

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
pub use status::{draw_proxy, status_server};

#[cfg(test)]
mod tests;
