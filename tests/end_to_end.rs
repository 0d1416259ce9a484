//! The end-to-end tests: raw bytes to the started `spidey`, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod end_to_end {
    mod command_line;
    mod errors;
    mod escapes;
    mod http;
    mod listing;
    mod malformed;
    mod rfc9110;
    mod server;
    mod slow;
    mod structure;
}
