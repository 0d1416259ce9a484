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
mod filters;
mod handler;
mod layers;
mod openapi;
mod owned;
mod problem;
mod reply;
mod routes;
mod serve;
mod testing;
#[cfg(test)]
mod tests;
mod urls;
mod values;
mod views;
mod weaprous;

pub use answer::{Answer, Event, Events, Html, Redirect, SendFile, TemplateError, Templates};
pub use app::{App, Listed};
pub use body::{
    Form, FormData, FromBody, Json, Multipart, MultipartDecoder, MultipartError, MultipartEvent,
    PartHead, Stream, Upload,
};
pub use call::{Call, Params};
pub use context::Context;
pub use extract::{Extract, Header, HeaderName, Peer, State, WebSocketUpgrade};
pub use handler::{Argument, Handler};
pub use layers::{
    BodyLimit, Compress, ConcurrencyLimit, Cors, EntityTags, Layer, MethodOverride, Next,
    RateLimit, RequestId, RequestIds, SecurityHeaders, TimeOut,
};
pub use openapi::{
    DescribeInput, DescribeOutput, Documentation, Documented, OpenApi, Operation, documented,
};
pub use owned::Owned;
pub use problem::{Problem, WrongField};
pub use reply::Reply;
pub use routes::{Explained, RouteError, TrailingSlash};
pub use serve::{AppError, AppPorts, AppPortsHandles, add_app, answer_problems, serve_app};
pub use testing::{TestApp, TestRequest, TestResponse};
pub use urls::{UrlError, Urls};
pub use views::{
    DetailView, FormView, ListView, Listing, Methods, RedirectView, Store, TemplateView, View,
    ViewMethod,
};
pub use weaprous::{DeclaredRoute, WeApRous, WeApRousError};
