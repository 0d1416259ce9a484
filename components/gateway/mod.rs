//! The gateway: what stands between the server and programs that know nothing of its components.
//!
//! There are three ways to answer a request by a program: an [`Application`], which has the shape of WSGI; a [`Handler`], a plain
//! `async fn(Request) -> Reply`; and a graph that is made for the request ([`serve_graphs`]). [`Variables`] are what CGI, WSGI and
//! applications are told of a request.

mod application;
mod chunks;
mod environ;
mod graphs;
mod handler;
mod mount;
mod reply;
mod respond;
mod start_response;
#[cfg(test)]
mod testing;
mod variables;

pub(crate) use application::serve_shared;
pub use application::{Application, serve_application};
pub use chunks::{BoxError, Chunks};
pub use environ::{Environ, Errors, Input};
pub use graphs::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
pub use handler::{Handler, IntoReply, serve_handler};
pub use mount::Mount;
pub use reply::Reply;
pub use start_response::{StartResponse, StartResponseError};
pub use variables::Variables;
