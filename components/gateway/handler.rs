//! Handlers: `async fn(Request) -> Reply`, the simplest way to answer.

use std::future::Future;
use std::sync::Arc;

use kamea::{Component, Done, at_first_message};

use super::reply::ReplyContent;
use super::respond::{Responder, ResponseError};
use super::{BoxError, Reply};
use crate::web::{Failure, HandlerPorts, Request};

/// Answers a request with a [`Response`](crate::web::Response).
///
/// Implemented by async functions and closures that take a [`Request`]. They return a response, or
/// what makes one (text, bytes, a status, or a status with either), a [`Reply`] for a stream or a
/// failure, or a `Result` of any of these.
/// Implement it for your own struct to hold state. One value serves all workers, so its mutable
/// state must be behind a lock or an atomic; a closure shares its state by an `Arc`.
///
/// A [`Failure`] as the error is answered by the server's error component, and so is an
/// [`Incomplete`](crate::web::Incomplete) of the request's body. Any other error becomes a 500;
/// only the log shows its cause.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use http::StatusCode;
/// use kamea_components::gateway::{BoxError, Handler, Reply};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Failure, Request, Response, Route};
///
/// /// A function.
/// async fn shout(mut request: Request) -> Result<String, Failure> {
///     let content = request.read_content(64 * 1024).await?;
///     Ok(String::from_utf8_lossy(&content).to_uppercase())
/// }
///
/// /// A struct with state.
/// #[derive(Default)]
/// struct Count(AtomicU64);
///
/// impl Handler for Count {
///     async fn handle(&self, _: Request) -> Result<Reply, BoxError> {
///         let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
///         Ok(Response::text(format!("{count}\n")).into())
///     }
/// }
///
/// let server = WebServer::new(Site::new("."))
///     .handle("shout", Route::path("/shout").method("POST")?, shout)
///     .handle("count", Route::path("/count"), Count::default())
///     .handle("tea", Route::path("/tea"), async |_: Request| (StatusCode::IM_A_TEAPOT, "short and stout\n"));
/// # server.check().unwrap();
/// # Ok::<(), http::method::InvalidMethod>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of requests",
    label = "not a handler",
    note = "a handler is an async function from a `Request` to a `Response<()>` or what makes one (text, bytes, a status, or a `Result` of one), or a struct that implements `Handler`"
)]
pub trait Handler: 'static {
    /// Answers a request. If it does not read the body, the body is discarded.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Reply, BoxError>>;
}

impl<F, R> Handler for F
where
    F: AsyncFn(Request) -> R + 'static,
    R: IntoReply,
{
    async fn handle(&self, request: Request) -> Result<Reply, BoxError> {
        self(request).await.into_reply()
    }
}

/// The return types of an async function that is a [`Handler`].
#[diagnostic::on_unimplemented(
    message = "no reply can be made of `{Self}`",
    label = "not a reply",
    note = "a handler returns a `Response<()>`, text, bytes, a status, a status with one of these, a `Reply`, or a `Result` of any of them"
)]
pub trait IntoReply {
    /// The reply, or the error.
    ///
    /// # Errors
    ///
    /// An error of any type.
    fn into_reply(self) -> Result<Reply, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<R: Into<Reply>> IntoReply for R {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(self.into())
    }
}

impl<R: Into<Reply>, E: Into<BoxError>> IntoReply for Result<R, E> {
    fn into_reply(self) -> Result<Reply, BoxError> {
        self.map(Into::into).map_err(Into::into)
    }
}

/// Serves requests by a handler, one after another on each connection; the log calls it `name`.
///
/// A slow client slows the body (backpressure). When the client has disconnected, or has requested
/// only the head, the body is dropped.
/// [`WebServer::handle`](crate::server::WebServer::handle) puts it behind a route.
pub fn serve_handler(
    name: &str,
    handler: impl Handler + Send + Sync,
) -> impl Component<HandlerPorts> + Clone + Send + Sync {
    let (name, handler) = (Arc::<str>::from(name), Arc::new(handler));
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            // Boxed, so that connections that do not use it do not carry its size.
            Box::pin(serve(io, &name, &*handler, request)).await?;
        }
        Ok(())
    })
}

async fn serve(io: &HandlerPorts, name: &str, handler: &impl Handler, request: Request) -> Done {
    let exchange = request.exchange;
    log::debug!("{} | Handle Request", exchange.peer);
    let responder = Responder::new(io, exchange);
    let served = async {
        let replied = handler.handle(request).await;
        let reply = replied.map_err(ResponseError::Content)?;
        let head = reply.head;
        match reply.content {
            ReplyContent::Body(body) => responder.begin(head, body).await,
            ReplyContent::Chunks(chunks) => responder.respond(head, chunks).await,
            ReplyContent::Failure(explanation) => {
                let failure = Failure::new(exchange, head.status, explanation);
                let fields = head.fields;
                let failed = responder.fail(Failure { fields, ..failure }).await;
                failed.map_err(|_| ResponseError::Unwanted)
            }
        }
    };
    responder.conclude(name, served).await
}

#[cfg(test)]
mod tests;
