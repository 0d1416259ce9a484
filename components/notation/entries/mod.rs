//! The components of this package, as a text describes them: a file for each folder.

mod chassis;
mod console;
mod file;
mod gateway;
mod http;
mod inspect;
mod load;
mod net;
mod process;
mod stream;
mod words;

use super::catalogue::component;
use super::entry::Entry;

/// All of them.
pub(super) fn all() -> Vec<Entry> {
    let folders = [
        chassis::entries(),
        console::entries(),
        file::entries(),
        gateway::entries(),
        http::entries(),
        inspect::entries(),
        load::entries(),
        net::entries(),
        process::entries(),
        stream::entries(),
        words::entries(),
    ];
    folders.into_iter().flatten().collect()
}
