//! The documents of a site: serves, lists, writes and deletes the files below a document root.

mod cache;
mod delete;
mod destination;
mod docroot;
mod error_pages;
mod files;
mod folder;
mod kept_back;
mod list;
mod listing;
mod mime;
mod options;
mod own_files;
mod programs;
mod put;
mod representation;
mod rules;
mod serve;
mod snapshots;
mod thumbnail;

pub use delete::delete_files;
pub use docroot::{Docroot, Found, Located, Refused};
pub use error_pages::read_error_pages;
pub use files::Files;
pub(crate) use kept_back::{KeptBack, identity};
pub use options::{Compression, FileOptions};
pub use own_files::OwnFiles;
pub use programs::{FilePattern, Interpreter, Programs, Run};
pub(crate) use programs::{PROGRAM_FOLDER, runs_programs};
pub use put::put_files;
pub use rules::{CacheRule, CodingRule};
pub use serve::serve_files;
pub use thumbnail::{THUMBNAIL, Thumbnails, serve_thumbnails};
