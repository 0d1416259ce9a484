//! What becomes of the header fields of requests and responses on their way through a proxy.

mod cookies;
mod template;

pub(crate) use cookies::cookie;

pub use template::{FieldTemplate, TemplateError};
