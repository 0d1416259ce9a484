//! Whole servers.

use kamea::Sink;

use super::{Entry, component};
use crate::chassis::NoPorts;
use crate::server::LogEntry;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "server.access_log" = write_access_log in "server/access_log.rs" over Sink<LogEntry>,
            needs "the records of a web server"
        },
        component! {
            "server.hand_over" = hand_over_connection in "server/hand_over.rs" over NoPorts,
            needs "the socket of a connection"
        },
        component! {
            "server.hold" = hold_connection in "server/connection.rs" over NoPorts,
            needs "the socket of a connection"
        },
        component! {
            "server.refuse_connection" = refuse_connection in "server/connection.rs" over NoPorts,
            needs "the socket of a connection"
        },
    ]
}
