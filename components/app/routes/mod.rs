//! The table of routes: it finds the handler of a request, and knows every route.

mod build;
mod counted;
mod entry;
mod explain;
mod find;
mod path;

pub use build::RouteError;
pub(crate) use build::{MethodHandler, Resource, Table};
pub(crate) use counted::handler_name;
pub use entry::TrailingSlash;
pub(crate) use entry::{Entry, Fallback, join};
pub use explain::Explained;
pub(crate) use find::Found;
