//! The decoders of requests and responses, and the parts that they share: bytes in, in pieces of
//! any size; events out.
//!
//! ```text
//!  bytes ──▶ input ──▶ section: a head ──▶ framing: how its body ends ──▶ body, chunked ──▶ events
//! ```

mod body;
mod chunked;
mod framing;
mod input;
mod malformed_response;
mod received_head;
mod refuse;
mod request;
mod response;
mod section;
mod tidy;

pub use framing::{BodyKind, request_framing};
pub use malformed_response::MalformedResponse;
pub use received_head::{ReceivedHead, ReplyBody};
#[doc(hidden)]
pub use request::check_split_invariance;
pub use request::{Event, Phase, RequestDecoder};
#[doc(hidden)]
pub use response::check_response_split_invariance;
pub use response::{Reply, ResponseDecoder};

/// Whether a message is read as a server must read it, or as browsers read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leniency {
    #[default]
    Strict,
    Lenient,
}

impl Leniency {
    fn is_lenient(self) -> bool {
        self == Self::Lenient
    }
}
