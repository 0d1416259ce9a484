//! Header and trailer fields, and the meaning of those that a server must understand.

mod accept;
mod builder;
mod conditional;
mod date;
mod disposition;
mod freshness;
mod lines;
mod range;
mod redact;

pub(crate) use accept::list_with_weights;
pub use accept::preferred_type;
pub use builder::FieldsBuilder;
pub use conditional::{Precondition, evaluate_preconditions};
pub use date::DateCache;
pub use disposition::attachment;
pub use freshness::freshness_lifetime;
pub(in crate::http) use lines::is_framing;
pub use lines::{FieldError, Fields};
pub(crate) use lines::{Names, REDACTED, is_secret};
pub use range::{Ranges, evaluate_range};
pub use redact::redact;
