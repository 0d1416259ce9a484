//! Load: many requests, and how long each of them took.

mod measured;
mod outcome;

pub use measured::{Content, Errors, MISSED_AFTER, Measured, Missed, Second};
pub use outcome::{Answer, ErrorClass, Failed, Note, Outcome, Shortfall, Ticket};
