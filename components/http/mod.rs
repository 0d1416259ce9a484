//! HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): a sans-IO core, and the components around it.

mod accept;
mod body;
mod choose;
mod chunked;
mod client;
mod conditional;
mod connection;
mod connections;
mod content;
mod date;
mod decode;
mod disposition;
mod encode;
mod error_pages;
mod errors;
mod explain;
mod faults;
mod fields;
mod filter;
mod framing;
mod freshness;
mod grammar;
mod hand_over;
mod head;
mod input;
mod limits;
mod malformed;
mod message;
mod mode;
mod note;
mod parse;
mod range;
mod record;
mod redact;
mod refuse;
mod route;
mod section;
mod server;
mod site;
mod target;
mod trace;
mod write;

pub(crate) use accept::list_with_weights;
pub use accept::preferred_type;
pub use choose::{ChoicePorts, ChoicePortsHandles, choose_errors};
#[doc(hidden)]
pub use client::check_response_split_invariance;
pub use client::{
    InvalidUrl, MalformedResponse, ReceivedHead, Reply, ReplyBody, ResponseDecoder, Url,
    encode_request,
};
pub use conditional::{Precondition, evaluate_preconditions};
pub use connection::{
    NoPorts, NoPortsHandles, Opened, Service, hold_connection, refuse_connection,
};
pub use content::{Content, ContentSender, Incomplete};
pub use date::DateCache;
#[doc(hidden)]
pub use decode::check_split_invariance;
pub use decode::{Event, Phase, RequestDecoder};
pub use disposition::attachment;
pub use encode::{
    BodyFraming, Connection, encode_chunk, encode_chunk_size, encode_continue, encode_head,
    encode_last_chunk,
};
pub use error_pages::{ErrorPages, ErrorRedirect, answer_errors_with};
pub use errors::{ErrorPorts, ErrorPortsHandles, answer_errors};
pub use explain::{ExplainedHop, Explanation, Explanations, Picked};
pub use faults::{FaultPorts, FaultPortsHandles, answer_faults};
pub use fields::{Fields, InvalidField};
pub(crate) use fields::{Names, REDACTED};
pub use filter::{
    FilterPorts, FilterPortsHandles, ResponseFilterPorts, ResponseFilterPortsHandles, add_fields,
};
pub use framing::{BodyKind, request_framing};
pub use freshness::freshness_lifetime;
pub use hand_over::{Handover, hand_over_connection};
pub use head::{RequestHead, ResponseHead};
pub use limits::Limits;
pub use malformed::Malformed;
pub use message::{
    Body, Chunk, ErrorForm, Exchange, Failure, FileSlice, HandlerPorts, HandlerPortsHandles, Piece,
    Request, Response,
};
pub use mode::Mode;
pub use note::{Note, NotePorts, NotePortsHandles, note_requests};
pub(crate) use parse::WINDOW;
pub use parse::{Notice, ParsePorts, ParsePortsHandles, Patience, Written, parse_requests};
pub use range::{Ranges, evaluate_range};
pub use record::{Record, RecordPorts, RecordPortsHandles, record_exchanges};
pub use redact::redact;
pub use refuse::{RefusePorts, RefusePortsHandles, refuse_requests};
pub use route::{Route, RoutePorts, RoutePortsHandles, route_requests};
pub use server::{Listening, StartError, WebServer};
pub use site::Site;
pub use target::{BadPath, Target};
pub use trace::answer_trace;
pub use write::{WritePorts, WritePortsHandles, write_responses};
