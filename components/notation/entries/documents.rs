//! The documents of a site.

use super::{Entry, component};
use crate::web::HandlerPorts;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "documents.change" = change_files in "documents/write/change.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "documents.delete" = delete_files in "documents/write/delete.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "documents.put" = put_files in "documents/write/put.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "documents.serve" = serve_files in "documents/serve.rs" over HandlerPorts,
            needs "the files of a worker"
        },
        component! {
            "documents.thumbnails" = serve_thumbnails in "documents/thumbnail.rs" over HandlerPorts,
            needs "the files of a worker"
        },
    ]
}
