//! HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): a sans-IO core, and the components around it.

mod accept;
mod admission;
mod chunked;
mod conditional;
mod connection;
mod connections;
mod date;
mod decode;
mod encode;
mod error_pages;
mod errors;
mod faults;
mod fields;
mod framing;
mod grammar;
mod head;
mod input;
mod limits;
mod malformed;
mod message;
mod parse;
mod range;
mod refuse;
mod route;
mod section;
mod server;
mod target;
mod trace;
mod write;

pub use accept::preferred_type;
pub use conditional::{Precondition, evaluate_preconditions};
pub use connection::{NoPorts, NoPortsHandles, Opened, hold_connection, refuse_connection};
pub use date::DateCache;
#[doc(hidden)]
pub use decode::check_split_invariance;
pub use decode::{Event, Phase, RequestDecoder};
pub use encode::{
    BodyFraming, Connection, encode_chunk, encode_chunk_size, encode_continue, encode_head,
    encode_last_chunk,
};
pub use error_pages::{ErrorPages, answer_errors_with};
pub use errors::{ErrorPorts, ErrorPortsHandles, answer_errors};
pub use faults::{FaultPorts, FaultPortsHandles, answer_faults};
pub use fields::{Fields, InvalidField};
pub use framing::{BodyKind, request_framing};
pub use head::{RequestHead, ResponseHead};
pub use limits::Limits;
pub use malformed::Malformed;
pub use message::{
    Body, Chunk, Content, ErrorForm, Exchange, Failure, FileSlice, HandlerPorts,
    HandlerPortsHandles, Incomplete, Piece, Request, Response,
};
pub use parse::{Notice, ParsePorts, ParsePortsHandles, Patience, Written, parse_requests};
pub use range::{Ranges, evaluate_range};
pub use refuse::{RefusePorts, RefusePortsHandles, refuse_requests};
pub use route::{RoutePorts, RoutePortsHandles, route_requests};
pub use server::{Listening, Site, StartError, WebServer};
pub use target::{BadPath, Target};
pub use trace::answer_trace;
pub use write::{WritePorts, WritePortsHandles, write_responses};
