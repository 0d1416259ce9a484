//! The web server's connection graph, under many seeds: clients that fragment, vanish, are slow, half-close; connections that are lost; a
//! server that is stopped meanwhile.

mod client;
mod exchange;
mod handler;
mod kernel;
#[cfg(feature = "mutations")]
mod mutations;
mod server;
