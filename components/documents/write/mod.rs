//! Changes of documents: PUT, DELETE, and the forms of a listing.

mod change;
mod delete;
mod destination;
mod put;

pub use change::{CHANGE, change_files};
pub use delete::delete_files;
pub use put::put_files;
