//! Files: what of a folder is served, and how.

mod access_log;
mod cache;
mod cache_rule;
mod delete;
mod docroot;
mod error_pages;
mod files;
mod folder;
mod list;
mod listing;
mod mime;
mod options;
mod place;
mod programs;
mod put;
mod read;
mod read_file;
mod representation;
mod serve;
mod snapshots;
mod thumbnail;

pub use access_log::{LogEntry, LogFormat, LogTarget, write_access_log};
pub use cache_rule::CacheRule;
pub use delete::delete_files;
pub use docroot::{Docroot, Found, Located, Refused};
pub use error_pages::read_error_pages;
pub use files::Files;
pub use options::{Compression, FileOptions};
pub use programs::{FilePattern, Interpreter, Programs, Run};
pub(crate) use programs::{PROGRAM_FOLDER, is_in_program_folder};
pub use put::put_files;
pub use read::read_slice;
pub use read_file::read_file;
pub use serve::serve_files;
pub use thumbnail::{THUMBNAIL, Thumbnails, serve_thumbnails};
