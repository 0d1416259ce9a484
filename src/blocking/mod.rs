//! Code that blocks: whole components on threads of their own, and single jobs on a pool.

mod compute;
mod pool;
mod thread;

pub use compute::compute;
pub use pool::unblock;
pub(crate) use thread::block_on;
pub use thread::{Blocking, blocking};
