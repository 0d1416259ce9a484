//! Files: what of a folder is served, and how.

mod cache;
mod cache_rule;
mod docroot;
mod error_pages;
mod folder;
mod listing;
mod mime;
mod representation;
mod serve;

pub use cache_rule::CacheRule;
pub use docroot::{Docroot, Found, Refused};
pub use error_pages::read_error_pages;
pub use serve::{FileOptions, Files, serve_files};
