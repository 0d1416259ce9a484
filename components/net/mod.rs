//! The network: the components that touch sockets.

mod accept;
mod read;
mod socket;

pub use accept::{Accepted, accept, bind};
pub use read::read_bytes;
pub(crate) use read::{read_into_buffer, read_some};
pub use socket::{Finish, Socket};
