//! Files.

use std::path::PathBuf;

use super::{Entry, component};
use crate::file::read_file;

pub(super) fn entries() -> Vec<Entry> {
    vec![component! {
        "read_file" = read_file in "file/read_file.rs" {
            /// The file.
            path: PathBuf,
            => read_file(path)
        }
    }]
}
