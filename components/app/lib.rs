//! Web applications: an [`App`] is a table of routes and their handlers, and runs as a component of
//! a graph.
//!
//! ```no_run
//! use kamea_app::App;
//!
//! async fn hello() -> &'static str {
//!     "Hello, world!\n"
//! }
//!
//! fn main() -> Result<(), kamea_app::AppError> {
//!     App::new().get("/", hello).run("127.0.0.1:8000")
//! }
//! ```
//!
//! ```text
//!   requests ──▶ ┌───────────┐ ──▶ responses
//!                │ serve_app │
//!                └───────────┘ ──▶ failures      to the error component
//!     layers ─▶ table of routes ─▶ layers of the route ─▶ extraction ─▶ handler ─▶ answer
//! ```

mod answer;
mod app;
mod body;
mod call;
mod context;
mod extract;
mod handler;
mod layers;
mod listen;
mod problem;
mod problems;
mod reply;
mod routes;
mod serve;
mod values;

pub use answer::{Answer, Html, Redirect};
pub use app::{App, Listed};
pub use body::{Form, FromBody, Json};
pub use call::Call;
pub use context::Context;
pub use extract::{Extract, Header, HeaderName, Peer, State};
pub use handler::{Argument, Handler};
pub use layers::{Layer, Next};
pub use listen::AppError;
pub use problem::{FieldError, Problem};
pub use problems::answer_problems;
pub use reply::Reply;
pub use routes::{RouteError, TrailingSlash};
pub use serve::serve_app;
