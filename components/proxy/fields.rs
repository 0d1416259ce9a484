//! What becomes of the header fields of requests and responses on their way through a proxy.

mod template;

pub use template::{FieldTemplate, TemplateError};
