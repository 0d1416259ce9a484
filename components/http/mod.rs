//! HTTP/1.1 without I/O (RFC 9110, RFC 9112): bytes in, events out; heads in, bytes out.
//!
//! ```text
//!  bytes ──▶ RequestDecoder  ──▶ heads, chunks     ResponseHead ──▶ encode_head    ──▶ bytes     at the server
//!  bytes ──▶ ResponseDecoder ──▶ heads, chunks     RequestHead  ──▶ encode_request ──▶ bytes     at the client
//! ```
//!
//! Nothing here waits, and nothing uses a socket or a file. The parts of a server are in
//! [`web`](crate::web).

mod chunk;
mod decode;
mod encode;
mod fields;
mod grammar;
mod head;
mod limits;
mod malformed;
mod target;
mod url;

pub use chunk::Chunk;
pub use decode::{
    BodyKind, Event, MalformedResponse, Phase, ReceivedHead, Reply, ReplyBody, RequestDecoder,
    ResponseDecoder, request_framing,
};
#[doc(hidden)]
pub use decode::{check_response_split_invariance, check_split_invariance};
pub use encode::{
    BodyFraming, Connection, encode_chunk, encode_chunk_size, encode_continue, encode_head,
    encode_interim, encode_last_chunk, encode_request,
};
pub use fields::{
    DateCache, FieldError, Fields, FieldsBuilder, Precondition, Ranges, attachment,
    evaluate_preconditions, evaluate_range, freshness_lifetime, preferred_type, redact,
};
pub(crate) use fields::{Names, REDACTED, is_secret, list_with_weights};
pub use head::{RequestHead, ResponseHead};
pub use limits::Limits;
pub use malformed::Malformed;
pub(crate) use target::path_segments;
pub use target::{PathError, Target};
pub use url::{Url, UrlError};
