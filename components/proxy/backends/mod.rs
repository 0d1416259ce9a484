//! The backends as they are now: their health, their connections, their figures.
//!
//! ```text
//!  Plan ──▶ Group (a route) ──▶ BackendState: health, requests in flight, counters
//!                                  └─ on each worker: idle connections
//! ```

mod ask;
mod breaker;
mod check;
mod connect;
mod decoder;
mod group;
mod health;
mod idle;
mod state;
mod tls;

pub(crate) use ask::{AskError, ask};
pub use breaker::CircuitStatus;
pub use check::check_backends;
pub(crate) use connect::connect;
pub use connect::{ConnectError, Connector};
pub(crate) use decoder::BackendDecoder;
pub use decoder::ResponseError;
pub use group::{Choice, Group, InFlight};
pub use health::Health;
pub(crate) use idle::{BackendConnection, keep, take};
pub use state::{BackendState, BackendStatus};
