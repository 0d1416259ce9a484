//! Cookies, sessions and logins for Kamea's web server.
//!
//! ```text
//! requests ─▶ load_sessions ─▶ require_login ─▶ routes ─▶ handlers ─▶ save_sessions ─▶ responses
//!                  ╎                                         ╎ Session: get, set, log_in, log_out
//!                  ╎                                         ▼
//!                  ╎                          ┌───────────────────────────┐
//!                  └╌╌ a note of each ╌╌▶ ... │ store: a component        │  Load, Create, Set,
//!                      exchange               │ (memory, cookies, SQLite, │  Replace, Remove,
//!                                             │ Redis)                    │  Rotate, End, EndAll
//!                                             └───────────────────────────┘
//! ```
//!
//! A [`Session`] never writes a whole session back. Each change is a [`Command`] about one value,
//! and the store applies the commands one by one. So two requests of one session lose no update,
//! and what arrives after a logout is dropped.
//!
//! This package is not part of `kamea-components`, so that programs without sessions do not build
//! it. Stores with large dependencies are packages of their own: `kamea-session-sqlite` and
//! `kamea-session-redis`.
//!
//! # Examples
//!
//! ```
//! use kamea::{Graph, Scheduler};
//! use kamea_components::server::{Site, WebServer};
//! use kamea_components::web::{Request, Route};
//! use kamea_session::{
//!     MemoryOptions, Session, SessionError, SessionOptions, Sessions, keep_in_memory,
//!     load_sessions, save_sessions,
//! };
//!
//! async fn count(request: Request) -> Result<String, SessionError> {
//!     let session = Session::of(&request).await?;
//!     let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1).await?;
//!     Ok(format!("visit {visits}\n"))
//! }
//!
//! let scheduler = Scheduler::with_workers(1);
//! let mut graph = Graph::new("sessions");
//! let store = keep_in_memory(MemoryOptions::default());
//! let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
//! scheduler.run(graph)?;
//! let server = WebServer::new(Site::new("."))
//!     .around("sessions", load_sessions(sessions), save_sessions())
//!     .handle("count", Route::path("/count"), count);
//! server.run(&scheduler, &["127.0.0.1:0".parse()?])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cookies;
mod error;
mod filters;
mod flash;
mod id;
mod in_cookies;
mod keys;
mod login;
mod memory;
mod options;
mod origin;
mod session;
mod set_cookie;
mod state;
mod store;
pub mod testing;
#[cfg(test)]
mod tests;

pub use cookie::{Cookie, SameSite};
pub use cookies::Cookies;
pub use error::SessionError;
pub use filters::{load_sessions, save_sessions};
pub use flash::Flash;
pub use id::{Digest, SessionId, SessionKey};
pub use in_cookies::keep_in_cookies;
pub use keys::{Keys, WeakSecret};
pub use login::{
    Attempt, AttemptLimits, HashError, PasswordOptions, PasswordPorts, Passwords, Rate,
    RequireLogin, Verdict, check_passwords, hash_password, local_target, require_login,
};
pub use memory::{Memory, MemoryOptions, keep_in_memory};
pub use options::{Lifetimes, SessionOptions};
pub use origin::{ForeignOrigin, Origins};
pub use session::Session;
pub use set_cookie::{InvalidCookie, set_cookie};
pub use store::{
    Answer, Answered, Command, Loaded, Outcome, Sessions, Store, StoreCookie, StoreError,
    StorePorts,
};
