//! Applications in the sense of PEP 3333, in Rust.

use std::future::Future;
use std::sync::Arc;

use futures_lite::{StreamExt, stream};
use http::StatusCode;
use kamea::{Component, Done, at_first_message};

use super::respond::{Responder, ResponseError};
use super::{BoxError, Chunks, Environ, Errors, Input, Mount, StartResponse, Variables};
use crate::web::{Failure, HandlerPorts, Request};

/// A program that answers requests, and knows nothing about the server: an application in the sense
/// of PEP 3333.
///
/// It gets an [`Environ`] and a [`StartResponse`], which it calls before it returns its first
/// chunk. Async functions and closures `(Environ, StartResponse) -> Result<impl Into<Chunks>, impl
/// Into<BoxError>>` implement it. Implement it for your own struct to hold state, or to wrap
/// another application as a middleware. One value serves all workers, so its mutable state must be
/// behind a lock or an atomic.
///
/// # Examples
///
/// ```
/// use kamea_components::gateway::{Application, BoxError, Chunks, Environ, StartResponse};
/// use kamea_components::server::{Site, WebServer};
///
/// async fn hello(environ: Environ, start_response: StartResponse) -> Result<String, BoxError> {
///     start_response.ok([("Content-Type", "text/plain")])?;
///     Ok(format!("hello, {}\n", environ.text("PATH_INFO")))
/// }
///
/// /// Says who wants to be greeted.
/// struct Noting<A>(A);
///
/// impl<A: Application> Application for Noting<A> {
///     async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Chunks, BoxError> {
///         log::info!("a greeting for {}", environ.text("REMOTE_ADDR"));
///         self.0.call(environ, start_response).await
///     }
/// }
///
/// let server = WebServer::new(Site::new(".")).mount("/hello", Noting(hello));
/// # server.check().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an application of the gateway interface",
    label = "not an application",
    note = "an application is an async function `(Environ, StartResponse) -> Result<impl Into<Chunks>, impl Into<BoxError>>`, or a struct that implements `Application`"
)]
pub trait Application: 'static {
    /// Answers a request.
    ///
    /// An error before the head has been sent becomes a 500; only the log shows its cause. An
    /// [`Incomplete`](crate::web::Incomplete) of the request's body is answered with its own
    /// status.
    fn call(
        &self,
        environ: Environ,
        start_response: StartResponse,
    ) -> impl Future<Output = Result<Chunks, BoxError>>;
}

impl<F, C, E> Application for F
where
    F: AsyncFn(Environ, StartResponse) -> Result<C, E> + 'static,
    C: Into<Chunks>,
    E: Into<BoxError>,
{
    async fn call(
        &self,
        environ: Environ,
        start_response: StartResponse,
    ) -> Result<Chunks, BoxError> {
        let chunks = self(environ, start_response).await;
        chunks.map(Into::into).map_err(Into::into)
    }
}

/// Serves requests by an application, one after another on each connection.
///
/// A slow client slows the chunks (backpressure). When the client has disconnected, or has
/// requested only the head, they are dropped.
/// [`WebServer::mount`](crate::server::WebServer::mount) puts it behind a route.
pub fn serve_application(
    application: impl Application + Send + Sync,
    mount: Mount,
) -> impl Component<HandlerPorts> + Clone + Send + Sync {
    serve_shared(Arc::new(application), mount)
}

pub(crate) fn serve_shared(
    application: Arc<impl Application + Send + Sync>,
    mount: Mount,
) -> impl Component<HandlerPorts> + Clone + Send + Sync {
    let mount = Arc::new(mount.for_gateway());
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            // Boxed, so that connections that do not use it do not carry its size.
            Box::pin(serve(io, &*application, &mount, request)).await?;
        }
        Ok(())
    })
}

async fn serve(
    io: &HandlerPorts,
    application: &impl Application,
    mount: &Mount,
    request: Request,
) -> Done {
    let exchange = request.exchange;
    log::debug!("{} | Handle Application", exchange.peer);
    let responder = Responder::new(io, exchange);
    let variables = match Variables::of(&request.head, &exchange, mount) {
        Ok(mut variables) => {
            variables.add_tls(&request);
            variables
        }
        Err(bad) => {
            let failure = Failure::new(exchange, StatusCode::BAD_REQUEST, bad.to_string());
            return responder.fail(failure).await;
        }
    };
    let environ = Environ {
        variables,
        input: Input::from(request.content),
        errors: Errors::new(mount.name()),
    };
    let served = respond(&responder, application, environ);
    responder.conclude(mount.name(), served).await
}

/// Calls the application, and responds at the first chunk that is not empty, or at the end.
async fn respond(
    responder: &Responder<'_>,
    application: &impl Application,
    environ: Environ,
) -> Result<(), ResponseError<BoxError>> {
    let start_response = StartResponse::new();
    let called = application.call(environ, start_response.clone()).await;
    let mut chunks = called.map_err(ResponseError::Content)?;
    let first = loop {
        match chunks
            .next()
            .await
            .transpose()
            .map_err(ResponseError::Content)?
        {
            Some(bytes) if bytes.is_empty() => {}
            first => break first,
        }
    };
    let unstarted = ResponseError::Head("`start_response` was not called before the first chunk");
    let head = start_response.take().ok_or(unstarted)?;
    let content = stream::iter(first.map(Ok)).chain(chunks);
    responder.respond(head, content).await
}

#[cfg(test)]
mod tests;
