//! Files.

use std::path::PathBuf;

use kamea::{Sink, Source};

use super::{Entry, component};
use crate::file::{LogEntry, read_file};
use crate::http::{Chunk, HandlerPorts};

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
