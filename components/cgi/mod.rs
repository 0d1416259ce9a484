//! CGI/1.1 (RFC 3875): programs that answer requests.
//!
//! ```text
//!  requests ──▶ ┌───────────┐ ──▶ responses, failures
//!               │ serve_cgi │
//!               └───────────┘ ──▶ passed    requests without a program
//!                     ╎ makes, for each request,
//!                     ▼
//!   content ──▶ unix_process ──▶ answer ──▶ the response, streamed
//!                     └────────▶ log
//! ```

mod answer;
mod find;
mod options;
mod reply;
mod run;
mod serve;

pub use options::{CgiOptions, Chunked, Setting};
#[doc(hidden)]
pub use reply::check_split_invariance;
pub use reply::{Reply, ReplyDecoder, ReplyError};
pub(crate) use serve::candidates;
pub use serve::{Cgi, CgiPorts, CgiPortsHandles, serve_cgi};
