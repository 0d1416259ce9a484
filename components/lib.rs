//! Ready-made components, a folder a subject, one component a file.
//!
//! The folders have storeys. A folder may use those of the storeys above it, and the test `structure` says which:
//!
//! 1. plain messages: [`stream`], [`chassis`], [`console`]
//! 2. the world: [`net`], [`process`], [`file`]
//! 3. protocols without I/O: [`http`], [`coding`], [`websocket`]
//! 4. the messages and parts of a web server: [`web`]
//! 5. what answers requests: [`documents`], [`gateway`], [`cgi`], [`wsgi`]
//! 6. whole servers: [`server`]
//! 7. around them: [`inspect`], [`load`], [`notation`], [`simulated`]

pub mod cgi;
pub mod chassis;
pub mod coding;
pub mod console;
#[cfg(test)]
mod contract;
pub mod documents;
pub mod file;
pub mod gateway;
pub mod http;
pub mod inspect;
pub mod load;
pub mod net;
pub mod notation;
pub mod process;
pub mod server;
pub mod simulated;
pub mod stream;
pub mod web;
pub mod websocket;
pub mod wsgi;
