//! Certificates by ACME (RFC 8555): an authority such as Let's Encrypt signs them once it has seen
//! that their names lead to this server.
//!
//! ```text
//!          ┌───────────┐ ──tasks────▶ ┌───────────────┐ ◀──https──▶ the authority
//! names ──▶│ schedule  │              │ ask_authority │
//!          └───────────┘ ◀──outcomes──└───────────────┘ ──▶ certificates and challenges, as files
//! ```
//!
//! [`schedule_renewals`] decides when, and does no I/O. [`ask_authority`] does what it is told. The
//! web server has the third part: [`answer_challenges`] shows the authority what it asks for.

mod account;
mod answer_challenges;
mod ask_authority;
mod error;
mod exchange;
mod graph;
mod messages;
mod name;
mod order;
mod schedule;
mod schedule_renewals;
mod store;

pub use answer_challenges::answer_challenges;
pub use ask_authority::{AuthorityOptions, AuthorityPorts, AuthorityPortsHandles, ask_authority};
pub use error::AcmeError;
pub use graph::keep_certificates;
pub use messages::{Challenge, Outcome, Reply, Task, Wanted, Window};
pub use name::{Name, NameError};
pub use schedule_renewals::{RenewalPorts, RenewalPortsHandles, schedule_renewals};
pub use store::Store;

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
