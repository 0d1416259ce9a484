//! Logins: passwords, the limit of attempts, and the filter that requires a login.

mod attempts;
mod form;
mod hash;
mod passwords;
mod require;
mod target;

pub(crate) use form::FORM_TOKEN;

pub use attempts::AttemptLimits;
pub use hash::{HashError, hash_password};
pub use kamea_components::web::Rate;
pub use passwords::{Attempt, PasswordOptions, PasswordPorts, Passwords, Verdict, check_passwords};
pub use require::{RequireLogin, require_login};
pub use target::local_target;
