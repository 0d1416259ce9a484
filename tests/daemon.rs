//! The programs of the HTTP daemon, over raw sockets and with curl.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "end_to_end/wrong_values.rs"]
mod wrong_values;

mod daemon {
    mod backend;
    mod browser;
    mod garden;
    mod login;
    mod proxy;
    mod sampleapp;
    mod scripts;
    mod started;
    mod vtc;
}
