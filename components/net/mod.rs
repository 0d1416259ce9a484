//! The network: the components that touch sockets.

mod accept;
mod accept_in_turn;
mod admission;
mod byte_stream;
mod connection;
mod dial;
mod exchange;
mod hand_over;
mod listen;
mod read;
mod serve_connections;
mod socket;
mod tcp_client;
mod tcp_server;
mod udp;
mod unix_client;
mod unix_server;

pub use accept::{Accepted, Transport, accept, bind};
pub use accept_in_turn::{Turn, TurnPorts, TurnPortsHandles, accept_in_turn};
pub(crate) use admission::{Admission, Admitted};
pub use byte_stream::ByteStream;
pub use dial::{DialEvent, DialPorts, DialPortsHandles, Ending, HangUp, Outgoing, dial, dial_by};
pub use exchange::ConnectionError;
pub use hand_over::{LARGEST_TEXT, Leash, TakenOver, Tether, hand_over, take_over};
pub use listen::{Listen, ServerPorts, ServerPortsHandles};
pub use read::read_bytes;
pub(crate) use read::read_some;
pub use serve_connections::serve_connections;
pub use socket::{Finish, Socket};
pub use tcp_client::tcp_client;
pub use tcp_server::tcp_server;
pub use udp::{Datagram, UdpPorts, UdpPortsHandles, udp};
pub use unix_client::unix_client;
pub use unix_server::unix_server;
