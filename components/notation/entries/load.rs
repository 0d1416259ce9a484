//! Load.

use std::time::Duration;

use super::{Entry, component};
use crate::load::{
    ResponseOptions, TicketPorts, WriteRequestPorts, parse_messages, parse_responses, tally,
};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "load.give_tickets" = give_tickets in "load/give_tickets.rs" over TicketPorts,
            needs "a pace"
        },
        component! {
            "load.parse_messages" = parse_messages in "load/parse_messages.rs" {
                /// How long an answer may take.
                within: Duration = "10s",
                /// Whether the messages of the server may be compressed.
                deflate: bool = "no",
                => parse_messages(within, deflate)
            }
        },
        component! {
            "load.parse_responses" = parse_responses in "load/parse_responses.rs" {
                /// How long a response may take.
                within: Duration = "10s",
                /// Whether a connection stays open for further requests.
                keep_alive: bool = "yes",
                /// Whether a response must follow RFC 9112 exactly.
                strict: bool = "no",
                => parse_responses(ResponseOptions { within, keep_alive, strict })
            }
        },
        component! { "load.tally" = tally in "load/tally.rs" { => tally() } },
        component! {
            "load.write_messages" = write_messages in "load/write_messages.rs" over WriteRequestPorts,
            needs "what is sent"
        },
        component! {
            "load.write_requests" = write_requests in "load/write_requests.rs" over WriteRequestPorts,
            needs "what is asked for"
        },
    ]
}
