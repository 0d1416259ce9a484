//! The components of this package in the notation: one file for each folder.

mod chassis;
mod console;
mod documents;
mod file;
mod gateway;
mod inspect;
mod load;
mod net;
mod process;
mod server;
mod stream;
mod tls;
mod web;
mod websocket;
mod words;

use super::catalogue::component;
use super::entry::Entry;

/// Returns all of them.
pub(super) fn all() -> Vec<Entry> {
    let folders = [
        chassis::entries(),
        console::entries(),
        documents::entries(),
        file::entries(),
        gateway::entries(),
        inspect::entries(),
        load::entries(),
        net::entries(),
        process::entries(),
        server::entries(),
        stream::entries(),
        web::entries(),
        tls::entries(),
        websocket::entries(),
        words::entries(),
    ];
    folders.into_iter().flatten().collect()
}
