//! Ready-made components, a folder a domain, one component a file.

pub mod http;
