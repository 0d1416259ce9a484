//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692): the protocol without I/O.
//!
//! ```text
//! bytes ──▶ Decoder ──▶ Data, Ping, Pong, Close        (unmask, inflate, check UTF-8)
//!                         └──▶ Assembler ──▶ Message    (or its pieces as they come: Delivery)
//! bytes ◀── Encoder ◀── Message, Ping, Pong, Close     (deflate, mask)
//! ```
//!
//! The verdict on a stream of bytes does not depend on how it is cut.

mod assemble;
mod client;
mod close;
mod connect;
mod decode;
mod deflate;
mod delivery;
mod encode;
mod frame;
mod handshake;
mod limits;
mod mask;
mod message;
mod opening;
mod part;
mod receive;
mod request;
mod send;
mod utf8;
mod violation;

pub use assemble::Assembler;
pub use client::{ClientError, websocket_client};
pub use close::{Close, CloseCode};
pub use connect::{DisconnectError, connect_websocket};
pub use decode::{Decoder, Event};
pub use deflate::{Deflate, DeflateOptions, negotiate_deflate};
pub use delivery::Delivery;
pub use encode::Encoder;
pub use frame::{FrameHead, Opcode};
pub use handshake::{Handshake, HandshakeOptions, Origins, Refusal, accept_key, check_handshake};
pub use limits::Limits;
pub use message::{Kind, Message};
pub use opening::{Opening, OpeningPorts, OpeningPortsHandles, accept_opening, request_opening};
pub use part::{
    WebSocketOptions, WebSocketPorts, WebSocketPortsHandles, upgraded_websocket,
    upgraded_websocket_with_close, websocket,
};
pub use receive::{Control, Patience, ReceivePorts, ReceivePortsHandles, receive_messages};
pub use request::{ClientHandshake, OpeningError};
pub use send::{SendPorts, SendPortsHandles, send_messages};
pub use violation::Violation;

/// Which end of a connection this is. A client masks its frames, a server does not
/// (RFC 6455 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that was connected to.
    Server,
    /// The end that has connected.
    Client,
}
