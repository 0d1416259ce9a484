//! What hostile peers do, and what comes of it: a table for each part that meets them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod frames;
mod links;
mod messages;
mod nodes;
