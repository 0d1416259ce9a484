//! Load: many requests, and their latencies.
//!
//! ```text
//!  ┌ connection ─────────────────────────────────────────────────────────────────────────────┐
//!  │ give_tickets ──▶ write_requests ──▶ dial ──▶ parse_responses ──▶ batch ─────────────────┼─▶ tally
//!  │      ▲                 ╰──────awaited─────▶ │  ╎  ╰╌╌hang_ups╌╌▶ dial                   │
//!  │      ╰╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌returned╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╯                                        │
//!  └─────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A ticket permits a request and holds the moment for which it was planned. Latency is counted
//! twice: from the moment when the request was sent, and from the planned one. They differ when a
//! slow server keeps the client from sending. A client that counts only the first leaves out the
//! wait of its users (coordinated omission).
//!
//! Over WebSockets, `write_messages` and `parse_messages` stand in the place of `write_requests`
//! and `parse_responses`: a request is a message, and the next message of the server is its
//! response.

mod alarm;
mod generate;
mod give_tickets;
mod measured;
mod open_websocket;
mod outcome;
mod pace;
mod parse_messages;
mod parse_responses;
mod parser;
mod seconds;
mod tally;
mod targets;
#[cfg(test)]
mod tests;
mod write_messages;
mod write_requests;

pub use generate::{Connection, Generator, Load, MessageConnection, generate, generate_messages};
pub use give_tickets::{Returned, TicketPorts, TicketPortsHandles, give_tickets};
pub use measured::{Content, Errors, MISSED_AFTER, Measured, Missed, Second};
pub use open_websocket::open_websocket;
pub use outcome::{Answer, ErrorClass, Failed, Note, Outcome, Shortfall, Span, Ticket};
pub use pace::{Budget, Pace, Schedule};
pub use parse_messages::{ParseMessagePorts, ParseMessagePortsHandles, parse_messages};
pub use parse_responses::{
    ParseResponsePorts, ParseResponsePortsHandles, ResponseOptions, parse_responses,
};
pub use tally::{TallyPorts, TallyPortsHandles, tally};
pub use targets::{Target, Targets};
pub use write_messages::write_messages;
pub use write_requests::{Awaited, WriteRequestPorts, WriteRequestPortsHandles, write_requests};
