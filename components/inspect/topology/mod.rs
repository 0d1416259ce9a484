//! Draws any program on the page of the live view, by Kamaelia's topology lines.

mod command;
mod draw;
mod gather;
mod serve;
mod sketch;

pub use command::{Command, CommandError};
pub use draw::{Sketched, draw_topology};
pub use gather::{Sketches, gather_sketches};
pub(super) use serve::{add_gatherer, add_topologies};
pub use sketch::Sketch;
