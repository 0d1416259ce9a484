//! Forwards requests: the components of a connection that do the work of the proxy.
//!
//! ```text
//!  requests ──▶ find_route ──▶ authorize_requests ──▶ exchange_requests ──▶ responses
//!                   │              │         │          ▲ chosen   │ asked
//!                   └─▶ failures ◀─┴─────────┼─────── choose_backend ◀┘
//!                                            └─▶ responses
//! ```

mod attempt;
mod authorize;
mod body;
mod choose_backend;
mod error;
mod exchange_requests;
mod find_route;
mod interim;
mod receive;
mod report;
mod routed;
mod script;
mod send;
mod tunnel;

pub use authorize::{AuthorizePorts, AuthorizePortsHandles, authorize_requests};
pub use choose_backend::{ChoosePorts, ChoosePortsHandles, Chosen, choose_backend};
pub use error::AttemptError;
pub use exchange_requests::{ExchangePorts, ExchangePortsHandles, exchange_requests};
pub use find_route::{FindRoutePorts, FindRoutePortsHandles, find_route};
pub use routed::Routed;
