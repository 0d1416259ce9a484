//! The gateway: the layer between the server and programs that know nothing about its components.
//!
//! A program can answer a request in three ways: as an [`Application`], which has the interface of
//! WSGI; as a [`Handler`], a plain `async fn(Request) -> Reply`; or as a graph that is made for the
//! request ([`serve_graphs`]). A WebSocket is a component over messages ([`accept_websocket`]) or a
//! plain function ([`Sock`], [`answer_websocket`]). CGI programs, WSGI applications and
//! [`Application`]s receive the [`Variables`] of a request.

mod application;
mod chunks;
mod converse;
mod environ;
mod graphs;
mod handler;
mod mount;
mod reply;
mod respond;
mod sock;
mod start_response;
#[cfg(test)]
mod testing;
mod variables;
mod websocket;

pub(crate) use application::serve_shared;
pub use application::{Application, serve_application};
pub use chunks::{BoxError, Chunks};
pub use converse::{ConnectionClosed, WebSocket, answer_websocket};
pub use environ::{Environ, Errors, Input};
pub use graphs::{RequestPorts, RequestPortsHandles, ResponsePart, serve_graphs};
pub use handler::{Handler, IntoReply, serve_handler};
pub use mount::Mount;
pub use reply::Reply;
pub use sock::Sock;
pub use start_response::{StartResponse, StartResponseError};
pub use variables::Variables;
pub use websocket::{WebSocketRequest, accept_websocket};
