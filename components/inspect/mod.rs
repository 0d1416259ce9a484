//! The live view: a page that draws the running graphs, and any other program that sends topology
//! lines.

mod access;
mod events;
mod page;
mod server;
mod topology;

pub use access::{Access, AccessError, guard_inspector, random_token};
pub use server::{InspectError, Inspecting, Inspector};
pub use topology::{
    Command, CommandError, Sketch, Sketched, Sketches, draw_topology, gather_sketches,
};
