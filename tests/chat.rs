//! The programs of the chat, over raw sockets, and their page in a browser.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the tests of the daemon use the rest")]
#[path = "daemon/started.rs"]
mod started;

#[path = "end_to_end/devtools.rs"]
mod devtools;

#[path = "end_to_end/wrong_values.rs"]
mod wrong_values;

mod server {
    /// How long a step of a browser may take on a busy machine.
    pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
}

mod chat {
    mod demo;
    mod https;
    mod page;
    mod peers;
    mod processes;
    mod relays;
    mod stand_in;
    mod tracker;
}
