//! The documents of a site: serves, lists, writes and deletes the files below a document root.

mod archive;
mod cache;
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
mod representation;
mod rules;
mod serve;
mod snapshots;
mod thumbnail;
mod write;

pub use docroot::{Docroot, Found, Located, Refused};
pub use error_pages::read_error_pages;
pub use files::Files;
pub(crate) use kept_back::{KeptBack, identity};
pub use options::{Compression, FileOptions};
pub use own_files::OwnFiles;
pub use programs::{FilePattern, Interpreter, Programs, Run};
pub(crate) use programs::{PROGRAM_FOLDER, runs_programs};
pub use representation::answer_file;
pub use rules::{CacheRule, CodingRule};
pub use serve::serve_files;
pub(crate) use serve::serve_files_until;
pub(crate) use thumbnail::serve_thumbnails_until;
pub use thumbnail::{LARGE_THUMBNAIL, THUMBNAIL, Thumbnails, serve_thumbnails};
pub use write::{CHANGE, change_files, delete_files, put_files};
