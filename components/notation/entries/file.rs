//! Bytes of files.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Entry, component};
use crate::file::{Existing, follow, read_file, slice_file, write_file};
use crate::notation::value::{AboveZero, Size};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "follow" = follow in "file/follow.rs" {
                /// The file; it may be created later.
                path: PathBuf,
                => follow(path)
            }
        },
        component! {
            "read_file" = read_file in "file/read_file.rs" {
                /// The file; `/dev/stdin` is the standard input.
                path: PathBuf,
                => read_file(path)
            }
        },
        component! {
            "slice_file" = slice_file in "file/slice_file.rs" {
                /// The file.
                path: PathBuf,
                /// The length of a slice in bytes.
                length: AboveZero<Size>,
                => slice_file(path, length.0.0 as u64)
            }
        },
        component! {
            "write_file" = write_file in "file/write_file.rs" {
                /// The file.
                path: PathBuf,
                /// Whether the existing contents stay, and new bytes are appended.
                append: bool = "no",
                => write_file::<Bytes>(
                    path,
                    if append { Existing::Append } else { Existing::Replace },
                )
            }
        },
    ]
}
