//! The programs of the chat, over raw sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the tests of the daemon use the rest")]
#[path = "daemon/started.rs"]
mod started;

mod chat {
    mod tracker;
}
