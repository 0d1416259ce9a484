//! The network: the components that touch sockets.

mod accept;
mod accept_in_turn;
mod hand_over;
mod read;
mod socket;

pub use accept::{Accepted, Transport, accept, bind};
pub use accept_in_turn::{Turn, TurnPorts, TurnPortsHandles, accept_in_turn};
pub use hand_over::{LARGEST_TEXT, Leash, TakenOver, Tether, hand_over, take_over};
pub use read::read_bytes;
pub(crate) use read::{read_into_buffer, read_some};
pub use socket::{Finish, Socket};
