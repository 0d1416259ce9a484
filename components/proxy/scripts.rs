//! Backends that run scripts: FastCGI, as php-fpm speaks it, and SCGI, as uWSGI does. No I/O.
//!
//! ```text
//!  request ──▶ find_script ──▶ variables ──▶ encode_fastcgi, encode_scgi ──▶ bytes to the backend
//!  bytes of the backend ──▶ ScriptDecoder ──▶ head, chunks and end of the response
//! ```
//!
//! The variables and the header of the response are those of CGI. FastCGI wraps them into records.
//! A connection is for one request.

mod fastcgi;
mod find;
mod records;
mod reply;
mod scgi;
mod variables;

pub use fastcgi::{encode_fastcgi, encode_fastcgi_body};
pub use find::{Script, find_script};
pub use records::{FastCgiDecoder, FastCgiError, FastCgiEvent};
pub use reply::{ScriptDecoder, ScriptError};
pub use scgi::encode_scgi;
pub use variables::script_variables;
