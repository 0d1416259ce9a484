//! The network: the components that use sockets.

mod accept;
mod accept_permitted;
mod admission;
mod buffer;
mod byte_stream;
mod connection;
mod dial;
mod exchange;
mod hand_over;
mod listen;
mod others;
mod read;
mod serve_connections;
mod socket;
mod tcp_client;
mod tcp_server;
pub mod testing;
mod udp;
mod unix_client;
mod unix_server;
mod write;

pub use accept::{Accepted, Transport, accept, bind};
pub use accept_permitted::{Permit, PermitPorts, PermitPortsHandles, accept_permitted};
pub use admission::{Admission, Admitted, client_of};
pub(crate) use admission::{Limiter, Seldom};
pub use buffer::Buffer;
pub use byte_stream::ByteStream;
pub use dial::{
    DialEvent, DialPorts, DialPortsHandles, Ending, HangUp, Outgoing, dial, dial_any, dial_by,
};
pub use exchange::{ConnectionError, relay_over};
pub use hand_over::{ChildHandle, LARGEST_TEXT, ParentWatch, TakenOver, hand_over, take_over};
pub use listen::{
    AddressError, Listen, ServerPorts, ServerPortsHandles, complete_address, local_address,
    parse_address,
};
pub use others::Others;
pub use read::read_bytes;
pub(crate) use serve_connections::{Arrival, serve_connections_by};
pub use serve_connections::{NextProtocol, serve_connections, serve_connections_of_many};
pub use socket::{Finish, Socket};
pub use tcp_client::tcp_client;
pub use tcp_server::tcp_server;
pub use udp::{Datagram, UdpPorts, UdpPortsHandles, udp};
pub use unix_client::unix_client;
pub use unix_server::unix_server;
pub use write::{Output, WritePace, WritePorts, WritePortsHandles, write_bytes};
