//! The other parts of a request that a handler may take.

mod header;
mod session;
mod state;
mod tuples;
mod websocket;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

pub use header::{Header, HeaderName};
pub use state::State;
pub use websocket::WebSocketUpgrade;

use crate::Problem;
use crate::context::Context;

/// A part of a request that a handler may take beside parameters and body, in an application whose
/// state is an `S`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use http::StatusCode;
/// use kamea_app::{App, Call, Context, Extract, Problem};
///
/// /// Who asks, by a token.
/// struct User(String);
///
/// impl<S: Sync + Send> Extract<S> for User {
///     async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
///         let token = context.field("authorization").and_then(|value| value.strip_prefix("Bearer "));
///         match token {
///             Some("secret") => Ok(Self("admin".into())),
///             _ => Err(Problem::new(StatusCode::UNAUTHORIZED, "a token is needed").field("WWW-Authenticate", "Bearer")),
///         }
///     }
/// }
///
/// async fn whoami(call: Call<(), (), User>) -> String {
///     call.with.0
/// }
/// # App::new().get("/", whoami).check().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken from a request, in an application whose state is `{S}`",
    label = "not a part of a request here",
    note = "a `State<S>` has the type of the value that is given at the beginning: `App::with_state(value)`",
    note = "the body of a request is read once: `Json<T>` and other bodies are the second type of a `Call`, not the third",
    note = "for a type of your own, implement `Extract`"
)]
pub trait Extract<S>: Sized {
    /// Takes it, or says why it cannot be taken.
    fn extract(
        context: &mut Context,
        state: &Arc<S>,
    ) -> impl Future<Output = Result<Self, Problem>>;
}

/// The address of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl<S> Extract<S> for Peer {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        Ok(Self(context.peer()))
    }
}

/// A part that may be missing.
impl<S, T: Extract<S>> Extract<S> for Option<T> {
    async fn extract(context: &mut Context, state: &Arc<S>) -> Result<Self, Problem> {
        Ok(T::extract(context, state).await.ok())
    }
}
