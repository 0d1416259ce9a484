//! Requests, responses and failures, as the messages that the components of a server exchange.

mod body;
mod exchange;
mod failure;
mod handler_ports;
mod remark;
mod request;
mod response;

pub use body::{Body, Piece};
pub use exchange::{ErrorForm, Exchange, Scheme};
pub use failure::Failure;
pub use handler_ports::{HandlerPorts, HandlerPortsHandles};
pub use remark::Remark;
pub use request::Request;
pub use response::Response;
