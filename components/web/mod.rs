//! The messages and the parts of a web server: requests, responses and failures, and the components
//! that process them.
//!
//! ```text
//! bytes ─▶ parse_requests ─▶ filters ─▶ route_requests ─▶ handlers ─▶ filters ─▶ encode_responses
//!                │              │             │               │          ▲
//!                └──────────────┴──failures───┴───────────────┴──▶ answer_errors
//! ```
//!
//! The protocol itself is in [`http`](crate::http). The handlers are in
//! [`documents`](crate::documents) and [`gateway`](crate::gateway). [`server`](crate::server)
//! assembles all of them.

mod access;
mod buffer;
mod choose;
mod content;
mod encode;
mod encoding;
mod error_pages;
mod errors;
mod faults;
mod filter;
mod message;
mod note;
mod parse;
mod rate;
mod read_slice;
mod record;
mod refuse;
mod route;
mod spool;
mod trace;

pub(crate) use access::is_cross_site;
pub use access::{
    Network, NetworkError, forwarded_client, forwarded_scheme, is_foreign_page, is_loopback_name,
    require_loopback_name, trust_proxies,
};
#[cfg(feature = "passwords")]
pub use access::{User, ask_for_password};
pub(crate) use buffer::Buffered;
pub use buffer::{BufferPorts, BufferPortsHandles, buffer_bodies};
pub use choose::{ChoicePorts, ChoicePortsHandles, choose_errors};
pub use content::{Content, ContentSender, Incomplete};
pub use encode::{EncodePorts, EncodePortsHandles, encode_responses};
pub use encoding::Encoding;
pub use error_pages::{ErrorPages, ErrorRedirect, answer_errors_with};
pub use errors::{ErrorPorts, ErrorPortsHandles, answer_errors, error_response};
pub use faults::{FaultPorts, FaultPortsHandles, answer_faults};
pub(crate) use filter::NOTES;
pub use filter::{
    FilterPorts, FilterPortsHandles, Noted, Pending, RequestHalfPorts, RequestHalfPortsHandles,
    ResponseFilterPorts, ResponseFilterPortsHandles, ResponseHalfPorts, ResponseHalfPortsHandles,
    add_fields,
};
pub use message::{
    Body, ErrorForm, Exchange, Failure, HandlerPorts, HandlerPortsHandles, Piece, Remark, Request,
    Response, Scheme,
};
pub use note::{Note, NotePorts, NotePortsHandles, note_requests};
pub use parse::{Notice, ParsePorts, ParsePortsHandles, Patience, Written, parse_requests};
pub(crate) use parse::{WINDOW, parse_requests_of};
pub use rate::{Rate, RateTable};
pub use read_slice::read_slice;
pub use record::{
    Attempted, CountedRoute, Forwarded, Record, RecordPorts, RecordPortsHandles, RouteCensus,
    RunningRequest, SlowestRequest, UsedRoute, record_exchanges,
};
pub use refuse::{RefusePorts, RefusePortsHandles, refuse_requests};
pub(crate) use route::file_route;
pub use route::{Route, RoutePorts, RoutePortsHandles, route_requests};
pub use spool::spool_responses;
pub(crate) use spool::spool_responses_until;
pub use trace::answer_trace;
