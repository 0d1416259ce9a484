//! The HTTP daemon: what `start_backend`, `start_sampleapp`, `start_proxy` and `login_for_real`
//! share.
//!
//! ```text
//!  requests ─▶ access ─▶ router ─┬─▶ login (POST /login)
//!   (the cookie `auth=true`)     ├─▶ routes of a WeApRous
//!                                ├─▶ pages: *.html from www/
//!                                └─▶ files: everything else from static/
//! ```

mod access;
mod backend;
mod form;
mod options;
mod proxy;

pub use access::{UNAUTHORIZED, log_in, require_cookie};
pub use backend::{Backend, BackendError, create_backend, own_folder};
pub use form::FormFields;
pub use options::run;
pub use proxy::{
    ProxyFile, create_proxy, forward_request, proxy_server, run_proxy, run_proxy_server,
};
