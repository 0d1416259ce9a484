//! Ready-made components, a folder a domain, one component a file.

pub mod cgi;
pub mod chassis;
pub mod coding;
pub mod console;
#[cfg(test)]
mod contract;
pub mod file;
pub mod gateway;
pub mod http;
pub mod inspect;
pub mod load;
pub mod net;
pub mod notation;
pub mod process;
pub mod simulated;
pub mod stream;
pub mod wsgi;
