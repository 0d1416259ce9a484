//! HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): a sans-IO core, and the components around it.

mod chunked;
mod conditional;
mod date;
mod decode;
mod encode;
mod fields;
mod framing;
mod grammar;
mod head;
mod input;
mod limits;
mod malformed;
mod section;
mod target;

pub use conditional::{Precondition, evaluate_preconditions};
pub use date::DateCache;
#[doc(hidden)]
pub use decode::check_split_invariance;
pub use decode::{Event, Phase, RequestDecoder};
pub use encode::{
    BodyFraming, Connection, encode_chunk, encode_chunk_size, encode_continue, encode_head,
    encode_last_chunk,
};
pub use fields::{Fields, InvalidField};
pub use framing::{BodyKind, request_framing};
pub use head::{RequestHead, ResponseHead};
pub use limits::Limits;
pub use malformed::Malformed;
pub use target::{BadPath, Target};
