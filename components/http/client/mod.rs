//! The client's side of HTTP/1.1 (RFC 9112).

mod decode;
mod encode;
mod head;
mod malformed;
mod url;

#[doc(hidden)]
pub use decode::check_response_split_invariance;
pub use decode::{Reply, ResponseDecoder};
pub use encode::encode_request;
pub use head::{ReceivedHead, ReplyBody};
pub use malformed::MalformedResponse;
pub use url::{InvalidUrl, Url};
