//! Ready-made components, a folder a subject, one component a file.
//!
//! The folders have storeys. A folder may use those of the storeys above it, and the test
//! `structure` says which:
//!
//! 1. plain messages: [`stream`], [`chassis`], [`console`]
//! 2. the world: [`net`], [`process`], [`file`], [`tls`]
//! 3. protocols without I/O: [`http`], [`coding`], [`websocket`]
//! 4. the messages and parts of a web server: [`web`]
//! 5. what answers requests: [`documents`], [`gateway`], [`cgi`], [`wsgi`]
//! 6. whole servers: [`server`]
//! 7. around them: [`inspect`], [`load`], [`notation`], [`simulated`]
//!
//! # Features
//!
//! Each folder but `stream` and `chassis` has a feature of its name (`file`: `files`; `coding`:
//! `http`), which enables what the folder imports. Three features add crates to a server:
//! `codings`, `passwords` and `thumbnails`. All are enabled by default. A program that needs less
//! says so:
//!
//! ```toml
//! kamea-components = { version = "0.1", default-features = false, features = ["net"] }
//! ```

// What folders share is partly unused where some of them are off.
#![cfg_attr(not(feature = "default"), allow(dead_code, unused_imports))]

#[cfg(feature = "cgi")]
pub mod cgi;
pub mod chassis;
#[cfg(feature = "http")]
pub mod coding;
#[cfg(feature = "console")]
pub mod console;
#[cfg(test)]
#[cfg(feature = "default")]
mod contract;
#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "files")]
pub mod file;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "inspect")]
pub mod inspect;
#[cfg(feature = "load")]
pub mod load;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "notation")]
pub mod notation;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "simulated")]
pub mod simulated;
pub mod stream;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "web")]
pub mod web;
#[cfg(feature = "websocket")]
pub mod websocket;
#[cfg(feature = "wsgi")]
pub mod wsgi;
