//! Processes: for now what reaches our own, its signals.

mod hangups;

pub use hangups::{Hangup, hangups};
