//! Who may use a site: filters in front of everything.

mod cross_site;
mod loopback;
mod network;
#[cfg(feature = "passwords")]
mod passwords;
mod proxies;

pub(crate) use cross_site::is_cross_site;
pub use cross_site::is_foreign_page;
pub use loopback::{is_loopback_name, require_loopback_name};
pub use network::{Network, NetworkError};
#[cfg(feature = "passwords")]
pub use passwords::{User, ask_for_password};
pub use proxies::{forwarded_client, forwarded_scheme, trust_proxies};
