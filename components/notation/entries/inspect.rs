//! The live view.

use bytes::Bytes;
use kamea::{Pipe, Sink};

use super::{Entry, component};
use crate::inspect::Sketched;
use crate::web::FilterPorts;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "inspect.draw" = draw_topology in "inspect/topology/draw.rs" over Pipe<Bytes, Bytes>,
            needs "a page to draw on; `--inspect` has one"
        },
        component! {
            "inspect.gather" = gather_sketches in "inspect/topology/gather.rs" over Sink<Sketched>,
            needs "a page to draw on; `--inspect` has one"
        },
        component! {
            "inspect.guard" = guard_inspector in "inspect/access.rs" over FilterPorts,
            needs "the server of a page"
        },
    ]
}
