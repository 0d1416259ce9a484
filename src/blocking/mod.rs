//! Code that blocks: components on threads of their own, and a pool for single jobs.

mod pool;
mod thread;

pub use pool::unblock;
pub use thread::{Blocking, blocking};
