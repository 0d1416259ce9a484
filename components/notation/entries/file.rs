//! Files.

use std::path::PathBuf;

use bytes::Bytes;
use kamea::{Sink, Source};

use super::{Entry, component};
use crate::file::{Existing, LogEntry, read_file, slice_file, write_file};
use crate::http::{Chunk, HandlerPorts};
use crate::notation::value::{AboveZero, Size};

pub(super) fn entries() -> Vec<Entry> {
    vec![
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
                /// How many bytes a slice has.
                length: AboveZero<Size>,
                => slice_file(path, length.0.0 as u64)
            }
        },
        component! {
            "write_file" = write_file in "file/write_file.rs" {
                /// The file.
                path: PathBuf,
                /// Whether what it has stays, and what is written comes behind it.
                append: bool = "no",
                => write_file::<Bytes>(
                    path,
                    if append { Existing::Append } else { Existing::Replace },
                )
            }
        },
        component! {
            "file.access_log" = write_access_log in "file/access_log.rs" over Sink<LogEntry>,
            needs "the records of a web server"
        },
        component! {
            "file.delete" = delete_files in "file/delete.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "file.put" = put_files in "file/put.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "file.read_slice" = read_slice in "file/read.rs" over Source<Chunk>,
            needs "a file that is open"
        },
        component! {
            "file.serve" = serve_files in "file/serve.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "file.thumbnails" = serve_thumbnails in "file/thumbnail.rs" over HandlerPorts,
            needs "the files of a worker"
        },
    ]
}
