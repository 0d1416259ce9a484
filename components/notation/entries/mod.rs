//! The components of this package, as a text describes them: a file for each folder.

mod console;
mod file;
mod process;

use super::catalogue::{Entry, component};

/// All of them.
pub(super) fn all() -> Vec<Entry> {
    let folders = [console::entries(), file::entries(), process::entries()];
    folders.into_iter().flatten().collect()
}
