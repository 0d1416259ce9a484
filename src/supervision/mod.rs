//! Supervision: how a graph handles components that fail.
//!
//! ```text
//!   a component fails ──▶ its message in hand to the dead letters ──▶ a Fault ──▶ the graph's policy
//!                                                                                  ├─ stop the graph
//!   the same ports, the messages that wait ◀── a pause ◀───────────────────────────├─ restart the component
//!                                                                                  └─ carry on without it
//! ```

mod attempt;
mod fault;
mod policy;
mod restarts;
#[cfg(test)]
mod tests;

pub use attempt::{Ended, Failed, drop_each};
pub(crate) use attempt::{attempt, caught, drop_caught};
pub use fault::{Cause, Fault};
pub use policy::{Policy, Restart};
pub(crate) use policy::{Supervise, Supervisor};
pub(crate) use restarts::{Restarts, after};
