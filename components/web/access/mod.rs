//! Who may use a site: filters in front of everything.

mod cross_site;
mod loopback;
#[cfg(feature = "passwords")]
mod passwords;

pub(crate) use cross_site::is_cross_site;
pub(crate) use loopback::is_loopback_name;
pub use loopback::require_loopback_name;
#[cfg(feature = "passwords")]
pub use passwords::{User, ask_for_password};
