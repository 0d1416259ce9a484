//! Files: what of a folder is served, and how.

mod cache;
mod docroot;
mod folder;
mod listing;
mod mime;
mod representation;
mod serve;

pub use docroot::{Docroot, Found, Refused};
pub use serve::{FileOptions, Files, serve_files};
