//! The web server's connection graph, under many seeds: clients that fragment, vanish, are slow, or
//! half-close; connections that are lost; a server that is stopped meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod drains;
mod exchange;
mod handler;
mod kernel;
mod server;
mod tls;
mod websocket;
