//! The live view: a page that draws what runs.

mod access;
mod topology;

pub use access::{Access, AccessError, guard_inspector};
pub use topology::{
    Command, CommandError, Sketch, Sketched, Sketches, draw_topology, gather_sketches,
};
