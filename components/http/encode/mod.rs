//! The encoders of requests and responses: heads in, bytes out.

mod request;
mod response;

pub use request::encode_request;
pub use response::{
    BodyFraming, Connection, encode_chunk, encode_chunk_size, encode_continue, encode_head,
    encode_interim, encode_last_chunk,
};
